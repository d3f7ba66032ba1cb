"""The images that `validation_set` stands for."""

import numpy as np
import pytest

from esrgan.data import FolderPairs, write_png
from esrgan.degradations import resize_double


@pytest.fixture
def benchmark(tmp_path):
    """HR of one image, all 200, and LR, all 10, which no resizing makes of it."""
    for name, side, level in (("HR", 48, 200), ("LR_bicubic/X4", 12, 10)):
        folder = tmp_path / "Set1" / name
        folder.mkdir(parents=True)
        write_png(folder / "a.png", np.full((side, side, 3), level, np.uint8))
    return tmp_path / "Set1"


def opened(word):
    pairs = FolderPairs(gt=word, scale=4, downscale=resize_double)
    lq, gt = pairs.read(0)
    assert gt.mean() == 200
    return lq.mean()


def test_low_resolution_images_of_its_own_are_taken(benchmark):
    assert opened(benchmark) == 10
    assert opened(f"{benchmark}/HR:{benchmark}/LR_bicubic/X4") == 10


def test_where_there_are_none_they_are_made(benchmark):
    assert opened(benchmark / "HR") == 200


def test_those_of_another_scale_are_not_passed_over(benchmark):
    (benchmark / "LR_bicubic/X4").rename(benchmark / "LR_bicubic/X2")
    with pytest.raises(ValueError, match="give both folders as GT:LQ"):
        opened(benchmark)


def test_two_folders_are_known_by_all_their_images(benchmark):
    def digest():
        return FolderPairs(gt=benchmark, scale=4, downscale=resize_double).digest()

    before = digest()
    assert digest() == before
    for name, side in (("LR_bicubic/X4", 12), ("HR", 48)):
        write_png(benchmark / name / "a.png", np.zeros((side, side, 3), np.uint8), overwrite=True)
        assert digest() != before
        before = digest()
    (benchmark.parent / "moved").mkdir()
    benchmark.rename(benchmark.parent / "moved/Set2")
    moved = FolderPairs(gt=benchmark.parent / "moved/Set2", scale=4, downscale=resize_double)
    assert moved.digest() == before
