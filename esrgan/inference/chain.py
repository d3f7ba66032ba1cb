"""Several networks on one image, one after another: the first cleans, the next enlarges."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from esrgan.inference.upscaler import Upscaler
from esrgan.types import Pixels

_BETWEEN = np.dtype(np.float32)


class Enlarger(Protocol):
    """What makes an image larger: an `Upscaler`, or a `Chain` of some."""

    @property
    def scale(self) -> int: ...

    def __call__(
        self, pixels: Pixels, *, progress: Callable[[int], None] | None = None
    ) -> Pixels: ...


class Link(NamedTuple):
    """A network of a chain; its name is for messages."""

    name: str
    upscaler: Upscaler


class Chain:
    """Makes images larger by several networks, each of which gets what the one before it made.

    Between them are float32 numbers, clamped to [0, 1] as in a file, but never rounded: only the
    result is. Each network has its own tiles.

    Args:
        links: in their order, one or more.
    """

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = links
        self.scale = math.prod(link.upscaler.scale for link in links)

    def __call__(self, pixels: Pixels, *, progress: Callable[[int], None] | None = None) -> Pixels:
        """As `Upscaler.__call__`; `progress` counts the pixels that each network gets alike.

        Raises:
            ValueError: as there; names the network.
        """
        count = _Count(pixels, self._links, progress)
        last = len(self._links) - 1
        sr = pixels
        for number, (name, upscaler) in enumerate(self._links):
            dtype = pixels.dtype if number == last else _BETWEEN
            try:
                sr = upscaler.enlarge(sr, dtype=dtype, progress=count.add)
            except ValueError as error:
                raise type(error)(f"{name}: {error}") from error
        return sr


class _Count:
    """From pixels that networks are done with to those of the first one's image, H * W in all."""

    def __init__(
        self, pixels: Pixels, links: Sequence[Link], progress: Callable[[int], None] | None
    ) -> None:
        self._size = pixels.shape[0] * pixels.shape[1]
        self._all, scale = 0, 1
        for link in links:
            self._all += self._size * scale**2
            scale *= link.upscaler.scale
        self._done, self._told, self._progress = 0, 0, progress

    def add(self, num_pixels: int) -> None:
        self._done += num_pixels
        now = self._size * self._done // self._all
        if self._progress is not None:
            self._progress(now - self._told)
        self._told = now
