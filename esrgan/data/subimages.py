"""Cutting large images into overlapping squares, which are read faster at random."""

from collections.abc import Iterator
from typing import NamedTuple

from esrgan.data.pairs import Pair


class SubImages(NamedTuple):
    """Squares of `size`, one every `step`; both count gt pixels."""

    size: int
    step: int

    def check(self, scale: int) -> None:
        """Raises ValueError if an lq square would not consist of whole pixels."""
        for name, value in (("sub-image size", self.size), ("sub-image step", self.step)):
            if value < 1 or value % scale:
                nearest = max(round(value / scale), 1) * scale
                raise ValueError(
                    f"{name} ({value}) must be a multiple of scale ({scale}): use {nearest}"
                )

    def cut(self, pair: Pair, scale: int) -> Iterator[Pair]:
        """The squares of a pair, row by row.

        Where the last square of a row or column does not reach the edge, one more is aligned with
        it, as BasicSR does, so that every pixel is used.

        Raises:
            ValueError: the gt image is smaller than a square.
        """
        height, width = pair.gt.shape[:2]
        if min(height, width) < self.size:
            raise ValueError(f"{height}x{width} is smaller than the sub-image size ({self.size})")
        for top in _starts(height, self):
            for left in _starts(width, self):
                yield Pair(
                    lq=pair.lq[
                        top // scale : (top + self.size) // scale,
                        left // scale : (left + self.size) // scale,
                    ],
                    gt=pair.gt[top : top + self.size, left : left + self.size],
                )


def _starts(length: int, squares: SubImages) -> list[int]:
    last = length - squares.size
    starts = list(range(0, last + 1, squares.step))
    return starts if starts[-1] == last else [*starts, last]
