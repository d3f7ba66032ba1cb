"""NIQE, the naturalness of an image judged without a reference; smaller is better.

Mittal, Soundararajan, Bovik: Making a "Completely Blind" Image Quality Analyzer, 2013. Statistics
of locally normalised luminance, in blocks and at two scales, are compared with those of pristine
photographs. Where the paper leaves a choice, it is made as in the authors' MATLAB code, but for
one: where a picture is exactly flat (screens, clipped skies), normalised values are zero, and
belong to neither side of the fit. In their code they are rounding noise, whose signs the fit
counts.
"""

import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from esrgan.evaluation.full_reference import Array, rounded_y, shave
from esrgan.types import Image

_BLOCK = 96  # pixels, at full scale
_WINDOW, _SIGMA = 7, 7 / 6
_SHIFTS = ((0, 1), (1, 0), (1, 1), (-1, 1))  # to the neighbours that a pixel is multiplied with
_NUM_FEATURES = 36
_FLAT = 1e-8  # below this, a difference from the local mean is rounding: others exceed 1e-6
# The kernel of MATLAB's bicubic `imresize` at half scale (Keys, 1981, a = -0.5, stretched by 2),
# in 256ths: every output pixel lies halfway between two input pixels.
_HALF = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256


class NiqeModel(NamedTuple):
    """The features of pristine photographs: their mean (36,) and covariance (36, 36)."""

    mean: Array
    covariance: Array


def load_niqe_model(path: Path) -> NiqeModel:
    """Reads the published file of pristine parameters, `niqe_pris_params.npz`.

    Raises:
        ValueError: it is missing, damaged or something else; the message says how to get it.
    """
    fix = "`esrgan download niqe` fetches it"
    if not path.is_file():
        raise ValueError(f"NIQE needs the statistics of pristine photographs, {path}: {fix}")
    try:
        with np.load(path, allow_pickle=False) as content:
            mean = content["mu_pris_param"].astype(np.float64).reshape(_NUM_FEATURES)
            covariance = content["cov_pris_param"].astype(np.float64)
            covariance = covariance.reshape(_NUM_FEATURES, _NUM_FEATURES)
    except Exception as error:  # damaged files raise nearly anything
        raise ValueError(f"{path} is damaged or not NIQE's parameters ({error}): {fix}") from error
    return NiqeModel(mean, covariance)


def niqe(image: Image, *, crop: int, model: NiqeModel) -> float:
    """The distance of an image from pristine photographs, on luminance rounded to whole levels.

    Rows and columns beyond a multiple of 96 are left out at the bottom and the right.

    Raises:
        ValueError: fewer than two blocks of 96x96 pixels have structure in them.
    """
    inner, _ = shave(image, image, crop=crop)
    height, width = (side // _BLOCK * _BLOCK for side in inner.shape[:2])
    if height * width < 2 * _BLOCK**2:
        raise ValueError(
            f"NIQE needs two blocks of {_BLOCK}x{_BLOCK} pixels inside the cropped border: "
            f"{inner.shape[:2]} are left"
        )
    y = rounded_y(inner[:height, :width])
    features = np.hstack([_features(y, _BLOCK), _features(_halve(y), _BLOCK // 2)])
    complete = features[~np.isnan(features).any(axis=1)]
    if len(complete) < 2:
        raise ValueError(f"NIQE needs structure in two {_BLOCK}x{_BLOCK} blocks: this is flat")
    difference = model.mean - np.nanmean(features, axis=0)
    covariance = (model.covariance + np.cov(complete, rowvar=False)) / 2
    return math.sqrt(difference @ np.linalg.pinv(covariance) @ difference)


def _halve(y: Array) -> Array:
    """MATLAB's `imresize(y, 0.5)` of doubles with even sides: the border mirrored, not rounded."""
    # OpenCV centres a kernel of even length on its right half; the output is the even positions.
    filtered = cv2.sepFilter2D(y, -1, _HALF, _HALF, anchor=(3, 3), borderType=cv2.BORDER_REFLECT)
    return np.asarray(filtered[::2, ::2], dtype=np.float64)


def _features(y: Array, block: int) -> Array:
    """(number of blocks, 18) of one scale; NaN where a block is too flat to be fitted."""
    mean = _local_mean(y)
    deviation = np.sqrt(np.abs(_local_mean(y * y) - mean * mean))
    difference = np.where(np.abs(y - mean) < _FLAT, 0, y - mean)
    normalised = difference / (deviation + 1)  # eq. 1 to 3, in a Gaussian window
    width = normalised.shape[1]
    # One row of blocks at a time, which a processor's cache can hold: three times as fast.
    rows = normalised.reshape(-1, block, width // block, block).swapaxes(1, 2)
    return np.vstack([_features_of_row(row) for row in rows])


def _features_of_row(blocks: Array) -> Array:
    shape, _, left, right = _fit(blocks)
    columns = [shape, (left + right) / 2]
    for shift in _SHIFTS:
        columns += _fit(blocks * np.roll(blocks, shift, axis=(1, 2)))
    return np.stack(columns, axis=1)


def _local_mean(y: Array) -> Array:
    blurred = cv2.GaussianBlur(y, (_WINDOW, _WINDOW), _SIGMA, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, dtype=np.float64)


def _fit(blocks: Array) -> tuple[Array, Array, Array, Array]:
    """An asymmetric generalised Gaussian for each of the blocks (N, H, W).

    By the moments (Lasmar, Stitou, Berthoumieu, 2009). Returns its shape, mean, and spread to the
    left and to the right, each (N,): eq. 4, 5 and 7 of the paper.
    """
    squares = blocks * blocks
    with np.errstate(divide="ignore", invalid="ignore"):  # of a block without values on one side
        left, right = (
            np.sqrt(np.sum(squares, axis=(1, 2), where=side) / np.sum(side, axis=(1, 2)))
            for side in (blocks < 0, blocks > 0)
        )
        ratio = left / right
        spread = np.abs(blocks).mean(axis=(1, 2)) ** 2 / squares.mean(axis=(1, 2))
        spread *= (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, spreads, scales, means = _shapes()
    index = _nearest(spreads, spread)
    left, right = left * scales[index], right * scales[index]
    return shapes[index], (right - left) * means[index], left, right


@cache
def _shapes() -> tuple[Array, Array, Array, Array]:
    """What the fit needs to know of each shape, (9801,): ratios of gamma functions."""
    shapes = np.arange(200, 10001) / 1000
    one, two, three = (np.array([math.lgamma(k / a) for a in shapes]) for k in (1, 2, 3))
    spreads = np.exp(2 * two - one - three)  # gamma(2/a)^2 / (gamma(1/a) gamma(3/a)): grows with a
    scales = np.exp((one - three) / 2)  # sqrt(gamma(1/a) / gamma(3/a))
    return shapes, spreads, scales, np.exp(two - one)


def _nearest(rising: Array, values: Array) -> NDArray[np.int64]:
    """The index of the nearest of `rising`; 0 for NaN, as MATLAB's `min` has it."""
    above = np.clip(np.searchsorted(rising, values), 1, len(rising) - 1)
    index = above - (values - rising[above - 1] < rising[above] - values)
    return np.asarray(np.where(np.isnan(values), 0, index), dtype=np.int64)
