"""A picture through a network, and to another size after it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, cast

import numpy as np
from PIL import Image as Pillow

from esrgan.data import Picture, Pixels
from esrgan.upscaling.transparency import enlarge_alpha, extend_colours, mean_of_channels


class Upscaler(Protocol):
    """What `esrgan.inference.Upscaler` is."""

    @property
    def scale(self) -> int: ...

    def __call__(self, pixels: Pixels, *, progress: Callable[[int], None] | None = None) -> Pixels:
        """RGB (H, W, 3) in, (H·scale, W·scale, 3) out, of the same type."""
        ...


def enlarge(
    picture: Picture, upscaler: Upscaler, *, progress: Callable[[int], None] | None = None
) -> Picture:
    """The picture, `upscaler.scale` times larger in each direction.

    Grey is the mean of the network's three channels. Alpha that varies takes the network a second
    time, of which `progress` is not told.
    """
    colour, alpha = picture.colour, picture.alpha
    sr_alpha = None
    if alpha is not None:
        colour = extend_colours(colour, alpha)
        sr_alpha = _repeated(alpha, upscaler.scale)
        if sr_alpha is None:
            sr_alpha = enlarge_alpha(alpha, upscaler)
    sr = upscaler(colour, progress=progress)
    if picture.is_grey:
        sr = cast("Pixels", np.repeat(mean_of_channels(sr)[..., None], 3, axis=2))
    return replace(picture, colour=sr, alpha=sr_alpha)


def _repeated(alpha: Pixels, scale: int) -> Pixels | None:
    """Of alpha that is the same everywhere; else None."""
    if alpha.min() < alpha.max():
        return None
    height, width = alpha.shape
    return np.full((scale * height, scale * width), alpha[0, 0], alpha.dtype)


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
    largest = 255 if channel.dtype == np.uint8 else 65535
    return cast("Pixels", np.rint(resized).clip(0, largest).astype(channel.dtype))
