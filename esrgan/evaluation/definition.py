"""What a metric is: one object, whoever uses it."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from esrgan.types import Image

if TYPE_CHECKING:
    import torch

NIQE_MODEL = Path("data/niqe/niqe_pris_params.npz")

Measure = Callable[[Image, Image], float]
"""From the result (sr) and the ground truth (gt), of equal size; some do not look at gt."""

Average = Callable[[Iterable[float]], float]


def mean(values: Iterable[float]) -> float:
    """Added up from the first to the last, so that all who average have the same digits."""
    numbers = list(values)
    return sum(numbers) / len(numbers)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What metrics may need besides the images.

    Attributes:
        crop: pixels left out on each side.
        device: of networks that compare features; None: a GPU where there is one.
        niqe_model: the file of NIQE's parameters.
    """

    crop: int
    device: "torch.device | None" = None
    niqe_model: Path = NIQE_MODEL


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number for an image.

    Attributes:
        name: on command lines, in configs, logs and tables.
        larger_is_better: else smaller is.
        digits: after the point, as papers write it.
        about: how it is computed, for the protocol.
        load: makes the function that measures.
        needs_reference: whether it looks at the ground truth; else that can be measured, too.
        average: over the images of a benchmark.
    """

    name: str
    larger_is_better: bool
    digits: int
    about: str
    load: Callable[[Resources], Measure]
    needs_reference: bool = True
    average: Average = mean

    @property
    def directed(self) -> str:
        """The name with an arrow that shows where better is."""
        return f"{self.name} {'↑' if self.larger_is_better else '↓'}"

    def is_better(self, value: float, other: float) -> bool:
        """Never true of NaN."""
        return value > other if self.larger_is_better else value < other

    def text(self, value: float) -> str:
        """As papers write it; ∞ for the PSNR of identical images."""
        if math.isinf(value):
            return "∞" if value > 0 else "-∞"
        return f"{value:.{self.digits}f}"


def plain(function: Callable[..., float]) -> Callable[[Resources], Measure]:
    """The `load` of a function (sr, gt, *, crop) that needs nothing else."""
    return lambda resources: partial(function, crop=resources.crop)
