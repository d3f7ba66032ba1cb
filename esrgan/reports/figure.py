"""What runs make of images, laid out as the paper's figure of its ablation (figure 8)."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from esrgan.evaluation import Method, border_of, compare, open_metrics
from esrgan.evaluation.benchmarks import GROUND_TRUTH as GT
from esrgan.reports.differences import find_differences
from esrgan.reports.sheet import HeaderLine, SheetRow, comparison_sheet, most_different_window
from esrgan.runs import RunRecord
from esrgan.types import Image, WholeImages

_CELL = 288  # pixels of the picture that a crop should measure at least, for the text above it


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What is shown, and how."""

    runs: Sequence[RunRecord]  # all of the report
    weights: Mapping[str, Path]  # of the runs that have any, by the run's name
    methods: Mapping[str, Method]  # what the networks of these weights make of an image
    scale: int  # of the networks
    pairs: WholeImages  # the images; their keys are written below them
    origins: Sequence[str]  # where these are from, in words
    metrics: Sequence[str]  # below the crops, each of the whole image
    crop_size: int  # of the squares, in pixels of the ground truth
    num_rows: int | None  # so many images, those whose crops differ most; None: all of them


def draw_figure(figure: Figure) -> Image:
    """A column for the ground truth and for each run that has weights, a row for each image."""
    rows = list(_rows(figure))
    by_difference = sorted(range(len(rows)), key=lambda index: -_difference(rows[index]))
    shown = [rows[index] for index in sorted(by_difference[: figure.num_rows])]
    side = max(max(row.crops[GT].shape[:2]) for row in shown)  # images may be smaller than crops
    header = header_lines([run for run in figure.runs if run.name in figure.methods])
    return comparison_sheet(shown, zoom=-(-_CELL // side), header=header)


def header_lines(runs: Sequence[RunRecord]) -> list[HeaderLine]:
    """A line for each setting that differs, in red where it is not that of the run to the left."""
    names = [run.name for run in runs]
    lines = []
    for difference in find_differences([run.settings for run in runs]):
        texts = dict(zip(names, difference.texts(), strict=True))
        pairs = zip(names[1:], pairwise(difference.values), strict=True)
        marked = {name for name, (before, value) in pairs if value != before}
        lines.append(HeaderLine(difference.label, texts, marked))
    return lines


def caption(figure: Figure) -> str:
    """What has to be known to read the figure, in Markdown."""
    lines = [
        f"Crops of {figure.crop_size} × {figure.crop_size} pixels, where they differ most. Below "
        f"them: {' and '.join(figure.metrics)} of the whole image, {figure.scale} pixels left out "
        "on each side. Red: settings that the run to the left had otherwise.\n",
        *(f"- Images: {origin}" for origin in figure.origins),
        *(f"- {name}: weights of {path.name}" for name, path in figure.weights.items()),
    ]
    left_out = [run.name for run in figure.runs if run.name not in figure.weights]
    if left_out:
        lines.append(f"- Not shown, as they have no weights yet: {', '.join(left_out)}")
    return "\n".join(lines)


def _rows(figure: Figure) -> Iterator[SheetRow]:
    metrics = open_metrics(figure.metrics, crop=border_of(figure.scale))
    for comparison in compare(figure.methods, figure.pairs, metrics):
        sys.stderr.write(f"{comparison.key}\n")
        captions = {GT: comparison.key}
        for score in comparison.scores:
            texts = [f"{metric.name} {metric.text(v)}" for metric, v in score.values.items()]
            captions[score.method] = ", ".join(texts)
        images = {GT: comparison.gt, **comparison.outputs}
        top, left = most_different_window(list(images.values()), figure.crop_size)
        window = np.s_[top : top + figure.crop_size, left : left + figure.crop_size]
        yield SheetRow({name: image[window].copy() for name, image in images.items()}, captions)


def _difference(row: SheetRow) -> float:
    """By how many grey levels the crops differ."""
    grey = np.stack([crop.mean(axis=2) for crop in row.crops.values()])
    return float(np.ptp(grey, axis=0).mean())
