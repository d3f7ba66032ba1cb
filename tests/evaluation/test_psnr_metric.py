import math

import numpy as np
import pytest

from esrgan.evaluation import psnr_rgb, psnr_y, ssim_rgb, ssim_y

GREY = np.full((20, 24, 3), 100, np.uint8)
METRICS = [psnr_y, psnr_rgb, ssim_y, ssim_rgb]


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
