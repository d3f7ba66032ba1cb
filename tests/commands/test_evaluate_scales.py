"""What is compared, and how, at other scales than 4."""

import math

import cv2
import numpy as np
import pytest

from esrgan.commands import evaluate
from esrgan.data import write_png

GREY, DIFFERENCE, SIDE = 100, 20, 24


@pytest.fixture
def images(tmp_path):
    """A grey ground truth, a result with one other pixel just inside the border, and its JPEG."""

    def make(scale, *, inside=0):
        for name in ("bench/gt", "ours", "bench/lq"):
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
        gt = np.full((SIDE, SIDE, 3), GREY, np.uint8)
        write_png(tmp_path / "bench/gt/a.png", gt, overwrite=True)
        sr = gt.copy()
        place = (scale if scale > 1 else 0) + inside
        sr[place, place] += DIFFERENCE
        write_png(tmp_path / "ours/a.png", sr, overwrite=True)
        lq = gt[::scale, ::scale].copy()
        lq[1, 1] += DIFFERENCE
        write_png(tmp_path / "bench/lq/a.png", lq, overwrite=True)
        return tmp_path

    return make


def expected(scale):
    """One pixel among those that are left, of Y: a grey of d levels is d (235 - 16) / 255 there."""
    side = SIDE - 2 * (scale if scale > 1 else 0)
    error = (DIFFERENCE * 219 / 255) ** 2 / side**2
    return 10 * math.log10(255**2 / error)


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_as_many_pixels_as_the_scale_are_left_out_and_none_at_1(call, images, scale):
    folder = images(scale)
    arguments = ("--benchmark", folder / "bench", "--scale", scale, "--metrics", "PSNR-Y")
    code, out, _ = call("evaluate.py", evaluate.main, folder / "ours", *arguments)
    assert code == 0
    assert f" {expected(scale):.4f} |" in out
    assert f"border: {f'{scale} pixels left out on each side' if scale > 1 else 'none'}" in out
    if scale > 1:
        images(scale, inside=-1)
        _, out, _ = call("evaluate.py", evaluate.main, folder / "ours", *arguments)
        assert " inf |" in out


def test_at_scale_1_bicubic_is_the_damaged_image_itself(call, images):
    folder = images(1)
    options = ("--benchmark", folder / "bench", "--scale", 1)
    saved = ("--save-images", folder / "saved")
    code, out, _ = call("evaluate.py", evaluate.main, "bicubic", *options, *saved)
    assert code == 0
    assert f" {expected(1):.4f} |" in out
    lq, written = folder / "bench/lq/a.png", folder / "saved/bench/bicubic/a.png"
    np.testing.assert_array_equal(cv2.imread(str(written)), cv2.imread(str(lq)))
    for words in (
        f"damaged images: {folder / 'bench/lq'}\n",
        "ground truth: whole",
        "method bicubic: the damaged image itself",
    ):
        assert words in out
    code, out, err = call("evaluate.py", evaluate.main, "bicubic-y", *options)
    assert (code, out) == (2, "")
    assert "bicubic-y is made of the ground truth, which it would be at scale 1" in err
