"""A picture that shows, crop by crop, what methods make of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from esrgan.evaluation.benchmark import Comparison
from esrgan.evaluation.color import Image

_MARGIN = 16
_GAP = 8
_HEADER = 34
_CAPTION = 30
_BACKGROUND = (255, 255, 255)
_TEXT = (32, 32, 32)
_QUIET_TEXT = (112, 112, 112)


@dataclass(frozen=True)
class SheetRow:
    """Crops of one size by column, from left to right, and the text under some of them."""

    crops: Mapping[str, Image]
    captions: Mapping[str, str]


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


def comparison_sheet(rows: Sequence[SheetRow], *, zoom: int = 3) -> Image:
    """The rows below each other; the columns' names at the top. Each pixel is shown `zoom` wide.

    Raises:
        ValueError: there is no row, or the rows have different columns.
    """
    if len({tuple(row.crops) for row in rows}) != 1:
        raise ValueError("a sheet needs one row or more, all with the same columns")
    columns = list(rows[0].crops)
    cell = zoom * max(max(crop.shape[:2]) for row in rows for crop in row.crops.values())
    width = 2 * _MARGIN + len(columns) * (cell + _GAP) - _GAP
    height = _MARGIN + _HEADER + len(rows) * (cell + _CAPTION)
    sheet = Pillow.new("RGB", (width, height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(columns):
        left = _MARGIN + column * (cell + _GAP)
        _write(draw, name, (left, _MARGIN), size=18, colour=_TEXT, width=cell)
        for index, row in enumerate(rows):
            top = _MARGIN + _HEADER + index * (cell + _CAPTION)
            crop = row.crops[name]
            enlarged = np.ascontiguousarray(crop.repeat(zoom, axis=0).repeat(zoom, axis=1))
            sheet.paste(Pillow.fromarray(enlarged), (left, top))
            caption = row.captions.get(name, "")
            _write(draw, caption, (left, top + cell + 6), size=14, colour=_QUIET_TEXT, width=cell)
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
    """Centred in `width` pixels; a longer text loses its end."""
    font = ImageFont.load_default(size)
    if draw.textlength(text, font) > width:
        while text and draw.textlength(f"{text}…", font) > width:
            text = text[:-1]
        text = f"{text}…"
    left = corner[0] + (width - draw.textlength(text, font)) / 2
    draw.text((left, corner[1]), text, fill=colour, font=font)
