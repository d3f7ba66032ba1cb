"""Metrics of the generator on whole images, in float32, as the benchmarks compute them."""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from esrgan.training.ranks import Ranks, rank, world_size

Image = NDArray[np.uint8]
Images = dict[str, Image]
Metric = Callable[[Image, Image], float]


class NamedPairs(Protocol):
    """Whole images with names, as `esrgan.data` provides them."""

    def __len__(self) -> int: ...

    def key(self, index: int) -> str: ...

    def read(self, index: int) -> tuple[Image, Image]: ...

    def verify(self) -> None: ...


class Validation:
    """What is computed every so many iterations.

    It is not a Lightning validation loop: that one's place between the iterations is part of
    Lightning's progress state, and a run continued from a checkpoint at that place may skip it or
    do it twice. A plain function at the end of an iteration has no state at all.

    Args:
        every: the interval, in iterations.
        pairs: lq and gt, uint8 (H, W, 3).
        upscale: applies a network to an image of any size.
        metrics: name to a function of (sr, gt).
        baseline: lq to sr; its metrics stand beside the network's for comparison.
        panel: how many images are shown, always the same.
    """

    def __init__(
        self,
        *,
        every: int,
        pairs: NamedPairs,
        upscale: Callable[[nn.Module, Image], Image],
        metrics: Mapping[str, Metric],
        baseline: Callable[[Image], Image],
        panel: int,
    ) -> None:
        if every < 1:
            raise ValueError(f"validation.every ({every}) must be at least 1 iteration")
        if not metrics:
            raise ValueError("validation.metrics is empty: name at least one, e.g. psnr_y")
        self.every = every
        self.pairs, self.upscale, self.metrics = pairs, upscale, metrics
        self.baseline = baseline
        self.panel = range(min(panel, len(pairs)))
        self._baseline_metrics: dict[str, float] | None = None

    @property
    def names(self) -> list[str]:
        """The names that the network's metrics are logged under."""
        return [f"val/{name}" for name in self.metrics]

    def is_due(self, iteration: int) -> bool:
        return iteration % self.every == 0

    def run(self, network: nn.Module, ranks: Ranks) -> tuple[dict[str, float], Images]:
        """The metrics' means, as `val/NAME` and `val/bicubic_NAME`, and the panel's images.

        The processes share the images out, none of them twice, and all return the same.
        """
        if self._baseline_metrics is None:
            self._baseline_metrics, _ = self._measure(self.baseline, ranks)
        means, images = self._measure(lambda lq: self.upscale(network, lq), ranks)
        values = {f"val/{name}": mean for name, mean in means.items()}
        values |= {f"val/bicubic_{name}": mean for name, mean in self._baseline_metrics.items()}
        return values, images

    def _measure(
        self, method: Callable[[Image], Image], ranks: Ranks
    ) -> tuple[dict[str, float], Images]:
        sums = dict.fromkeys(self.metrics, 0.0)
        images: Images = {}
        with ranks.together("validating"):
            for index in range(rank(), len(self.pairs), world_size()):
                lq, gt = self.pairs.read(index)
                sr = method(lq)
                for name, metric in self.metrics.items():
                    sums[name] += metric(sr, gt)
                if index in self.panel:
                    images[f"val/{self.pairs.key(index)}"] = sr
        totals = ranks.totals(list(sums.values()))
        means = {name: t / len(self.pairs) for name, t in zip(sums, totals, strict=True)}
        return means, ranks.merged(images)
