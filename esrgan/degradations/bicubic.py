"""MATLAB's `imresize(image, scale, "bicubic")`, byte for byte, in both ways the field has used it.

The low-resolution files of the benchmarks were made by MATLAB, once on uint8 images (the EDSR and
RCAN files) and once on images converted with `im2double` (the BasicSR and ESRGAN files). The two
differ in the border, and in the rounding between the two passes. Other libraries' bicubic filters
(OpenCV, Pillow, torch) differ from both by much more: they use another kernel or no antialiasing.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from esrgan.types import Image, Resize

_SUPPORT = 4.0  # the cubic kernel is zero beyond 2 pixels to either side


class _Taps(NamedTuple):
    """What each output row i is made of: the sum over t of weight[t, i] * input[source[t, i]].

    Both are (num_taps, output length). A source may lie outside the image: what the border is, the
    convention decides.
    """

    source: NDArray[np.int64]
    weight: NDArray[np.float64]


def resize_uint8(image: Image, scale: float) -> Image:
    """Resizes as MATLAB does for a uint8 image, (H, W) or (H, W, C).

    The border is replicated, and the values are rounded to whole levels between the two passes.

    Returns:
        An image whose height and width are ceil(n * scale).

    Raises:
        ValueError: the image is not uint8 of two or three dimensions, or the scale not positive.
    """
    _check(image, scale)
    for axis in (0, 1):
        length = image.shape[axis]
        taps = _taps(length, scale)
        replicated = taps._replace(source=np.clip(taps.source, 0, length - 1))
        image = _round(_resize_axis(image, replicated, axis))
    return image


def resize_double(image: Image, scale: float) -> Image:
    """Resizes as MATLAB does for `im2double(image)`, and rounds the result to uint8; as above.

    The border is mirrored, and nothing is rounded before the end.

    Returns:
        An image whose height and width are ceil(n * scale).

    Raises:
        ValueError: the image is not uint8 of two or three dimensions, or the scale not positive.
    """
    _check(image, scale)
    values = image / 255.0  # not merely undone at the end: it decides how exact halves round
    for axis in (0, 1):
        length = image.shape[axis]
        taps = _taps(length, scale)
        wrapped = np.mod(taps.source, 2 * length)
        mirrored = taps._replace(source=np.minimum(wrapped, 2 * length - 1 - wrapped))
        values = _resize_axis(values, mirrored, axis)
    return _round(values * 255.0)


CONVENTIONS: Mapping[str, Resize] = MappingProxyType(
    {"uint8": resize_uint8, "double": resize_double}
)
"""The names under which commands offer the two."""


def _check(image: Image, scale: float) -> None:
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(
            f"image ({image.dtype}, shape {image.shape}) must be uint8 of shape (H, W) or "
            "(H, W, C) with no empty side: convert it first"
        )
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale ({scale}) must be a positive number: 0.25 shrinks, 4 enlarges")


def _taps(length: int, scale: float) -> _Taps:
    stretch = min(scale, 1.0)  # when shrinking, the kernel is widened: this is the antialiasing
    support = _SUPPORT / stretch
    # Pixel centres of the output in MATLAB's input coordinates, which count from 1.
    centre = np.arange(1, math.ceil(length * scale) + 1) / scale + 0.5 * (1 - 1 / scale)
    first = np.floor(centre - support / 2)
    source = first + np.arange(math.ceil(support) + 2)[:, None]
    weight = stretch * _cubic(stretch * (centre - source))
    weight /= weight.sum(axis=0)
    used = weight.any(axis=1)
    return _Taps(source=source[used].astype(np.int64) - 1, weight=weight[used])


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cubic convolution kernel with a = -0.5 (Keys, 1981, eq. 15)."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def _resize_axis(
    image: NDArray[np.uint8] | NDArray[np.float64], taps: _Taps, axis: int
) -> NDArray[np.float64]:
    # Tap by tap, in order: a matrix product would leave the order of the sum, and with it the
    # rounding of exact halves, to the BLAS library.
    along = [1] * image.ndim
    along[axis] = -1
    shape = list(image.shape)
    shape[axis] = taps.source.shape[1]
    output = np.zeros(shape)
    for source, weight in zip(taps.source, taps.weight, strict=True):
        output += np.take(image, source, axis=axis) * weight.reshape(along)
    return output


def _round(values: NDArray[np.float64]) -> Image:
    """To uint8, halves up as in MATLAB (np.round takes them to the even neighbour)."""
    return np.floor(np.clip(values, 0, 255) + 0.5).astype(np.uint8)
