"""Which versions of an image are stored: itself, and reduced ones of it."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL.Image import Resampling, fromarray

from esrgan.types import Image

_FACTORS = (0.75, 0.5, 1 / 3)
_SHORTER_SIDE = 400

REDUCED = tuple(f"T{number}" for number in range(len(_FACTORS) + 1))
"""What is appended to the key of an image for its reduced versions."""


class Version(NamedTuple):
    """An image as it is, or a reduced one: its size, and what is appended to the key."""

    suffix: str
    height: int
    width: int

    def make(self, image: Image) -> Image:
        if not self.suffix:
            return image
        reduced = fromarray(image).resize((self.width, self.height), Resampling.LANCZOS)
        return np.asarray(reduced)


def versions(height: int, width: int, *, multi_scale: bool) -> Iterator[Version]:
    """The image itself, and with `multi_scale` those that Real-ESRGAN makes of it.

    T0 to T2 have 3/4, 1/2 and 1/3 of its size, T3 has a shorter side of 400; sides are rounded
    down. A version without pixels, or one that would not be smaller, there is none of.
    """
    yield Version("", height, width)
    if not multi_scale:
        return
    sizes = [(int(height * factor), int(width * factor)) for factor in _FACTORS]
    ratio = max(height, width) / min(height, width)
    longer = int(_SHORTER_SIDE * ratio)
    sizes.append((longer, _SHORTER_SIDE) if width < height else (_SHORTER_SIDE, longer))
    for suffix, size in zip(REDUCED, sizes, strict=True):
        if 0 < min(size) < min(height, width):
            yield Version(suffix, *size)
