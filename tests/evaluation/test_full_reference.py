import math

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from esrgan.evaluation.full_reference import (
    brightness,
    color_drift,
    contrast,
    psnr_rgb,
    psnr_y,
    rgb_to_y,
    rmse_y,
    ssim_rgb,
    ssim_y,
)

GREY = np.full((20, 24, 3), 100, np.uint8)
METRICS = [psnr_y, psnr_rgb, ssim_y, ssim_rgb]
LIKE_THE_AUTHORS = {
    "gaussian_weights": True,
    "sigma": 1.5,
    "use_sample_covariance": False,
    "data_range": 255,
}


def test_a_difference_of_one_level_everywhere_is_the_known_value_in_rgb():
    assert psnr_rgb(GREY + 1, GREY, crop=0) == pytest.approx(48.1308036087, abs=1e-9)


def test_luminance_shrinks_a_grey_difference_by_219_over_255():
    expected = 20 * math.log10(255 / (219 / 255))
    assert psnr_y(GREY + 1, GREY, crop=0) == pytest.approx(expected, abs=1e-9)


def test_the_error_is_averaged_over_pixels_and_channels():
    sr = GREY.copy()
    sr[0, 0, 1] = 112  # one of 20 * 24 * 3 values is off by 12
    assert psnr_rgb(sr, GREY, crop=0) == pytest.approx(10 * math.log10(255**2 / (144 / 1440)))


def test_a_difference_below_zero_does_not_wrap_around():
    assert psnr_rgb(GREY - 1, GREY, crop=0) == psnr_rgb(GREY, GREY - 1, crop=0) > 48


def test_identical_images_have_infinite_psnr_and_an_ssim_of_one():
    assert [metric(GREY, GREY, crop=1) for metric in METRICS] == [math.inf, math.inf, 1, 1]


@pytest.mark.parametrize("metric", METRICS)
def test_the_cropped_border_does_not_count_and_the_pixels_inside_do(metric):
    sr = GREY.copy()
    sr[:3], sr[-3:], sr[:, :3], sr[:, -3:] = 0, 0, 0, 0
    assert metric(sr, GREY, crop=3) == metric(GREY, GREY, crop=3)
    assert metric(sr, GREY, crop=2) < metric(GREY, GREY, crop=2)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("sr", "crop", "message"),
    [
        (GREY[:, :-1], 0, r"\(20, 23\) and gt \(20, 24\) differ in size"),
        (GREY / 255, 0, "sr is float64"),
        (GREY[..., 0], 0, r"sr is uint8 \(20, 24\)"),
        (GREY, 10, r"crop \(10\) must"),
        (GREY, -1, r"crop \(-1\) must"),
    ],
)
def test_images_that_cannot_be_compared_are_refused(metric, sr, crop, message):
    with pytest.raises(ValueError, match=message):
        metric(sr, GREY, crop=crop)


@pytest.mark.parametrize(
    ("rgb", "y"),
    [
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        ((255, 0, 0), 81.481),
        ((0, 255, 0), 144.553),
        ((0, 0, 255), 40.966),
        ((1, 2, 3), 16 + (65.481 + 2 * 128.553 + 3 * 24.966) / 255),
    ],
)
def test_luminance_is_that_of_bt601_and_is_not_rounded(rgb, y):
    luminance = rgb_to_y(np.full((2, 3, 3), rgb, np.uint8))
    assert luminance.shape == (2, 3)
    assert luminance.dtype == np.float64
    np.testing.assert_allclose(luminance, y, rtol=0, atol=1e-12)


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


def test_rmse_is_measured_on_whole_levels_inside_the_border():
    gt = np.full((6, 6, 3), 100, np.uint8)  # its Y is 101.88: 102
    sr = gt.copy()
    sr[2:4, 2:4] = 104  # 105.32: 105
    assert rmse_y(sr, gt, crop=2) == 3
    assert rmse_y(sr, gt, crop=1) == 1.5  # 4 of 16 pixels
    with pytest.raises(ValueError, match="differ in size"):
        rmse_y(sr[:4], gt, crop=0)


def test_colours_drift_as_far_as_large_areas_do_and_detail_does_not_count():
    gt = np.full((64, 96, 3), 100, np.uint8)
    brighter = gt + np.array([3, 0, 0], np.uint8)
    assert color_drift(brighter, gt, crop=0) == pytest.approx(1)
    checked = gt.copy()
    checked[::2, ::2], checked[1::2, ::2] = 110, 90
    assert color_drift(checked, gt, crop=0) == pytest.approx(0)
    framed = gt.copy()
    framed[:4] = 0
    assert color_drift(framed, gt, crop=4) == 0 < color_drift(framed, gt, crop=3)


def test_brightness_is_signed_and_weighs_the_channels_as_the_eye_does():
    gt = np.full((8, 8, 3), 100, np.uint8)
    brighter, darker, greener = gt + np.uint8(3), gt - np.uint8(2), gt.copy()
    greener[..., 1] += 10
    assert brightness(brighter, gt, crop=0) == pytest.approx(3)
    assert brightness(darker, gt, crop=0) == pytest.approx(-2)
    assert brightness(greener, gt, crop=0) == pytest.approx(5.87)
    framed = gt.copy()
    framed[:2] = 0
    assert brightness(framed, gt, crop=2) == 0 > brightness(framed, gt, crop=1)


def test_contrast_is_a_share_of_the_truths_and_finite_on_flat_images():
    gt = np.full((8, 8, 3), 100, np.uint8)
    gt[::2] = 140  # a deviation of 20
    half, flat = gt.copy(), np.full_like(gt, 120)
    half[::2], half[1::2] = 130, 110
    assert contrast(gt, gt, crop=0) == 1
    assert contrast(half, gt, crop=0) == pytest.approx(11 / 21)
    assert contrast(flat, gt, crop=0) == pytest.approx(1 / 21)
    assert contrast(flat, flat, crop=0) == 1
    assert contrast(gt, flat, crop=0) == pytest.approx(21)
