"""The measures of the PIRM challenge on perceptual super-resolution (Blau et al., 2018)."""

import math
from collections.abc import Iterable
from statistics import fmean

import numpy as np

from esrgan.evaluation.color import Image, rounded_y
from esrgan.evaluation.shave import shave

REGIONS = {"R1": 11.5, "R2": 12.5, "R3": 16.0}
"""The largest RMSE that a region of the challenge admits; methods are compared within one."""


def rmse_y(sr: Image, gt: Image, *, crop: int) -> float:
    """Root of the mean squared error of luminance in whole levels. PIRM leaves out 4 pixels.

    Over several images, PIRM takes the root of the mean of the squares: `root_mean_square`.
    """
    sr, gt = shave(sr, gt, crop=crop)
    return math.sqrt(np.mean(np.square(rounded_y(sr) - rounded_y(gt))))


def root_mean_square(values: Iterable[float]) -> float:
    return math.sqrt(fmean(value**2 for value in values))


def perceptual_index(*, ma: float, niqe: float) -> float:
    """PI; smaller is better.

    Args:
        ma: score of Ma et al. (2017), from 0 to 10; larger is better.
        niqe: of the same image, or both the means over the same images.
    """
    return ((10 - ma) + niqe) / 2


def pirm_region(rmse: float) -> str | None:
    """The name of the region, if there is one for such an RMSE."""
    return next((name for name, largest in REGIONS.items() if rmse <= largest), None)
