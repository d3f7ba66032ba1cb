"""Resizing to a size by many filters: (N, 3, H, W) in, (N, 3, h, w) out, nothing clipped.

`area`, `bilinear`, `bicubic` and `nearest` are those of torch (and of OpenCV), without
antialiasing, as in Real-ESRGAN; the others widen their kernel when they shrink, as Pillow does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F  # as everybody calls it
from torch import Tensor

from esrgan.degradations.dice import Dice
from esrgan.degradations.rules import check_range, check_share, check_shares, check_weights
from esrgan.degradations.steps import Size

OF_TORCH = ("area", "bilinear", "bicubic", "nearest")


def resize(images: Tensor, size: tuple[int, int], *, filter: str) -> Tensor:
    """Height and width are given; an image of this size already is returned as it is."""
    if tuple(images.shape[-2:]) == size:
        return images
    if filter in OF_TORCH:
        return F.interpolate(images, size=size, mode=filter, **_corners(filter))
    rows = _resize_matrix(images.shape[-2], size[0], filter).to(images)
    columns = _resize_matrix(images.shape[-1], size[1], filter).to(images)
    return rows @ images @ columns.T


def resize_by_factor(images: Tensor, factor: float, *, filter: str) -> Tensor:
    """To floor(n * factor) a side, sampled by the factor, as the published code does.

    The pixels stand where the factor says, not where the rounded size would have them: the image is
    shifted against its ground truth, by up to several of its pixels at the far edges. Only the
    filters of torch can do it.
    """
    return F.interpolate(images, scale_factor=factor, mode=filter, **_corners(filter))


def _corners(filter: str) -> dict[str, bool]:
    return {"align_corners": False} if filter in ("bilinear", "bicubic") else {}


def _cubic(x: Tensor, b: float, c: float) -> Tensor:
    """The family of Mitchell and Netravali (1988), equation 8."""
    x = x.abs()
    near = (12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + (6 - 2 * b)
    far = (-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x + 8 * b + 24 * c
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0)) / 6


def _lanczos(x: Tensor) -> Tensor:
    return torch.where(x.abs() < 3, torch.special.sinc(x) * torch.special.sinc(x / 3), 0.0)


_KERNELS: dict[str, Callable[[Tensor], Tensor]] = {
    "box": lambda x: ((x > -0.5) & (x <= 0.5)).double(),
    "triangle": lambda x: (1 - x.abs()).clamp(min=0),
    "hermite": lambda x: torch.where(x.abs() < 1, (2 * x.abs() - 3) * x**2 + 1, 0.0),
    "catmull_rom": lambda x: _cubic(x, 0, 0.5),
    "mitchell": lambda x: _cubic(x, 1 / 3, 1 / 3),
    "gauss": lambda x: torch.where(x.abs() < 2, torch.exp(-2 * x**2), 0.0),
    "lanczos": _lanczos,
}
"""Their values at a distance in pixels."""

FILTERS = (*OF_TORCH, *_KERNELS)


@lru_cache(maxsize=64)
def _resize_matrix(length: int, target: int, name: str) -> Tensor:
    """(target, length): row i has the weights of which the new value i is the sum."""
    stretch = max(length / target, 1.0)  # shrinking widens the kernel: this is the antialiasing
    centres = (torch.arange(target, dtype=torch.float64) + 0.5) * length / target - 0.5
    offsets = torch.arange(length, dtype=torch.float64) - centres[:, None]
    weights = _KERNELS[name](offsets / stretch)
    return (weights / weights.sum(1, keepdim=True)).float()


@dataclass(frozen=True)
class DrawnResize:
    """By a factor of the image's sides, or of those of the final image."""

    factor: float
    filter: str
    of_lq: bool
    by_factor: bool

    def apply(self, image: Tensor, lq: Size) -> Tensor:
        if self.by_factor:
            return resize_by_factor(image, self.factor, filter=self.filter)
        sides = lq if self.of_lq else image.shape[-2:]
        height, width = (max(int(side * self.factor), 1) for side in sides)
        return resize(image, (height, width), filter=self.filter)

    def __str__(self) -> str:
        return f"resize x{self.factor:.2f}{' of lq' * self.of_lq} {self.filter}"


@dataclass(frozen=True, kw_only=True)
class Resize:
    """Resize by a drawn factor and filter.

    Attributes:
        kinds: the probabilities of up, down and keep.
        up, down: ranges of the factor.
        filters: with their weights.
        of_lq: whether the factor is one of the final size, not of that of the image before.
        by_factor: sample by the factor instead of the rounded size, as published: misaligned.
    """

    probability: float
    kinds: Mapping[str, float]
    up: Sequence[float]
    down: Sequence[float]
    filters: Mapping[str, float]
    of_lq: bool
    by_factor: bool

    def check(self, key: str) -> None:
        check_share(f"{key}.probability", self.probability)
        check_shares(f"{key}.kinds", self.kinds, ("up", "down", "keep"))
        check_range(f"{key}.up", self.up, low=1, high=16)
        check_range(f"{key}.down", self.down, low=0.01, high=1)
        check_weights(f"{key}.filters", self.filters, OF_TORCH if self.by_factor else FILTERS)
        if self.by_factor and self.of_lq:
            raise ValueError(
                f"{key}.by_factor and {key}.of_lq exclude each other: a factor of the final size "
                "gives a size"
            )

    def draw(self, own: Dice, shared: Dice) -> DrawnResize:
        kind = shared.weighted(self.kinds)
        ranges: Mapping[str, Sequence[float]] = {"up": self.up, "down": self.down, "keep": (1, 1)}
        factor, name = shared.uniform(ranges[kind]), shared.weighted(self.filters)
        return DrawnResize(factor, name, self.of_lq, self.by_factor)

    def smallest(self, side: float, lq: float) -> float:
        factor = self.down[0] if self.kinds.get("down", 0) > 0 else 1.0
        resized = (lq if self.of_lq else side) * factor
        return resized if self.probability == 1 else min(side, resized)

    @property
    def needs(self) -> int:
        return 1


@dataclass(frozen=True)
class DrawnFinalResize:
    """To the final size."""

    filter: str

    def apply(self, image: Tensor, lq: Size) -> Tensor:
        return resize(image, (lq.height, lq.width), filter=self.filter)

    def __str__(self) -> str:
        return f"resize to lq {self.filter}"


@dataclass(frozen=True, kw_only=True)
class FinalResize:
    """Resize to the size of the low-quality image; `filters` with their weights."""

    filters: Mapping[str, float]
    probability: float = 1.0

    def check(self, key: str) -> None:
        check_weights(f"{key}.filters", self.filters, FILTERS)

    def draw(self, own: Dice, shared: Dice) -> DrawnFinalResize:
        return DrawnFinalResize(shared.weighted(self.filters))

    def smallest(self, side: float, lq: float) -> float:
        return lq

    @property
    def needs(self) -> int:
        return 1
