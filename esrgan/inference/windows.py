"""Rectangles of an image, and how an image is divided into them."""

from itertools import count
from typing import NamedTuple, Self


class Window(NamedTuple):
    """A rectangle in pixels; the ends are behind its last row and column."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def scaled(self, scale: int) -> Self:
        """The same rectangle of the image that is `scale` times as large."""
        return type(self)(*(scale * edge for edge in self))

    def in_cells(self, multiple: int) -> Self:
        """The squares of `multiple` pixels that it touches, as a rectangle of these."""
        top, bottom, left, right = self
        ends = -(-bottom // multiple), -(-right // multiple)
        return type(self)(top // multiple, ends[0], left // multiple, ends[1])

    def seen_from(self, other: Self) -> Self:
        """Counted from the corner of a window around it."""
        rows, columns = (edge - other.top for edge in self[:2]), (e - other.left for e in self[2:])
        return type(self)(*rows, *columns)

    def grown(self, pixels: int, *, within: Self) -> Self:
        """With more pixels on each side, as far as the image has them."""
        return type(self)(
            max(self.top - pixels, within.top),
            min(self.bottom + pixels, within.bottom),
            max(self.left - pixels, within.left),
            min(self.right + pixels, within.right),
        )

    def split(self, side: int, *, multiple: int) -> list[Self]:
        """Windows of about equal size that make up this one, no side of them longer than `side`.

        They begin at multiples of `multiple`, as this one does; `side` must not be less than it.
        """
        rows = _parts(self.top, self.bottom, side, multiple)
        columns = _parts(self.left, self.right, side, multiple)
        return [type(self)(*row, *column) for row in rows for column in columns]


def _parts(begin: int, end: int, side: int, multiple: int) -> list[tuple[int, int]]:
    cells = -(-(end - begin) // multiple)
    number = -(-cells // (side // multiple))
    cuts = [begin + cells * part // number * multiple for part in range(number)]
    return list(zip(cuts, [*cuts[1:], end], strict=True))


def side_for(image: Window, pixels: int, *, overlap: int, multiple: int, smallest: int) -> int:
    """The longest side of tiles that have at most `pixels` with their overlap, or `smallest`."""
    longest = max(image.height, image.width)
    for parts in count(1):
        side = -(-longest // (parts * multiple)) * multiple
        tiles = (tile.grown(overlap, within=image) for tile in image.split(side, multiple=multiple))
        if side <= smallest or max(tile.height * tile.width for tile in tiles) <= pixels:
            return side
    raise AssertionError("unreachable: sides become shorter")
