"""A picture that shows, crop by crop, what methods make of images."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from esrgan.evaluation.benchmark import Comparison
from esrgan.evaluation.color import Image

_MARGIN = 16
_GAP = 8
_NAMES = 40
_LINE = 28
_CAPTION = 36
_NAME_SIZE, _TEXT_SIZE, _SMALLEST_SIZE = 24, 19, 14
_BACKGROUND = (255, 255, 255)
_TEXT = (32, 32, 32)
_QUIET_TEXT = (112, 112, 112)
_MARKED_TEXT = (204, 0, 0)


@dataclass(frozen=True)
class SheetRow:
    """Crops of one size by column, from left to right, and the text under some of them."""

    crops: Mapping[str, Image]
    captions: Mapping[str, str]


@dataclass(frozen=True)
class HeaderLine:
    """Above the first column what the line is about, above others their text; `marked` is red."""

    label: str
    texts: Mapping[str, str]
    marked: Collection[str] = ()


def comparison_row(comparison: Comparison, *, metric: str, crop_size: int = 96) -> SheetRow:
    """LQ (its pixels enlarged), every method and GT, where they differ most.

    The captions are the image's name and each method's value of `metric` on the whole image.
    """
    full = {**comparison.outputs, "GT": comparison.gt}
    top, left = most_different_window(list(full.values()), crop_size)
    window = np.s_[top : top + crop_size, left : left + crop_size]
    scale = comparison.gt.shape[0] // comparison.lq.shape[0]
    enlarged = comparison.lq.repeat(scale, axis=0).repeat(scale, axis=1)
    captions = {s.method: f"{metric} {s.values[metric]:.2f}" for s in comparison.scores}
    return SheetRow(
        crops={name: image[window].copy() for name, image in {"LQ": enlarged, **full}.items()},
        captions={"LQ": comparison.key, **captions},
    )


def most_different_window(images: Sequence[Image], size: int) -> tuple[int, int]:
    """Top and left of the square in which the images' grey values range most.

    With the ground truth among them, that is where there is detail which some of them miss. Of
    equal squares the first; (0, 0) where the square is not smaller than the image.
    """
    grey = np.stack([image.mean(axis=2) for image in images])
    # A summed-area table: the sum over any square is a combination of its four corners.
    table = cv2.integral(np.ptp(grey, axis=0))
    height, width = (min(size, side) for side in grey.shape[1:])
    sums = table[height:, width:] - table[height:, :-width]
    sums += table[:-height, :-width] - table[:-height, width:]
    top, left = np.unravel_index(np.argmax(sums), sums.shape)
    return int(top), int(left)


def comparison_sheet(
    rows: Sequence[SheetRow], *, zoom: int = 3, header: Sequence[HeaderLine] = ()
) -> Image:
    """The rows below each other, each pixel `zoom` wide.

    At the top are the columns' names, and below them the lines of `header`.

    Raises:
        ValueError: there is no row, or the rows have different columns.
    """
    if len({tuple(row.crops) for row in rows}) != 1:
        raise ValueError("a sheet needs one row or more, all with the same columns")
    columns = list(rows[0].crops)
    cell = zoom * max(max(crop.shape[:2]) for row in rows for crop in row.crops.values())
    first = _MARGIN + _NAMES + (len(header) * _LINE + _GAP if header else 0)
    width = 2 * _MARGIN + len(columns) * (cell + _GAP) - _GAP
    sheet = Pillow.new("RGB", (width, first + len(rows) * (cell + _CAPTION)), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(columns):
        left = _MARGIN + column * (cell + _GAP)
        _write(draw, name, (left, _MARGIN), size=_NAME_SIZE, colour=_TEXT, width=cell)
        for index, line in enumerate(header):
            corner = (left, _MARGIN + _NAMES + index * _LINE)
            text = line.texts.get(name, "") if column else line.label
            colour = _MARKED_TEXT if name in line.marked else _TEXT if column else _QUIET_TEXT
            _write(draw, text, corner, size=_TEXT_SIZE, colour=colour, width=cell)
        for index, row in enumerate(rows):
            top = first + index * (cell + _CAPTION)
            crop = row.crops[name]
            enlarged = np.ascontiguousarray(crop.repeat(zoom, axis=0).repeat(zoom, axis=1))
            sheet.paste(Pillow.fromarray(enlarged), (left, top))
            corner = (left, top + cell + 5)
            caption = row.captions.get(name, "")
            _write(draw, caption, corner, size=_TEXT_SIZE, colour=_QUIET_TEXT, width=cell)
    return np.asarray(sheet, dtype=np.uint8)


def _write(
    draw: ImageDraw.ImageDraw,
    text: str,
    corner: tuple[int, int],
    *,
    size: int,
    colour: tuple[int, int, int],
    width: int,
) -> None:
    """Centred in `width` pixels. A longer text is written smaller, and then loses its middle."""
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
