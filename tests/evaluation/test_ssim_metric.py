import numpy as np
import pytest
from skimage.metrics import structural_similarity

from esrgan.evaluation import rgb_to_y, ssim_rgb, ssim_y

LIKE_THE_AUTHORS = {
    "gaussian_weights": True,
    "sigma": 1.5,
    "use_sample_covariance": False,
    "data_range": 255,
}


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    gt = rng.integers(0, 256, (40, 51, 3), dtype=np.uint8)
    noise = rng.integers(-40, 41, gt.shape)
    return np.clip(gt + noise, 0, 255).astype(np.uint8), gt


def test_luminance_agrees_with_scikit_image(images):
    sr, gt = images
    expected = structural_similarity(
        rgb_to_y(sr[4:-4, 4:-4]), rgb_to_y(gt[4:-4, 4:-4]), **LIKE_THE_AUTHORS
    )
    assert 0.5 < expected < 0.99
    assert ssim_y(sr, gt, crop=4) == pytest.approx(expected, abs=1e-12)


def test_rgb_agrees_with_scikit_image(images):
    sr, gt = images
    expected = structural_similarity(sr, gt, channel_axis=2, **LIKE_THE_AUTHORS)
    assert ssim_rgb(sr, gt, crop=0) == pytest.approx(expected, abs=1e-12)


def test_of_two_even_images_only_the_luminance_term_is_left():
    dark, bright = np.full((11, 11, 3), 60, np.uint8), np.full((11, 11, 3), 90, np.uint8)
    c1 = 2.55**2
    expected = (2 * 60 * 90 + c1) / (60**2 + 90**2 + c1)
    assert ssim_rgb(dark, bright, crop=0) == pytest.approx(expected, abs=1e-9)


def test_images_smaller_than_the_window_are_refused():
    image = np.zeros((18, 30, 3), np.uint8)
    with pytest.raises(ValueError, match=r"11x11 pixels inside the cropped border: \(10, 22\)"):
        ssim_y(image, image, crop=4)
