"""Pictures in rows, each with lines of text below it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image as Pillow

from esrgan.reports.sheet import BACKGROUND, CAPTION, CAPTION_LINE, GAP, MARGIN, draw_cell
from esrgan.types import Image


class Cell(NamedTuple):
    """An image, no higher or wider than a cell, and its caption, of any number of lines."""

    image: Image
    caption: str


def draw_grid(cells: Sequence[Cell], *, columns: int) -> Image:
    """The cells from left to right, then the next row; a row is as high as its captions need.

    Raises:
        ValueError: there is no cell.
    """
    if not cells:
        raise ValueError("a grid needs at least one picture")
    cell_height, cell_width = (max(cell.image.shape[axis] for cell in cells) for axis in (0, 1))
    rows = [cells[first : first + columns] for first in range(0, len(cells), columns)]
    lines = [max(len(cell.caption.split("\n")) for cell in row) for row in rows]
    heights = [cell_height + CAPTION + (count - 1) * CAPTION_LINE + GAP for count in lines]
    width = 2 * MARGIN + min(columns, len(cells)) * (cell_width + GAP) - GAP
    grid = Pillow.new("RGB", (width, MARGIN + sum(heights)), BACKGROUND)
    top = MARGIN
    for row, height in zip(rows, heights, strict=True):
        for number, cell in enumerate(row):
            corner = (MARGIN + number * (cell_width + GAP), top)
            size = (cell_width, cell_height)
            draw_cell(grid, cell.image, cell.caption, corner, size=size)
        top += height
    return np.asarray(grid, dtype=np.uint8)


def enlarge_pixels(image: Image, factor: int) -> Image:
    """Every pixel as a square of so many."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)
