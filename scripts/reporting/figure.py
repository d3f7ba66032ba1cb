"""What runs make of images, laid out as the paper's figure of its ablation (figure 8)."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from esrgan.data import Image
from esrgan.evaluation import (
    Comparison,
    Method,
    SheetRow,
    compare,
    comparison_sheet,
    most_different_window,
    standard_metrics,
)
from esrgan.evaluation.sheet import HeaderLine
from esrgan.inference import upscale
from esrgan.weights import Generator
from reporting.differences import find_differences
from reporting.metrics import metric_label, metric_text
from reporting.runs import Run
from reporting.subject import Subject

GT = "GT"
CELL = 288  # pixels of the picture that a crop should measure at least, for the text above it


class Layout(NamedTuple):
    """How a figure looks.

    Attributes:
        metrics: below the crops, each of the whole image.
        crop_size: of the squares, in pixels of the ground truth.
        num_rows: so many images, those whose crops differ most; None: all of them.
    """

    metrics: Sequence[str]
    crop_size: int
    num_rows: int | None


class Found(NamedTuple):
    """A row, and by how many grey levels its crops differ."""

    row: SheetRow
    difference: float


def draw_figure(subject: Subject, layout: Layout) -> Image:
    """A column for the ground truth and for each run that has weights, a row for each image."""
    runs = [run for run in subject.runs if run.name in subject.networks]
    try:
        found = list(_find_rows(subject, layout))
    except torch.OutOfMemoryError as error:
        raise ValueError("an image needs more memory than the GPU has: try --device cpu") from error
    by_difference = sorted(range(len(found)), key=lambda index: -found[index].difference)
    rows = [found[index].row for index in sorted(by_difference[: layout.num_rows])]
    side = max(max(row.crops[GT].shape[:2]) for row in rows)  # images may be smaller than crops
    return comparison_sheet(rows, zoom=-(-CELL // side), header=header_lines(runs))


def header_lines(runs: Sequence[Run]) -> list[HeaderLine]:
    """A line for each setting that differs, in red where it is not that of the run to the left."""
    names = [run.name for run in runs]
    lines = []
    for difference in find_differences([run.settings for run in runs]):
        texts = dict(zip(names, difference.texts(), strict=True))
        pairs = zip(names[1:], pairwise(difference.values), strict=True)
        marked = {name for name, (before, value) in pairs if value != before}
        lines.append(HeaderLine(difference.label, texts, marked))
    return lines


def _find_rows(subject: Subject, layout: Layout) -> Iterator[Found]:
    methods = {name: _method(network) for name, network in subject.networks.items()}
    known = standard_metrics(crop=subject.scale)
    metrics = {name: known[metric_label(name)] for name in layout.metrics}
    for selection in subject.selections:
        benchmark = selection.benchmark.name
        for comparison in compare(methods, selection, metrics):
            print(f"{benchmark}: {comparison.key}", file=sys.stderr)
            captions = {
                score.method: ", ".join(
                    f"{metric_label(name)} {metric_text(name, value)}"
                    for name, value in score.values.items()
                )
                for score in comparison.scores
            }
            captions[GT] = f"{comparison.key} ({benchmark})"
            yield _find_row(comparison, captions, layout.crop_size)


def _find_row(comparison: Comparison, captions: Mapping[str, str], crop_size: int) -> Found:
    images = {GT: comparison.gt, **comparison.outputs}
    top, left = most_different_window(list(images.values()), crop_size)
    window = np.s_[top : top + crop_size, left : left + crop_size]
    crops = {name: image[window].copy() for name, image in images.items()}
    grey = np.stack([crop.mean(axis=2) for crop in crops.values()])
    return Found(SheetRow(crops, captions), float(np.ptp(grey, axis=0).mean()))


def _method(network: Generator) -> Method:
    return lambda _key, lq: upscale(network, lq)
