import math

import numpy as np
import pytest

from esrgan.evaluation import (
    BenchmarkResult,
    Score,
    perceptual_index,
    pirm_region,
    rmse_y,
    root_mean_square,
)


def test_the_error_is_measured_on_whole_levels_inside_the_border():
    gt = np.full((6, 6, 3), 100, np.uint8)  # its Y is 101.88: 102
    sr = gt.copy()
    sr[2:4, 2:4] = 104  # 105.32: 105
    assert rmse_y(sr, gt, crop=2) == 3
    assert rmse_y(sr, gt, crop=1) == 1.5  # 4 of 16 pixels
    with pytest.raises(ValueError, match="differ in size"):
        rmse_y(sr[:4], gt, crop=0)


def test_the_mean_over_images_is_the_root_of_the_mean_square():
    scores = tuple(Score(name, "x", {"RMSE-Y": v, "NIQE": v}) for name, v in [("a", 1), ("b", 7)])
    result = BenchmarkResult("Set2", {}, scores, {"RMSE-Y": root_mean_square})
    assert result.means() == {"x": {"RMSE-Y": 5, "NIQE": 4}}


def test_the_perceptual_index_is_that_of_the_challenge():
    assert perceptual_index(ma=8, niqe=3) == 2.5
    # Linear: of the means as of the images
    ma, niqe = [8.1, 6.4], [3.2, 5.5]
    single = [perceptual_index(ma=m, niqe=n) for m, n in zip(ma, niqe, strict=True)]
    assert perceptual_index(ma=np.mean(ma), niqe=np.mean(niqe)) == pytest.approx(np.mean(single))


@pytest.mark.parametrize(
    ("region", "published"),  # of the challenge's ranking, and figure 2 of the ESRGAN paper
    [
        ("R1", [10.87, 11.16, 11.19, 11.37, 11.44, 11.47, 11.50]),
        ("R2", [12.23, 12.40, 12.45, 12.50]),
        ("R3", [13.17, 14.24, 15.15, 15.30, 15.95, 15.99]),
        (None, [16.01, 24.586, math.inf]),
    ],
)
def test_methods_are_in_the_regions_in_which_they_were_ranked(region, published):
    assert {pirm_region(rmse) for rmse in published} == {region}
