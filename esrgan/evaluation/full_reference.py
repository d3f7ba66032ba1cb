"""PSNR, SSIM, RMSE, and what becomes of colours, brightness and contrast.

All of them take images of equal size, sr and gt, and leave out `crop` pixels on each side; papers
leave out as many as the scale. Those of one channel, (H, W, 1), are grey. Luminance (Y) is
MATLAB's: OpenCV's YCrCb spans [0, 255] instead, which alone lowers a PSNR by about 1.3 dB, and
rounding to bytes changes its third digit.
"""

import math
from collections.abc import Iterable
from statistics import fmean

import cv2
import numpy as np
from numpy.typing import NDArray

from esrgan.types import Image

Array = NDArray[np.float64]

# ITU-R BT.601 in studio range: the weights of R, G and B, and black.
_RGB_TO_Y = np.array([[65.481 / 255, 128.553 / 255, 24.966 / 255, 16.0]])
_WINDOW, _SIGMA = 11, 1.5  # of SSIM
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_SQUARE = 32  # pixels, of colour drift
_LUMA = np.array([[0.299, 0.587, 0.114]])  # ITU-R BT.601 in levels of 0 to 255


def shave(sr: Image, gt: Image, *, crop: int) -> tuple[Image, Image]:
    """Both without `crop` pixels on each side; a ValueError where they cannot be compared."""
    for name, image in (("sr", sr), ("gt", gt)):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3):
            raise ValueError(
                f"{name} is {image.dtype} {image.shape}: metrics take RGB or grey images, uint8 "
                "(H, W, 3 or 1)"
            )
    if sr.shape != gt.shape:
        raise ValueError(
            f"sr {sr.shape[:2]} and gt {gt.shape[:2]} differ in size: "
            "crop gt to scale times the size of lq"
        )
    height, width = gt.shape[:2]
    if crop < 0 or min(height, width) <= 2 * crop:
        raise ValueError(
            f"crop ({crop}) must be at least 0 and leave something of a {height}x{width} image"
        )
    inner = np.s_[crop : height - crop, crop : width - crop]
    return sr[inner], gt[inner]


def rgb_to_y(image: Image) -> Array:
    """Luminance (H, W) in [16, 235] as `rgb2ycbcr` gives it for doubles: not rounded.

    One channel is luminance as it is, in [0, 255], as in the MATLAB code of the papers.
    """
    if image.shape[2] == 1:
        return image[..., 0].astype(np.float64)
    return np.asarray(cv2.transform(image.astype(np.float64), _RGB_TO_Y), dtype=np.float64)


def rounded_y(image: Image) -> Array:
    """The same in whole levels, as `rgb2ycbcr` gives it for uint8: NIQE and PIRM measure on it."""
    return np.floor(rgb_to_y(image) + 0.5)


def psnr_y(sr: Image, gt: Image, *, crop: int) -> float:
    """PSNR of the luminance in dB, infinite for identical images: the number of the papers."""
    sr, gt = shave(sr, gt, crop=crop)
    return _psnr(rgb_to_y(sr) - rgb_to_y(gt))


def psnr_rgb(sr: Image, gt: Image, *, crop: int) -> float:
    """PSNR in dB with one mean squared error over all channels."""
    sr, gt = shave(sr, gt, crop=crop)
    return _psnr(sr.astype(np.float64) - gt)


def _psnr(difference: Array) -> float:
    mse = float(np.mean(np.square(difference, out=difference)))
    return 10 * math.log10(255**2 / mse) if mse else math.inf


def ssim_y(sr: Image, gt: Image, *, crop: int) -> float:
    """SSIM of the luminance, at most 1: the number in the tables of super-resolution papers."""
    sr, gt = shave(sr, gt, crop=crop)
    return _ssim(rgb_to_y(sr), rgb_to_y(gt))


def ssim_rgb(sr: Image, gt: Image, *, crop: int) -> float:
    """Mean of the SSIM of the channels."""
    sr, gt = shave(sr, gt, crop=crop)
    x, y = sr.astype(np.float64), gt.astype(np.float64)
    return fmean(_ssim(x[..., c], y[..., c]) for c in range(x.shape[2]))


def _ssim(x: Array, y: Array) -> float:
    """Wang, Bovik, Sheikh, Simoncelli, 2004, as the authors' MATLAB code has it."""
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


def _local_mean(x: Array) -> Array:
    """Weighted by the Gaussian window, at the positions where it lies inside the image."""
    blurred = cv2.GaussianBlur(x, (_WINDOW, _WINDOW), _SIGMA)
    margin = _WINDOW // 2
    return np.asarray(blurred[margin:-margin, margin:-margin], dtype=np.float64)


def rmse_y(sr: Image, gt: Image, *, crop: int) -> float:
    """Root of the mean squared error of luminance in whole levels. PIRM leaves out 4 pixels."""
    sr, gt = shave(sr, gt, crop=crop)
    return math.sqrt(np.mean(np.square(rounded_y(sr) - rounded_y(gt))))


def root_mean_square(values: Iterable[float]) -> float:
    """What PIRM takes of the RMSE of several images."""
    return math.sqrt(fmean(value**2 for value in values))


def color_drift(sr: Image, gt: Image, *, crop: int) -> float:
    """How far the colours of large areas are from the truth, in levels of 255; 0 is best.

    The mean, over squares of about 32 x 32 pixels and the channels, of the difference between the
    squares' mean colours. Detail averages out in it: bicubic interpolation stays far below 1.
    """
    sr, gt = shave(sr, gt, crop=crop)
    return float(np.abs(_square_means(sr) - _square_means(gt)).mean())


def _square_means(image: Image) -> Array:
    height, width = (max(side // _SQUARE, 1) for side in image.shape[:2])
    means = cv2.resize(image.astype(np.float64), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(means, dtype=np.float64)


def brightness(sr: Image, gt: Image, *, crop: int) -> float:
    """How much brighter the result is than the truth, in levels of 255; darker is negative."""
    sr, gt = shave(sr, gt, crop=crop)
    return float(_luma(sr).mean() - _luma(gt).mean())


def contrast(sr: Image, gt: Image, *, crop: int) -> float:
    """Deviation of luma from its mean, as a share of the truth's; near 0 where the result is flat.

    A level is added to both: of a flat truth there is no share.
    """
    sr, gt = shave(sr, gt, crop=crop)
    return float((_luma(sr).std() + 1) / (_luma(gt).std() + 1))


def _luma(image: Image) -> Array:
    return np.asarray(cv2.transform(image.astype(np.float64), _LUMA), dtype=np.float64)
