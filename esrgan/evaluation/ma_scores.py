"""The perceptual index of the PIRM challenge (Blau et al., 2018), and the scores that it needs.

Only the MATLAB code of Ma et al. (2017) computes theirs, so they come from a file.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from esrgan.evaluation.benchmarks import BenchmarkResult, Comparison
from esrgan.evaluation.metrics import METRICS, Measure, Metric, Resources


def _refuse(_: Resources) -> Measure:
    raise ValueError("MA and PI need scores from a file: evaluate.py --metrics PI --ma-scores FILE")


_from_file = partial(Metric, digits=2, load=_refuse, needs_reference=False)
MA = _from_file(name="MA", larger_is_better=True, about="score of Ma et al. 2017, from a file")
PI = _from_file(name="PI", larger_is_better=False, about="((10 - MA) + NIQE) / 2 (PIRM 2018)")
DERIVED = {"MA": MA, "PI": PI}
"""By their names, as `METRICS` are."""

NIQE, RMSE_Y = METRICS["NIQE"], METRICS["RMSE-Y"]

REGIONS = {"R1": 11.5, "R2": 12.5, "R3": 16.0}
"""The largest RMSE that a region of the challenge admits; methods are compared within one."""

_KEYS = ("image", "method", "score")
_RULE = f"needs {', '.join(_KEYS)} (a number), and may have benchmark"


def perceptual_index(*, ma: float, niqe: float) -> float:
    """Of an image, whose score of Ma et al. is from 0 to 10; or of the means over some images."""
    return ((10 - ma) + niqe) / 2


def pirm_region(rmse: float) -> str | None:
    """The name of the region, if there is one for such an RMSE."""
    return next((name for name, largest in REGIONS.items() if rmse <= largest), None)


def with_parts(metrics: Sequence[Metric]) -> list[Metric]:
    """And what PI is made of, where it is among them."""
    return [*metrics, *(m for m in (NIQE, MA) if PI in metrics and m not in metrics)]


def with_regions(result: BenchmarkResult) -> BenchmarkResult:
    """Its protocol says in which region of PIRM a method is that has both of its measures."""
    described = {}
    for method, row in result.means().items():
        if {PI, RMSE_Y} <= set(row):
            region = pirm_region(row[RMSE_Y])
            limit = f" (RMSE-Y at most {REGIONS[region]:g})" if region else ""
            described[f"PIRM region of {method}"] = f"{region or 'none'}{limit}"
    return replace(result, protocol={**result.protocol, **described})


class MaScores:
    """A score for each image and method. Rows that name a `benchmark` are for that one only."""

    def __init__(self, path: Path) -> None:
        """Reads CSV with the columns image, method, score, or JSON: a list of such objects.

        A ValueError names the file and the entry that cannot be used.
        """
        self._path = path
        self._scores: dict[tuple[str, str, str], float] = {}
        for number, row in enumerate(_rows(path), start=1):
            try:
                image, method, score = (row[key] for key in _KEYS)
                value = float(score)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}, entry {number}: {_RULE}") from error
            key = (str(row.get("benchmark") or ""), str(image), str(method))
            if not 0 <= value <= 10 or key in self._scores:
                raise ValueError(
                    f"{path}, entry {number}: one score from 0 to 10 for each image and method, "
                    f"but this is {value:g} for {method} on {image}"
                )
            self._scores[key] = value

    def find(self, benchmark: str, image: str, method: str) -> float | None:
        anywhere = self._scores.get(("", image, method))
        return self._scores.get((benchmark, image, method), anywhere)

    def check(self, benchmark: str, images: Iterable[str], methods: Iterable[str]) -> None:
        """Raise a ValueError if a score is missing."""
        for image, method in product(images, methods):
            if self.find(benchmark, image, method) is None:
                raise ValueError(
                    f"{self._path} has no score of {method} on {image} ({benchmark}): add a row"
                )

    def complete(
        self, benchmark: str, comparisons: Iterable[Comparison], metrics: Sequence[Metric]
    ) -> Iterator[Comparison]:
        """The comparisons with MA and PI: of all values those of `metrics`, in their order.

        What has no score of Ma et al. (it may be missing for the ground truth) has neither.
        """
        for comparison in comparisons:
            scores = []
            for score in comparison.scores:
                values = dict(score.values)
                ma = self.find(benchmark, score.image, score.method)
                if ma is not None:
                    values[MA] = ma
                    if NIQE in values:
                        values[PI] = perceptual_index(ma=ma, niqe=values[NIQE])
                values = {metric: values[metric] for metric in metrics if metric in values}
                scores += [replace(score, values=values)] if values else []
            yield replace(comparison, scores=tuple(scores))


def _rows(path: Path) -> Iterable[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be CSV or JSON, and is no text") from error
    if not text.lstrip().startswith(("[", "{")):
        return csv.DictReader(text.splitlines(), skipinitialspace=True)
    try:
        content: object = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} is broken: {error}") from error
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise ValueError(f"{path} must be a list of objects: each {_RULE}")
    return content
