"""A picture through a network that knows RGB only, and to another size after it.

Colours under transparent pixels are arbitrary, yet the network looks at them where it enlarges the
edge: the nearest visible colours take their place first. Alpha is enlarged as a grey image. The
network may add texture or overshoot even where it is constant, so the result is kept between the
smallest and the largest alpha of the 3 x 3 pixels around: what was fully transparent or fully
opaque, away from edges, stays exactly so.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
from PIL import Image as Pillow

from esrgan.data import Picture
from esrgan.types import Floats, Pixels

if TYPE_CHECKING:
    from esrgan.inference import Enlarger  # only its name: torch takes seconds to import


def enlarge(
    picture: Picture, upscaler: "Enlarger", *, progress: Callable[[int], None] | None = None
) -> Picture:
    """The picture, `upscaler.scale` times larger in each direction.

    Grey is the mean of the network's three channels. Alpha that varies takes the network a second
    time, of which `progress` is not told.
    """
    colour, sr_alpha = picture.colour, None
    if picture.alpha is not None:
        colour = extend_colours(colour, picture.alpha)
        sr_alpha = enlarge_alpha(picture.alpha, upscaler)
    sr = upscaler(colour, progress=progress)
    if picture.is_grey:
        sr = cast("Pixels", np.repeat(mean_of_channels(sr)[..., None], 3, axis=2))
    return replace(picture, colour=sr, alpha=sr_alpha)


def enlarge_alpha(alpha: Pixels, upscaler: "Enlarger") -> Pixels:
    """(H, W) in, (H·scale, W·scale) out; constant alpha needs no network."""
    height, width = (upscaler.scale * side for side in alpha.shape)
    if alpha.min() == alpha.max():
        return np.full((height, width), alpha[0, 0], alpha.dtype)
    sr = mean_of_channels(upscaler(cast("Pixels", np.repeat(alpha[..., None], 3, axis=2))))
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


def extend_colours(colour: Pixels, alpha: Pixels) -> Pixels:
    """The colours (H, W, 3), and where alpha (H, W) is 0 a smooth continuation of those around."""
    if not alpha.any() or alpha.all():
        return colour
    weights = alpha.astype(np.float32)[..., None]
    continued = np.rint(_fill(colour * weights, weights)).astype(colour.dtype)
    return cast("Pixels", np.where(alpha[..., None] == 0, continued, colour))


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


def resize(picture: Picture, *, height: int, width: int) -> Picture:
    """The picture of another size, by Lanczos of three lobes, widened where it shrinks.

    One channel at a time is in floating point, so that memory is for hardly more than the result.
    """
    if picture.colour.shape[:2] == (height, width):
        return picture
    colour = np.empty((height, width, 3), picture.colour.dtype)
    for channel in range(3):
        colour[..., channel] = _resize(picture.colour[..., channel], height, width)
    alpha = None if picture.alpha is None else _resize(picture.alpha, height, width)
    return replace(picture, colour=colour, alpha=alpha)


def _resize(channel: Pixels, height: int, width: int) -> Pixels:
    exact = Pillow.fromarray(channel.astype(np.float32))
    resized = np.asarray(exact.resize((width, height), Pillow.Resampling.LANCZOS))
    pixels = np.rint(resized).clip(0, np.iinfo(channel.dtype).max)
    return cast("Pixels", pixels.astype(channel.dtype))
