"""Peak signal-to-noise ratio, 10 log10(255² / MSE), in dB; infinite for identical images."""

import math

import numpy as np
from numpy.typing import NDArray

from esrgan.evaluation.color import Image, rgb_to_y
from esrgan.evaluation.shave import shave


def psnr_y(sr: Image, gt: Image, *, crop: int) -> float:
    """PSNR of the luminance in dB: the number in the tables of super-resolution papers."""
    sr, gt = shave(sr, gt, crop=crop)
    return _psnr(rgb_to_y(sr) - rgb_to_y(gt))


def psnr_rgb(sr: Image, gt: Image, *, crop: int) -> float:
    """PSNR in dB with one mean squared error over all three channels."""
    sr, gt = shave(sr, gt, crop=crop)
    return _psnr(sr.astype(np.float64) - gt)


def _psnr(difference: NDArray[np.float64]) -> float:
    mse = float(np.mean(np.square(difference, out=difference)))
    return 10 * math.log10(255**2 / mse) if mse else math.inf
