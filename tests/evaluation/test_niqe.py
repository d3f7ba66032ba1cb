from functools import partial

import cv2
import numpy as np
import pytest
from scipy import ndimage
from scipy.special import gamma

from esrgan.data.images import read_image
from esrgan.degradations import resize_double
from esrgan.evaluation import load_niqe_model, niqe
from esrgan.evaluation.full_reference import rgb_to_y
from esrgan.evaluation.niqe import NiqeModel, _halve, _local_mean

MODEL = NiqeModel(np.linspace(0.2, 2, 36), np.diag(np.linspace(1, 3, 36)))


def noise(height, width, seed=0):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(height, width, 3)), (2, 2, 0))
    return np.clip(128 + 400 * smooth, 0, 255).astype(np.uint8)


def plain_fit(block):
    """Shape, spreads to the left and right, mean, by search over all shapes."""
    left, right = (np.sqrt(np.mean(side**2)) for side in (block[block < 0], block[block > 0]))
    r = np.mean(np.abs(block)) ** 2 / np.mean(block**2)
    g = left / right
    r *= (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
    shapes = np.arange(0.2, 10.0005, 0.001)
    spreads = gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes))
    a = shapes[np.argmin(np.abs(spreads - r))]
    left, right = (side * np.sqrt(gamma(1 / a) / gamma(3 / a)) for side in (left, right))
    return a, left, right, (right - left) * gamma(2 / a) / gamma(1 / a)


def plain_features(y, block):
    window = cv2.getGaussianKernel(7, 7 / 6, cv2.CV_64F)
    window = window @ window.T
    mean = ndimage.correlate(y, window, mode="nearest")
    deviation = np.sqrt(np.abs(ndimage.correlate(y**2, window, mode="nearest") - mean**2))
    y = (y - mean) / (deviation + 1)
    rows = []
    for top in range(0, y.shape[0], block):
        for left in range(0, y.shape[1], block):
            part = y[top : top + block, left : left + block]
            a, b_left, b_right, _ = plain_fit(part)
            row = [a, (b_left + b_right) / 2]
            for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
                a, b_left, b_right, mean = plain_fit(part * np.roll(part, shift, (0, 1)))
                row += [a, mean, b_left, b_right]
            rows.append(row)
    return np.array(rows)


def test_the_value_is_that_of_the_authors_matlab_code(reference_data):
    model = load_niqe_model(reference_data / "niqe/niqe_pris_params.npz")
    image = read_image(reference_data / "niqe/baboon.png")
    assert niqe(image, crop=0, model=model) == pytest.approx(5.72957338, abs=2e-6)
    blurred = cv2.GaussianBlur(image, (0, 0), 2)
    assert niqe(blurred, crop=4, model=model) > niqe(image, crop=4, model=model) + 1


def test_the_window_is_the_published_one(reference_data):
    with np.load(reference_data / "niqe/niqe_pris_params.npz") as content:
        window = content["gaussian_window"]
    dot = np.zeros((7, 7))
    dot[3, 3] = 1
    assert _local_mean(dot) == pytest.approx(window, abs=1e-9)


def test_it_equals_a_plain_restatement_of_the_papers_equations():
    image = noise(192, 288)
    y = np.floor(rgb_to_y(image) + 0.5)
    half = ndimage.correlate1d(y, (w := [-3, -9, 29, 111, 111, 29, -9, -3]), 0, origin=-1)
    half = ndimage.correlate1d(half, w, 1, origin=-1)[::2, ::2] / 256**2
    features = np.hstack([plain_features(y, 96), plain_features(half, 48)])
    difference = features.mean(axis=0) - MODEL.mean
    covariance = (np.cov(features.T) + MODEL.covariance) / 2
    expected = np.sqrt(difference @ np.linalg.inv(covariance) @ difference)
    assert niqe(image, crop=0, model=MODEL) == pytest.approx(expected, rel=1e-9)


def test_the_half_scale_is_matlabs_before_it_rounds():
    y = noise(96, 192)[..., 0] // 2 + 64  # far from where values are clipped
    exact, rounded = _halve(y.astype(np.float64)), resize_double(y, 0.5)
    assert np.abs(exact - rounded).max() <= 0.5 + 1e-9
    assert not np.array_equal(exact, np.round(exact))


def test_the_border_and_what_exceeds_whole_blocks_do_not_count():
    image = noise(192, 192)
    larger = np.pad(image, ((4, 54), (4, 99), (0, 0)))
    assert niqe(larger, crop=4, model=MODEL) == niqe(image, crop=0, model=MODEL)
    assert niqe(larger, crop=5, model=MODEL) != niqe(image, crop=0, model=MODEL)


def test_flat_blocks_are_left_out_where_they_have_no_statistics():
    image = noise(192, 288)
    image[:96, :96] = 7
    y = np.floor(rgb_to_y(image) + 0.5)
    assert np.isfinite(niqe(image, crop=0, model=MODEL))
    assert np.ptp(y[:96, :96]) == 0


@pytest.mark.parametrize("level", [0, 7, 200, 255])
def test_flat_areas_depend_on_no_rounding(level, monkeypatch):
    """Windows that are equal on paper, separable or not, give one value."""
    image = noise(192, 288)
    image[20:150, 30:200] = level
    window = cv2.getGaussianKernel(7, 7 / 6, cv2.CV_64F)
    window = window @ window.T
    separable = niqe(image, crop=0, model=MODEL)
    for off in (0, 1e-16):
        mean = partial(ndimage.correlate, weights=window + off, mode="nearest")
        monkeypatch.setitem(niqe.__globals__, "_local_mean", mean)
        assert niqe(image, crop=0, model=MODEL) == pytest.approx(separable, rel=1e-7)


def test_two_blocks_are_enough():
    for image in (noise(96, 192), noise(193, 100)):
        assert np.isfinite(niqe(image, crop=0, model=MODEL))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (noise(95, 400), "needs two blocks of 96x96 pixels.*95, 400"),
        (noise(96, 191), "needs two blocks"),
        (np.full((192, 192, 3), 9, np.uint8), "needs structure"),
        (noise(192, 192)[..., 0], "RGB or grey images"),
    ],
)
def test_images_that_it_cannot_judge_are_refused(image, message):
    with pytest.raises(ValueError, match=message):
        niqe(image, crop=0, model=MODEL)


def test_a_file_that_is_missing_or_another_says_how_to_get_it(tmp_path):
    path = tmp_path / "parameters.npz"
    for write in (lambda: None, lambda: path.write_text("<html>"), lambda: np.savez(path, a=1)):
        write()
        with pytest.raises(ValueError, match=r"parameters\.npz.*esrgan download niqe"):
            load_niqe_model(path)
