"""Structural similarity (Wang, Bovik, Sheikh, Simoncelli, 2004) as the authors' MATLAB code has it.

Gaussian window of 11x11 with sigma 1.5, C1 = (0.01·255)², C2 = (0.03·255)², averaged over the
positions where the window lies inside the image. At most 1, which identical images reach.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from esrgan.evaluation.color import Image, rgb_to_y
from esrgan.evaluation.shave import shave

_WINDOW = 11
_SIGMA = 1.5
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2


def ssim_y(sr: Image, gt: Image, *, crop: int) -> float:
    """SSIM of the luminance: the number in the tables of super-resolution papers."""
    sr, gt = shave(sr, gt, crop=crop)
    return _ssim(rgb_to_y(sr), rgb_to_y(gt))


def ssim_rgb(sr: Image, gt: Image, *, crop: int) -> float:
    """Mean of the SSIM of the three channels."""
    sr, gt = shave(sr, gt, crop=crop)
    channels = (
        _ssim(sr[..., c].astype(np.float64), gt[..., c].astype(np.float64)) for c in range(3)
    )
    return sum(channels) / 3


def _ssim(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    if min(x.shape) < _WINDOW:
        raise ValueError(
            f"SSIM needs {_WINDOW}x{_WINDOW} pixels inside the cropped border: {x.shape} are left"
        )
    mean_x, mean_y = _local_mean(x), _local_mean(y)
    mean_product = mean_x * mean_y
    mean_squares = mean_x**2 + mean_y**2
    covariance = _local_mean(x * y) - mean_product
    variances = _local_mean(x**2 + y**2) - mean_squares
    luminance = (2 * mean_product + _C1) / (mean_squares + _C1)
    structure = (2 * covariance + _C2) / (variances + _C2)
    return float(np.mean(luminance * structure))


def _local_mean(x: NDArray[np.float64]) -> NDArray[np.float64]:
    blurred = cv2.GaussianBlur(x, (_WINDOW, _WINDOW), _SIGMA)
    margin = _WINDOW // 2
    return np.asarray(blurred[margin:-margin, margin:-margin], dtype=np.float64)
