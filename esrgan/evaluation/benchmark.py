"""Methods on image pairs, scored by metrics: one row for each image and method, and their means."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean
from typing import Protocol

from esrgan.evaluation.color import Image

Metric = Callable[[Image, Image], float]
"""From the result (sr) and the ground truth (gt), of equal size, to a number."""

NoReferenceMetric = Callable[[Image], float]
"""From an image to a number."""

Average = Callable[[Iterable[float]], float]

GROUND_TRUTH = "GT"
"""The method under which a ground truth is scored, by metrics that need no reference."""

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
    """One method's result on one image; `values` has a number for each metric.

    The ground truth has a score, too, as `GROUND_TRUTH`, where a metric needs no reference.
    """

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
    """The scores of a benchmark. `protocol` says in words how they were obtained.

    `averages` has the metrics whose mean over the images is another than the arithmetic one.
    """

    name: str
    protocol: Mapping[str, str]
    scores: tuple[Score, ...]
    averages: Mapping[str, Average] = field(default_factory=dict)

    def means(self) -> dict[str, dict[str, float]]:
        """For each method and metric, the mean over the images of the per-image values.

        That is the convention of the field; the PSNR of the mean error would be another number.
        A metric that a method lacks on some image has no mean.
        """
        grouped: dict[str, list[Mapping[str, float]]] = {}
        for score in self.scores:
            grouped.setdefault(score.method, []).append(score.values)
        return {
            method: {
                metric: self.averages.get(metric, fmean)([row[metric] for row in rows])
                for metric in rows[0]
                if all(metric in row for row in rows)
            }
            for method, rows in grouped.items()
        }


def compare(
    methods: Mapping[str, Method],
    pairs: Pairs,
    metrics: Mapping[str, Metric],
    no_reference: Mapping[str, NoReferenceMetric] | None = None,
) -> Iterator[Comparison]:
    """Runs every method on every image, one image at a time.

    Raises:
        ValueError: a method or a metric refused an image; the message names both.
    """
    blind = no_reference or {}
    for index in range(len(pairs)):
        key = pairs.key(index)
        lq, gt = pairs.read(index)
        outputs: dict[str, Image] = {}
        scores = []
        for name, method in methods.items():
            with _naming(name, key):
                sr = outputs[name] = method(key, lq)
                values = {label: metric(sr, gt) for label, metric in metrics.items()}
                values |= {label: metric(sr) for label, metric in blind.items()}
            scores.append(Score(key, name, values))
        if blind:
            with _naming(GROUND_TRUTH, key):
                values = {label: metric(gt) for label, metric in blind.items()}
            scores.append(Score(key, GROUND_TRUTH, values))
        yield Comparison(key, lq, gt, outputs, tuple(scores))


@contextmanager
def _naming(method: str, image: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{method} on {image}: {error}") from error
