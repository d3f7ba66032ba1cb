"""MATLAB's `imresize(image, scale, "bicubic")`, byte for byte, in both ways the field has used it.

The low-resolution files of the benchmarks were made by MATLAB, once on uint8 images (the EDSR and
RCAN files) and once on images converted with `im2double` (the BasicSR and ESRGAN files). The two
differ in the border, and in the rounding between the two passes. Other libraries' bicubic filters
(OpenCV, Pillow, torch) differ from both by much more: they use another kernel or no antialiasing.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from esrgan.types import Image, Resize

_SUPPORT = 4.0  # the cubic kernel is zero beyond 2 pixels to either side


def resize_uint8(image: Image, scale: float) -> Image:
    """Resizes as MATLAB does for a uint8 image, (H, W) or (H, W, C), to ceil(n * scale) a side.

    The border is replicated, and the values are rounded to whole levels between the two passes.

    Raises:
        ValueError: the image is not uint8 of two or three dimensions, or the scale not positive.
    """
    _check(image, scale)
    for axis in (0, 1):
        length = image.shape[axis]
        sources, weights = _taps(length, scale)
        image = _round(_resize_axis(image, np.clip(sources, 0, length - 1), weights, axis))
    return image


def resize_double(image: Image, scale: float) -> Image:
    """Resizes as MATLAB does for `im2double(image)`, and rounds the result to uint8; else as above.

    The border is mirrored, and nothing is rounded before the end.
    """
    _check(image, scale)
    # Not merely undone at the end: the division decides how exact halves round
    return _round(_resize_mirrored(image / 255.0, scale) * 255.0)


def shrink_and_enlarge(image: Image, scale: int) -> Image:
    """As `resize_double` by 1 / scale and back, with nothing rounded in between.

    Of the luminance in whole levels, with sides that are multiples of `scale`, it is the bicubic of
    the tables of SRCNN (arXiv:1501.00092) and of most papers after it.
    """
    _check(image, scale)
    small = _resize_mirrored(image / 255.0, 1 / scale)
    return _round(_resize_mirrored(small, scale) * 255.0)


CONVENTIONS: Mapping[str, Resize] = {"uint8": resize_uint8, "double": resize_double}
"""The names under which commands offer the two."""


def _resize_mirrored(values: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    for axis in (0, 1):
        length = values.shape[axis]
        sources, weights = _taps(length, scale)
        wrapped = np.mod(sources, 2 * length)
        mirrored = np.minimum(wrapped, 2 * length - 1 - wrapped)
        values = _resize_axis(values, mirrored, weights, axis)
    return values


def _check(image: Image, scale: float) -> None:
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(
            f"image ({image.dtype}, shape {image.shape}) must be uint8 of shape (H, W) or "
            "(H, W, C) with no empty side: convert it first"
        )
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale ({scale}) must be a positive number: 0.25 shrinks, 4 enlarges")


def _taps(length: int, scale: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sources and weights, both (num_taps, output length): what the outputs are made of.

    Output i is the sum over t of weights[t, i] * input[sources[t, i]]. A source may lie outside the
    image: what the border is, the convention decides.
    """
    stretch = min(scale, 1.0)  # when shrinking, the kernel is widened: this is the antialiasing
    support = _SUPPORT / stretch
    # Pixel centres of the output in MATLAB's input coordinates, which count from 1.
    centre = np.arange(1, math.ceil(length * scale) + 1) / scale + 0.5 * (1 - 1 / scale)
    first = np.floor(centre - support / 2)
    sources = first + np.arange(math.ceil(support) + 2)[:, None]
    weights = stretch * _cubic(stretch * (centre - sources))
    weights /= weights.sum(axis=0)
    used = weights.any(axis=1)
    return sources[used].astype(np.int64) - 1, weights[used]


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cubic convolution kernel with a = -0.5 (Keys, 1981, eq. 15)."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def _resize_axis(
    image: NDArray[np.uint8] | NDArray[np.float64],
    sources: NDArray[np.int64],
    weights: NDArray[np.float64],
    axis: int,
) -> NDArray[np.float64]:
    # Tap by tap, in order: a matrix product would leave the order of the sum, and with it the
    # rounding of exact halves, to the BLAS library.
    along = [1] * image.ndim
    along[axis] = -1
    shape = list(image.shape)
    shape[axis] = sources.shape[1]
    output = np.zeros(shape)
    for source, weight in zip(sources, weights, strict=True):
        output += np.take(image, source, axis=axis) * weight.reshape(along)
    return output


def _round(values: NDArray[np.float64]) -> Image:
    """To uint8, halves up as in MATLAB (np.round takes them to the even neighbour)."""
    return np.floor(np.clip(values, 0, 255) + 0.5).astype(np.uint8)
