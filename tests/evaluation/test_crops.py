import math

import numpy as np
import pytest

from esrgan.evaluation import Comparison, Score, comparison_row, most_different_window, score_text


def filled(value, size=(40, 60)):
    return np.full((*size, 3), value, np.uint8)


def house(*scores):
    """A white square, which the only method misses, on grey."""
    gt = filled(90)
    gt[16:24, 32:40] = 200
    return Comparison("house", gt[::4, ::4], gt, {"ours": filled(90)}, scores)


def test_the_window_is_where_the_images_differ_most():
    changed = filled(90)
    changed[10:20, 30:40] = 200
    changed[0, 0] = 0
    assert most_different_window([filled(90), changed], 10) == (10, 30)


@pytest.mark.parametrize("size", [40, 41, 60, 99])
def test_a_window_as_large_as_the_image_starts_at_its_corner(size):
    changed = filled(90, size=(40, 40))
    changed[35, 35] = 0
    assert most_different_window([filled(90, size=(40, 40)), changed], size) == (0, 0)


def test_a_row_shows_the_same_window_of_every_column():
    comparison = house(Score("house", "ours", {"PSNR-Y": 31.786}))
    row = comparison_row(comparison, metrics=["PSNR-Y"], crop_size=8)
    assert list(row.crops) == ["LQ", "ours", "GT"]
    assert (row.crops["GT"] == 200).all()
    assert (row.crops["LQ"] == 200).all()
    assert (row.crops["ours"] == 90).all()
    assert row.crops["GT"].base is None  # a view would keep the whole image in memory
    assert row.captions == {"ours": "PSNR-Y 31.79"}
    assert row.origin.name == "house"
    assert row.origin.image is comparison.gt
    assert row.origin.box == (16, 32, 24, 40)


@pytest.mark.parametrize("at", [(0, 0), (32, 52), (10, 35)])
def test_a_crop_can_be_asked_for_anywhere_in_the_image(at):
    comparison = house()
    row = comparison_row(comparison, metrics=[], crop_size=8, at=at)
    top, left = at
    expected = comparison.gt[top : top + 8, left : left + 8]
    np.testing.assert_array_equal(row.crops["GT"], expected)
    enlarged = np.kron(comparison.lq, np.ones((4, 4, 1), np.uint8))
    np.testing.assert_array_equal(row.crops["LQ"], enlarged[top : top + 8, left : left + 8])
    assert row.origin.box == (top, left, top + 8, left + 8)


@pytest.mark.parametrize("scale", [2, 8])
def test_pixels_of_lq_are_as_large_as_the_scale(scale):
    gt = filled(0)
    lq = np.random.default_rng(0).integers(0, 256, gt[::scale, ::scale].shape, dtype=np.uint8)
    row = comparison_row(Comparison("house", lq, gt, {}, ()), metrics=[], crop_size=16, at=(8, 16))
    expected = np.kron(lq, np.ones((scale, scale, 1), np.uint8))[8:24, 16:32]
    np.testing.assert_array_equal(row.crops["LQ"], expected)


@pytest.mark.parametrize("at", [(-1, 0), (0, -1), (33, 0), (0, 53)])
def test_a_crop_that_leaves_the_image_is_refused_with_the_rule(at):
    rule = r"house \(height 40, width 60\).* 8x8 pixels, top can be 0 to 32 and left 0 to 52"
    with pytest.raises(ValueError, match=rule):
        comparison_row(house(), metrics=[], crop_size=8, at=at)


def test_a_crop_larger_than_the_image_is_the_image():
    comparison = house()
    row = comparison_row(comparison, metrics=[], crop_size=50, at=(0, 10))
    np.testing.assert_array_equal(row.crops["GT"], comparison.gt[:, 10:])
    with pytest.raises(ValueError, match="40x50 pixels, top can be 0 to 0"):
        comparison_row(comparison, metrics=[], crop_size=50, at=(1, 0))


@pytest.mark.parametrize("crop_size", [0, -4])
def test_a_crop_without_pixels_is_refused(crop_size):
    with pytest.raises(ValueError, match=rf"crop_size \({crop_size}\) must be at least 1"):
        comparison_row(house(), metrics=[], crop_size=crop_size)


def test_below_a_crop_stand_the_metrics_asked_for_two_in_a_line():
    values = {"PSNR-Y": 28.426, "SSIM-Y": 0.81114, "NIQE": 5.214, "PSNR-RGB": 26.69}
    comparison = house(Score("house", "ours", values), Score("house", "GT", {"NIQE": 3.2}))
    row = comparison_row(comparison, metrics=["PSNR-Y", "NIQE", "SSIM-Y"])
    assert row.captions == {"ours": "PSNR-Y 28.43 · NIQE 5.21\nSSIM-Y 0.8111", "GT": "NIQE 3.20"}


def test_a_metric_that_was_not_measured_is_refused():
    comparison = house(Score("house", "ours", {"PSNR-Y": 1.0, "NIQE": 5.0}))
    with pytest.raises(ValueError, match="LPIPS was not measured: choose among PSNR-Y, NIQE"):
        comparison_row(comparison, metrics=["LPIPS"])


@pytest.mark.parametrize("name", ["LQ", "GT"])
def test_a_method_called_like_an_image_is_refused(name):
    comparison = Comparison("house", filled(0)[::4, ::4], filled(0), {name: filled(0)}, ())
    with pytest.raises(ValueError, match=f"no method may be called {name}"):
        comparison_row(comparison, metrics=[])


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("PSNR-Y", 28.426, "28.43"),
        ("SSIM-RGB", 0.81114, "0.8111"),
        ("ssim", 1.0, "1.0000"),
        ("LPIPS", 0.12345, "0.1235"),
        ("NIQE", 0.2, "0.20"),
        ("PSNR-Y", math.inf, "∞"),
        ("PSNR-Y", -math.inf, "-∞"),
        ("NIQE", math.nan, "nan"),
    ],
)
def test_numbers_have_the_digits_they_have_in_papers(metric, value, text):
    assert score_text(metric, value) == text
