"""Methods on image pairs, scored by metrics: one row for each image and method, and their means."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

from esrgan.evaluation.color import Image

Metric = Callable[[Image, Image], float]
"""From the result (sr) and the ground truth (gt), of equal size, to a number."""

Method = Callable[[str, Image], Image]
"""From an image's key and its low-quality version (lq) to a result (sr).

A network ignores the key. A folder of results made elsewhere ignores lq.
"""


class Pairs(Protocol):
    """The images of a benchmark."""

    def __len__(self) -> int: ...

    def key(self, index: int) -> str:
        """The name of a pair, unique among them."""
        ...

    def read(self, index: int) -> tuple[Image, Image]:
        """The low-quality image and its ground truth."""
        ...


@dataclass(frozen=True)
class Score:
    """One method's result on one image; `values` has a number for each metric."""

    image: str
    method: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """What all methods made of one image, in the order of the methods."""

    key: str
    lq: Image
    gt: Image
    outputs: Mapping[str, Image]
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class BenchmarkResult:
    """The scores of a benchmark. `protocol` says in words how they were obtained."""

    name: str
    protocol: Mapping[str, str]
    scores: tuple[Score, ...]

    def means(self) -> dict[str, dict[str, float]]:
        """For each method and metric, the mean over the images of the per-image values.

        That is the convention of the field; the PSNR of the mean error would be another number.
        """
        grouped: dict[str, list[Mapping[str, float]]] = {}
        for score in self.scores:
            grouped.setdefault(score.method, []).append(score.values)
        return {
            method: {metric: fmean(row[metric] for row in rows) for metric in rows[0]}
            for method, rows in grouped.items()
        }


def compare(
    methods: Mapping[str, Method], pairs: Pairs, metrics: Mapping[str, Metric]
) -> Iterator[Comparison]:
    """Runs every method on every image, one image at a time.

    Raises:
        ValueError: a method or a metric refused an image; the message names both.
    """
    for index in range(len(pairs)):
        key = pairs.key(index)
        lq, gt = pairs.read(index)
        outputs: dict[str, Image] = {}
        scores = []
        for name, method in methods.items():
            try:
                sr = outputs[name] = method(key, lq)
                values = {label: metric(sr, gt) for label, metric in metrics.items()}
            except ValueError as error:
                raise ValueError(f"{name} on {key}: {error}") from error
            scores.append(Score(key, name, values))
        yield Comparison(key, lq, gt, outputs, tuple(scores))
