"""Metrics of the generator on whole images, in float32, as the benchmarks compute them."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import nn

from esrgan.errors import NonFiniteOutputError
from esrgan.training.ranks import Ranks, rank, world_size
from esrgan.types import Image, ImagePairs

Images = dict[str, Image]

_SHOWN = 512
"""Pixels of a ground truth's sides that are shown, from its middle: whole photographs, three times
and for every validation, would fill disks."""


class Metric(Protocol):
    """What is asked of a metric, to measure several images and to choose the best network by it."""

    @property
    def name(self) -> str: ...

    @property
    def average(self) -> Callable[[Iterable[float]], float]: ...

    def is_better(self, value: float, other: float) -> bool: ...


Measure = Callable[[Image, Image], float]
"""From sr and gt; a ValueError where they cannot be measured."""

Failure = Callable[[str, Metric, ValueError], float]
"""What a metric is for an image, of which it gives the name, that it cannot be measured on."""


class Scores(NamedTuple):
    """The metrics of a network over all images, those of the baseline, and some of its images."""

    network: dict[Metric, float]
    baseline: dict[Metric, float]
    images: Images

    def values(self) -> dict[str, float]:
        """All of them, as they are logged: `val/PSNR-Y`, `val/bicubic_PSNR-Y`."""
        values = {f"val/{metric.name}": value for metric, value in self.network.items()}
        return values | {f"val/bicubic_{metric.name}": v for metric, v in self.baseline.items()}


class Validation:
    """What is computed every so many iterations.

    It is not a Lightning validation loop: that one's place between the iterations is part of
    Lightning's progress state, and a run continued from a checkpoint at that place may skip it or
    do it twice. A plain function at the end of an iteration has no state at all.

    Args:
        every: the interval, in iterations.
        pairs: whole images.
        upscale: applies a network to an image of any size.
        metrics: each with its function of (sr, gt), gt (H, W, 1) where its file is grey.
        baseline: lq to sr; its metrics stand beside the network's for comparison.
        panel: how many images are shown, always the same.
        at_start: whether to validate before the first iteration too: "auto" where the run starts
            from weights, whose scores are what later ones have to be better than.

    Raises:
        ValueError: a value is out of range, or there is no metric.
    """

    def __init__(
        self,
        *,
        every: int,
        pairs: ImagePairs,
        upscale: Callable[[nn.Module, Image], Image],
        metrics: Mapping[Metric, Measure],
        baseline: Callable[[Image], Image],
        panel: int,
        at_start: bool | str = "auto",
    ) -> None:
        if every < 1:
            raise ValueError(f"validation.every ({every}) must be at least 1 iteration")
        if not metrics:
            raise ValueError("metrics is empty: name at least one, e.g. metrics=[PSNR-Y]")
        if isinstance(at_start, str) and at_start != "auto":
            raise ValueError(f"validation.at_start ({at_start}) must be true, false or auto")
        self.every, self.at_start = every, at_start
        self.pairs, self.upscale, self.metrics = pairs, upscale, metrics
        self.baseline = baseline
        self.panel = range(min(panel, len(pairs)))
        self._baseline_values: dict[Metric, float] | None = None

    def verify(self) -> None:
        """Read every image and measure the smallest, before training depends on it.

        Raises:
            ValueError: names the images that cannot be read, or are too small for a metric.
        """
        self.pairs.verify()
        sides = [min(self.pairs.lq_size(index)) for index in range(len(self.pairs))]
        problems = []
        for index in sorted(range(len(sides)), key=sides.__getitem__):
            _, gt = self.pairs.read(index)
            try:
                for measure in self.metrics.values():
                    measure(gt, gt)
            except ValueError as error:
                problems.append(f"{self.pairs.key(index)}: {error}")
            else:
                break  # the others are larger
        if problems:
            listed = "\n  ".join(problems)
            raise ValueError(f"validation_set has images that metrics refuse:\n  {listed}")

    def begin(self, ranks: Ranks) -> None:
        """Measure the baseline: what cannot be measured on these images shows before training.

        Raises:
            ValueError: names the metric, the image and the reason.
        """
        if self._baseline_values is None:
            found = self._measure(self.baseline, _refuse, range(0), ranks, lambda: False)
            assert found is not None
            self._baseline_values, _ = found

    def run(
        self, network: nn.Module, ranks: Ranks, *, is_stopped: Callable[[], bool] = lambda: False
    ) -> Scores | None:
        """The processes share the images out, none of them twice, and all return the same.

        None: one of them was to stop, before all images were measured.

        What could be measured on the baseline's images is NaN where the network's have lost too
        much to be measured.

        Raises:
            NonFiniteOutputError: of the network, for the image that it names.
        """
        self.begin(ranks)
        assert self._baseline_values is not None
        with torch.compiler.set_stance("force_eager"):  # it would compile anew for each size
            found = self._measure(
                lambda lq: self.upscale(network, lq), _nan, self.panel, ranks, is_stopped
            )
        return found and Scores(found[0], self._baseline_values, found[1])

    def _measure(
        self,
        method: Callable[[Image], Image],
        failure: Failure,
        shown: range,
        ranks: Ranks,
        is_stopped: Callable[[], bool],
    ) -> tuple[dict[Metric, float], Images] | None:
        measured: dict[str, list[float]] = {}
        images: Images = {}
        for first in range(0, len(self.pairs), world_size()):
            if ranks.largest(int(is_stopped())):
                return None
            index = first + rank()
            with ranks.together("validating"):
                if index < len(self.pairs):
                    lq, gt = self.pairs.read(index)
                    key = self.pairs.key(index)
                    sr = _output(method, lq, key)
                    truth = gt[..., :1] if self.pairs.is_grey(index) else gt
                    measured[key] = [
                        _value(metric, measure, key, sr, truth, failure)
                        for metric, measure in self.metrics.items()
                    ]
                    if index in shown:
                        images[f"val/{key}"] = side_by_side(lq, sr, gt)
        everywhere = ranks.merged(measured)
        rows = [everywhere[self.pairs.key(index)] for index in range(len(self.pairs))]
        columns = zip(*rows, strict=True)
        means = {m: m.average(values) for m, values in zip(self.metrics, columns, strict=True)}
        return means, ranks.merged(images)


def side_by_side(lq: Image, sr: Image, gt: Image) -> Image:
    """The middle of all three: lq with its pixels enlarged, sr, gt."""
    scale = len(gt) // len(lq)
    enlarged = lq.repeat(scale, axis=0).repeat(scale, axis=1)
    return np.hstack([_middle(image) for image in (enlarged, sr, gt)])


def _middle(image: Image) -> Image:
    height, width = image.shape[:2]
    top, left = (max(side - _SHOWN, 0) // 2 for side in (height, width))
    return image[top : top + _SHOWN, left : left + _SHOWN]


def _output(method: Callable[[Image], Image], lq: Image, key: str) -> Image:
    try:
        return method(lq)
    except NonFiniteOutputError as error:
        raise NonFiniteOutputError(key) from error


def _value(
    metric: Metric, measure: Measure, key: str, sr: Image, gt: Image, failure: Failure
) -> float:
    try:
        return measure(sr, gt)
    except ValueError as error:
        return failure(key, metric, error)


def _refuse(key: str, metric: Metric, error: ValueError) -> float:
    raise ValueError(
        f"{metric.name} cannot be measured on {key} ({error}): leave it out of metrics, or the "
        "image out of validation_set"
    ) from error


def _nan(key: str, metric: Metric, error: ValueError) -> float:
    return math.nan
