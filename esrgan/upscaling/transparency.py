"""Alpha and a network that knows RGB only.

Colours under transparent pixels are arbitrary, yet the network looks at them where it enlarges the
edge: the nearest visible colours take their place first. Alpha is enlarged as a grey image. The
network may add texture or overshoot even where it is constant, so the result is kept between the
smallest and the largest alpha of the 3 x 3 pixels around: what was fully transparent or fully
opaque, away from edges, stays exactly so.
"""

from collections.abc import Callable
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from esrgan.data import Pixels

Floats = NDArray[np.float32]

Enlarge = Callable[[Pixels], Pixels]
"""RGB (H, W, 3) in, (H·scale, W·scale, 3) out, of the same type."""


def extend_colours(colour: Pixels, alpha: Pixels) -> Pixels:
    """The colours, and wherever alpha is 0 a smooth continuation of those around.

    Args:
        colour: (H, W, 3).
        alpha: (H, W). Where it is 0 everywhere, there is nothing to continue.
    """
    if not alpha.any() or alpha.all():
        return colour
    weights = alpha.astype(np.float32)[..., None]
    continued = np.rint(_fill(colour * weights, weights)).astype(colour.dtype)
    return cast("Pixels", np.where(alpha[..., None] == 0, continued, colour))


def enlarge_alpha(alpha: Pixels, enlarge: Enlarge) -> Pixels:
    """(H, W) in, (H·scale, W·scale) out."""
    sr = mean_of_channels(enlarge(cast("Pixels", np.repeat(alpha[..., None], 3, axis=2))))
    height, width = sr.shape
    window = np.ones((3, 3), np.uint8)
    lowest, highest = (
        cv2.resize(extreme(alpha, window), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        for extreme in (cv2.erode, cv2.dilate)
    )
    return cast("Pixels", np.clip(sr, lowest, highest))


def mean_of_channels(colour: Pixels) -> Pixels:
    """(H, W, 3) in, (H, W) out, rounded."""
    total = colour.sum(axis=2, dtype=np.uint32)
    return cast("Pixels", ((total + 1) // 3).astype(colour.dtype))


def _fill(weighted: Floats, weights: Floats) -> Floats:
    """The colours, `weighted` / `weights`; where there is no weight, means of the nearest ones.

    They come from the image of half the size, which is filled alike.
    """
    has_colour = weights > 0
    means = np.divide(weighted, weights, out=np.zeros_like(weighted), where=has_colour)
    if has_colour.all():
        return means
    height, width = weights.shape[:2]
    smaller = _fill(_halved(weighted), _halved(weights))
    larger = cv2.resize(smaller, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(has_colour, means, larger)


def _halved(array: Floats) -> Floats:
    height, width = ((side + 1) // 2 for side in array.shape[:2])
    smaller = cv2.resize(array, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, np.float32).reshape(height, width, -1)
