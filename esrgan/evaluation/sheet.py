"""A picture that shows, crop by crop, what methods make of images."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from esrgan.evaluation.color import Image

_MARGIN = 16
_GAP = 8
_NAMES = 40
_LINE = 28
_CAPTION, _CAPTION_LINE = 36, 24
_NAME_SIZE, _TEXT_SIZE, _SMALLEST_SIZE = 24, 19, 14
_BACKGROUND = (255, 255, 255)
_TEXT = (32, 32, 32)
_QUIET_TEXT = (112, 112, 112)
_MARKED_TEXT = (204, 0, 0)
_FRAME = (255, 32, 32)


class Origin(NamedTuple):
    """Where the crops of a row are from: in `image` the rectangle of `box`."""

    name: str
    image: Image
    box: tuple[int, int, int, int]  # top, left, bottom, right


@dataclass(frozen=True)
class SheetRow:
    """Crops of one size by column, from left to right, and the text under some of them.

    A text may have several lines. If there is an `origin`, it is shown in a column before these.
    """

    crops: Mapping[str, Image]
    captions: Mapping[str, str]
    origin: Origin | None = None


@dataclass(frozen=True)
class HeaderLine:
    """Above the first column what the line is about, above others their text; `marked` is red."""

    label: str
    texts: Mapping[str, str]
    marked: Collection[str] = ()


def comparison_sheet(
    rows: Sequence[SheetRow], *, zoom: int = 3, header: Sequence[HeaderLine] = ()
) -> Image:
    """The rows below each other, each pixel `zoom` wide.

    At the top are the columns' names, and below them the lines of `header`.

    Raises:
        ValueError: there is no row, or the rows have different columns.
    """
    if len({(tuple(row.crops), row.origin is None) for row in rows}) != 1:
        raise ValueError("a sheet needs one row or more, all with the same columns")
    cell = zoom * max(max(crop.shape[:2]) for row in rows for crop in row.crops.values())
    first = _MARGIN + _NAMES + (len(header) * _LINE + _GAP if header else 0)
    lines = max(len(text.split("\n")) for row in rows for text in [*row.captions.values(), ""])
    below = _CAPTION + (lines - 1) * _CAPTION_LINE
    columns = [*rows[0].crops]
    if rows[0].origin:
        columns.insert(0, "")
    width = 2 * _MARGIN + len(columns) * (cell + _GAP) - _GAP
    sheet = Pillow.new("RGB", (width, first + len(rows) * (cell + below)), _BACKGROUND)
    for number, name in enumerate(columns):
        left = _MARGIN + number * (cell + _GAP)
        _draw_header(sheet, name, header, left=left, width=cell, labels=number == 0)
        for index, row in enumerate(rows):
            corner = (left, first + index * (cell + below))
            if row.origin and number == 0:
                _draw_origin(sheet, row.origin, corner, side=cell)
            else:
                enlarged = row.crops[name].repeat(zoom, axis=0).repeat(zoom, axis=1)
                caption = row.captions.get(name, "")
                _draw_cell(sheet, enlarged, caption, corner, side=cell)
    return np.asarray(sheet, dtype=np.uint8)


def _draw_header(
    sheet: Pillow.Image,
    name: str,
    lines: Sequence[HeaderLine],
    *,
    left: int,
    width: int,
    labels: bool,
) -> None:
    _write(sheet, name, (left, _MARGIN), size=_NAME_SIZE, colour=_TEXT, width=width)
    for index, line in enumerate(lines):
        corner = (left, _MARGIN + _NAMES + index * _LINE)
        text = line.label if labels else line.texts.get(name, "")
        colour = _MARKED_TEXT if name in line.marked else _QUIET_TEXT if labels else _TEXT
        _write(sheet, text, corner, size=_TEXT_SIZE, colour=colour, width=width)


def _draw_origin(
    sheet: Pillow.Image, origin: Origin, corner: tuple[int, int], *, side: int
) -> None:
    """The whole image as large as a cell allows, with a frame around the crop."""
    height, width = origin.image.shape[:2]
    factor = side / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    image = Pillow.fromarray(origin.image).resize(size, Pillow.Resampling.LANCZOS)
    top, left, bottom, right = (round(edge * factor) for edge in origin.box)
    frame = (left, top, max(right, left + 1) - 1, max(bottom, top + 1) - 1)
    ImageDraw.Draw(image).rectangle(frame, outline=_FRAME, width=3)
    _draw_cell(sheet, np.asarray(image, dtype=np.uint8), origin.name, corner, side=side)


def _draw_cell(
    sheet: Pillow.Image, image: Image, caption: str, corner: tuple[int, int], *, side: int
) -> None:
    left, top = corner
    aside = (side - image.shape[1]) // 2
    sheet.paste(Pillow.fromarray(np.ascontiguousarray(image)), (left + aside, top))
    for index, line in enumerate(caption.split("\n")):
        below = (left, top + side + 5 + index * _CAPTION_LINE)
        _write(sheet, line, below, size=_TEXT_SIZE, colour=_QUIET_TEXT, width=side)


def _write(
    sheet: Pillow.Image,
    text: str,
    corner: tuple[int, int],
    *,
    size: int,
    colour: tuple[int, int, int],
    width: int,
) -> None:
    """Centred in `width` pixels. A longer text is written smaller, and then loses its middle."""
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size)
    baseline = corner[1] + size
    while size > _SMALLEST_SIZE and draw.textlength(text, font) > width:
        size -= 1
        font = ImageFont.load_default(size)
    shown = text
    for length in range(len(text) - 1, -1, -1):
        if draw.textlength(shown, font) <= width:
            break
        shown = f"{text[: length - length // 2]}…{text[len(text) - length // 2 :]}"
    left = corner[0] + (width - draw.textlength(shown, font)) / 2
    draw.text((left, baseline), shown, fill=colour, font=font, anchor="ls")
