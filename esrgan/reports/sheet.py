"""A picture that shows, crop by crop, what methods make of images."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from esrgan.errors import suggestion
from esrgan.evaluation.benchmarks import LQ, Benchmark, Comparison
from esrgan.evaluation.metrics import Metric
from esrgan.types import Image

NUM_IMAGES, CROP_SIZE = 5, 96
_METRICS_PER_LINE = 2  # so many are legible below a crop
MARGIN, GAP = 16, 8
_NAMES, _LINE = 40, 28  # heights, of the columns' names and of each line of the header
CAPTION, CAPTION_LINE = 36, 24  # of a caption of one line, and of each further line
BACKGROUND, _FRAME = (255, 255, 255), (255, 32, 32)
_SMALLEST_SIZE = 14

_Style = tuple[int, tuple[int, int, int]]
"""Size and colour of a text."""

_NAME: _Style = (24, (32, 32, 32))
_TEXT: _Style = (19, (32, 32, 32))
_QUIET: _Style = (19, (112, 112, 112))
_MARKED: _Style = (19, (204, 0, 0))

Box = tuple[int, int, int, int]
"""Top, left, bottom, right."""


class Origin(NamedTuple):
    """Where the crops of a row are from: in `image` the rectangle of `box`."""

    name: str
    image: Image
    box: Box


@dataclass(frozen=True)
class SheetRow:
    """Crops of one size by column, from left to right, and the text, of some lines, under some.

    If there is an `origin`, it is shown in a column before these.
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


class Crop(NamedTuple):
    """A square of an image, in pixels of the ground truth; `at` is its top and left, if chosen."""

    image: str
    size: int = CROP_SIZE
    at: tuple[int, int] | None = None

    @classmethod
    def parse(cls, text: str, size: int) -> "Crop":
        """IMAGE:TOP,LEFT or IMAGE:TOP,LEFT,SIZE."""
        image, _, place = text.rpartition(":")
        try:
            top, left, *chosen = map(int, place.split(","))
            (side,) = chosen or [size]
        except ValueError as error:
            raise ValueError(
                f"--crop-at {text} must be IMAGE:TOP,LEFT or IMAGE:TOP,LEFT,SIZE"
            ) from error
        return cls(image, side, (top, left))

    def box(self, height: int, width: int) -> Box:
        """Where it is in an image of these sides, if it is; one larger than the image is all."""
        (top, left), size = self.at or (0, 0), self.size
        rows, columns = min(size, height), min(size, width)
        if size < 1 or not (0 <= top <= height - rows and 0 <= left <= width - columns):
            raise ValueError(
                f"a crop of {size} pixels from top {top}, left {left} must lie inside {self.image} "
                f"(height {height}, width {width}): of {rows}x{columns} pixels, top can be 0 to "
                f"{height - rows} and left 0 to {width - columns}"
            )
        return top, left, top + rows, left + columns


Crops = Mapping[tuple[str, str], Sequence[Crop]]
"""By benchmark and image."""


def choose_crops(
    benchmarks: Sequence[Benchmark],
    *,
    images: Sequence[str] | None,
    crop_at: Sequence[str] | None,
    size: int,
) -> Crops:
    """As the options of evaluate.py say; by default of the first `NUM_IMAGES` of each benchmark.

    What would be refused once its image is reached is refused here.
    """
    crops = [Crop.parse(text, size) for text in crop_at or ()]
    crops += [Crop(image, size) for image in images or ()]
    if not crops:
        return {(b.name, key): [Crop(key, size)] for b in benchmarks for key in b.keys[:NUM_IMAGES]}
    chosen: dict[tuple[str, str], list[Crop]] = {}
    for crop in crops:
        having = [benchmark for benchmark in benchmarks if crop.image in benchmark.keys]
        if not having:
            known = {key for benchmark in benchmarks for key in benchmark.keys}
            raise ValueError(f"{crop.image} is no image there: {suggestion(crop.image, known)}")
        for benchmark in having:
            crop.box(*benchmark.gt_sizes()[crop.image])
            chosen.setdefault((benchmark.name, crop.image), []).append(crop)
    return chosen


def comparison_row(comparison: Comparison, crop: Crop, *, metrics: Sequence[Metric]) -> SheetRow:
    """LQ (its pixels enlarged), every method and GT, below what the metrics say of whole images.

    The crop is by default where the images differ most; of a smaller image, it is all.
    """
    if crop.size < 1:
        raise ValueError(f"crop_size ({crop.size}) must be at least 1")
    images = comparison.images()
    full = [image for name, image in images.items() if name != LQ]
    if crop.at is None:
        crop = crop._replace(at=most_different_window(full, crop.size))
    top, left, bottom, right = box = crop.box(*comparison.gt.shape[:2])
    scale = comparison.gt.shape[0] // comparison.lq.shape[0]
    images[LQ] = comparison.lq.repeat(scale, axis=0).repeat(scale, axis=1)
    return SheetRow(
        crops={name: image[top:bottom, left:right].copy() for name, image in images.items()},
        captions=_captions(comparison, metrics),
        origin=Origin(comparison.key, comparison.gt, box),
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


def _captions(comparison: Comparison, metrics: Sequence[Metric]) -> dict[str, str]:
    known = dict.fromkeys(metric for score in comparison.scores for metric in score.values)
    for metric in metrics:
        if metric not in known:
            measured = ", ".join(other.name for other in known)
            raise ValueError(f"{metric.name} was not measured: choose among {measured}")
    captions = {}
    for score in comparison.scores:
        texts = [f"{m.name} {m.text(score.values[m])}" for m in metrics if m in score.values]
        lines = range(0, len(texts), _METRICS_PER_LINE)
        captions[score.method] = "\n".join(
            " · ".join(texts[line : line + _METRICS_PER_LINE]) for line in lines
        )
    return captions


def comparison_sheet(
    rows: Sequence[SheetRow], *, zoom: int = 3, header: Sequence[HeaderLine] = ()
) -> Image:
    """The rows below each other, each pixel `zoom` wide, below the columns' names and the header.

    Raises:
        ValueError: there is no row, or the rows have different columns.
    """
    if len({(tuple(row.crops), row.origin is None) for row in rows}) != 1:
        raise ValueError("a sheet needs one row or more, all with the same columns")
    cell = zoom * max(max(crop.shape[:2]) for row in rows for crop in row.crops.values())
    first = MARGIN + _NAMES + (len(header) * _LINE + GAP if header else 0)
    lines = max(len(text.split("\n")) for row in rows for text in [*row.captions.values(), ""])
    below = CAPTION + (lines - 1) * CAPTION_LINE
    columns = [*rows[0].crops]
    if rows[0].origin:
        columns.insert(0, "")
    width = 2 * MARGIN + len(columns) * (cell + GAP) - GAP
    sheet = Pillow.new("RGB", (width, first + len(rows) * (cell + below)), BACKGROUND)
    for number, name in enumerate(columns):
        left = MARGIN + number * (cell + GAP)
        _write(sheet, name, (left, MARGIN), _NAME, width=cell)
        for line, words in enumerate(header):
            text = words.texts.get(name, "") if number else words.label
            style = _MARKED if name in words.marked else _TEXT if number else _QUIET
            _write(sheet, text, (left, MARGIN + _NAMES + line * _LINE), style, width=cell)
        for index, row in enumerate(rows):
            corner = (left, first + index * (cell + below))
            if row.origin and number == 0:
                image, caption = _draw_origin(row.origin, cell), row.origin.name
            else:
                image = row.crops[name].repeat(zoom, axis=0).repeat(zoom, axis=1)
                caption = row.captions.get(name, "")
            draw_cell(sheet, image, caption, corner, size=(cell, cell))
    return np.asarray(sheet, dtype=np.uint8)


def _draw_origin(origin: Origin, side: int) -> Image:
    """The whole image as large as a cell allows, with a frame around the crop."""
    height, width = origin.image.shape[:2]
    factor = side / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    image = Pillow.fromarray(origin.image).resize(size, Pillow.Resampling.LANCZOS)
    top, left, bottom, right = (round(edge * factor) for edge in origin.box)
    frame = (left, top, max(right, left + 1) - 1, max(bottom, top + 1) - 1)
    ImageDraw.Draw(image).rectangle(frame, outline=_FRAME, width=3)
    return np.asarray(image, dtype=np.uint8)


def draw_cell(
    sheet: Pillow.Image,
    image: Image,
    caption: str,
    corner: tuple[int, int],
    *,
    size: tuple[int, int],
) -> None:
    """An image in the middle of `size` (width, height), and the lines of its caption below."""
    (left, top), (width, height) = corner, size
    aside = (width - image.shape[1]) // 2
    sheet.paste(Pillow.fromarray(np.ascontiguousarray(image)), (left + aside, top))
    for index, line in enumerate(caption.split("\n")):
        below = (left, top + height + 5 + index * CAPTION_LINE)
        _write(sheet, line, below, _QUIET, width=width)


def _write(
    sheet: Pillow.Image, text: str, corner: tuple[int, int], style: _Style, *, width: int
) -> None:
    """Centred in `width` pixels. A longer text is written smaller, and then loses its middle."""
    draw = ImageDraw.Draw(sheet)
    size, colour = style
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
