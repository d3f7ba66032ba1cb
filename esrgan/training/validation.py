"""Metrics of the generator on whole images, in float32, as the benchmarks compute them."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from torch import nn

from esrgan.training.ranks import Ranks, rank, world_size
from esrgan.types import Image, WholeImages

Images = dict[str, Image]


class Metric(Protocol):
    """What is asked of a metric, to measure several images and to choose the best network by it."""

    @property
    def name(self) -> str: ...

    @property
    def average(self) -> Callable[[Iterable[float]], float]: ...

    def is_better(self, value: float, other: float) -> bool: ...


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
    """

    def __init__(
        self,
        *,
        every: int,
        pairs: WholeImages,
        upscale: Callable[[nn.Module, Image], Image],
        metrics: Mapping[Metric, Callable[[Image, Image], float]],
        baseline: Callable[[Image], Image],
        panel: int,
    ) -> None:
        if every < 1:
            raise ValueError(f"validation.every ({every}) must be at least 1 iteration")
        if not metrics:
            raise ValueError("metrics is empty: name at least one, e.g. metrics=[PSNR-Y]")
        self.every = every
        self.pairs, self.upscale, self.metrics = pairs, upscale, metrics
        self.baseline = baseline
        self.panel = range(min(panel, len(pairs)))
        self._baseline_values: dict[Metric, float] | None = None

    def run(self, network: nn.Module, ranks: Ranks) -> Scores:
        """The processes share the images out, none of them twice, and all return the same."""
        if self._baseline_values is None:
            self._baseline_values, _ = self._measure(self.baseline, ranks)
        values, images = self._measure(lambda lq: self.upscale(network, lq), ranks)
        return Scores(values, self._baseline_values, images)

    def _measure(
        self, method: Callable[[Image], Image], ranks: Ranks
    ) -> tuple[dict[Metric, float], Images]:
        measured: dict[str, list[float]] = {}
        images: Images = {}
        with ranks.together("validating"):
            for index in range(rank(), len(self.pairs), world_size()):
                lq, gt = self.pairs.read(index)
                sr = method(lq)
                key = self.pairs.key(index)
                truth = gt[..., :1] if self.pairs.is_grey(index) else gt
                measured[key] = [measure(sr, truth) for measure in self.metrics.values()]
                if index in self.panel:
                    images[f"val/{key}"] = sr
        everywhere = ranks.merged(measured)
        rows = [everywhere[self.pairs.key(index)] for index in range(len(self.pairs))]
        columns = zip(*rows, strict=True)
        means = {m: m.average(values) for m, values in zip(self.metrics, columns, strict=True)}
        return means, ranks.merged(images)
