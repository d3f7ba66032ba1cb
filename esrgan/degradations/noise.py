"""Noise whose every value is a function of a key: the same in any batch, process and restart.

The words come from a hash of (key, position) in whole numbers, and what is made of them is looked
up in tables: so the fields are equal in every bit on every kind of device, which torch's own
generators are not. Only the arithmetic with them is the device's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from esrgan.degradations.dice import Dice
from esrgan.degradations.rules import check_range, check_share, check_shares
from esrgan.degradations.steps import Size

_FRACTION_BITS = 23
_MAX_COUNT = 512  # counts of a Poisson distribution with a mean of at most 256 stay far below


def random_words(key: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Uniform 32-bit words (int32, the sign a bit like any other) of a 64-bit key."""
    count = 1
    for length in shape:
        count *= length
    words = torch.arange(count, dtype=torch.int32, device=device)
    for half in (key & 0xFFFFFFFF, key >> 32 & 0xFFFFFFFF):
        words = _mix(words ^ _signed(half))
    return words.reshape(shape)


def _mix(x: Tensor) -> Tensor:
    """A bijection of 32-bit words, each bit of which depends on all: triple32 by C. Wellons."""
    for shift, factor in ((17, 0xED5AD4BB), (11, 0xAC4C1B51), (15, 0x31848BAB)):
        x = (x ^ _right(x, shift)) * _signed(factor)
    return x ^ _right(x, 14)


def _right(x: Tensor, shift: int) -> Tensor:
    """Shifted with zeros coming in, as torch's own shift brings the sign."""
    return (x >> shift) & ((1 << (32 - shift)) - 1)


def _signed(word: int) -> int:
    return word - (1 << 32) if word >= 1 << 31 else word


def normal_field(key: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Standard normal values: 65,536 equally likely quantiles, more than 8-bit images can show."""
    index = random_words(key, shape, device) & 0xFFFF
    field: Tensor = _quantiles(device)[index.long()]
    return field


@lru_cache(maxsize=4)
def _quantiles(device: torch.device) -> Tensor:
    middles = (torch.arange(1 << 16, dtype=torch.float64) + 0.5) / (1 << 16)
    values = torch.special.ndtri(middles)
    quantiles: Tensor = values / values.square().mean().sqrt()
    return quantiles.float().to(device)


def poisson_field(key: int, means: Tensor, levels: int) -> Tensor:
    """Counts with the means k · levels / 255, where `means` has the k: whole numbers in 0 … 255.

    By Walker's alias method: a word chooses a column of the table of its k, and a threshold in it
    the one of two counts. Exact to 2^-23.
    """
    thresholds, aliases = _alias_tables(levels, means.device)
    words = random_words(key, tuple(means.shape), means.device)
    column = words & (_MAX_COUNT - 1)
    entry = (means.int() * _MAX_COUNT + column).long()
    fraction = _right(words, 32 - _FRACTION_BITS)
    return torch.where(fraction < thresholds[entry], column, aliases[entry]).float()


@lru_cache(maxsize=12)
def _alias_tables(levels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Thresholds and aliases for the 256 means, (256 * _MAX_COUNT,) each, int32."""
    means = torch.arange(256, dtype=torch.float64)[:, None] * levels / 255
    counts = torch.arange(_MAX_COUNT, dtype=torch.float64)
    logs = torch.xlogy(counts, means) - means - torch.lgamma(counts + 1)
    shares = torch.exp(logs)
    shares *= _MAX_COUNT / shares.sum(1, keepdim=True)
    thresholds, aliases = np.ones(shares.shape), np.tile(np.arange(_MAX_COUNT), (256, 1))
    rows = np.arange(256)
    # The poorest column that is left is filled up by the richest one, until all hold their share.
    # In NumPy, whose argmin is fast, and twice: a column that is done is neither the poorest of
    # `low` nor the richest of `high`. Every process that degrades does this before its first image.
    low, high = shares.numpy(), shares.numpy().copy()
    for _ in range(_MAX_COUNT - 1):
        poorest, richest = low.argmin(1), high.argmax(1)
        own = low[rows, poorest].clip(max=1)
        thresholds[rows, poorest], aliases[rows, poorest] = own, richest
        left = high[rows, richest] - (1 - own)
        low[rows, richest] = high[rows, richest] = left
        low[rows, poorest], high[rows, poorest] = np.inf, -np.inf
    scaled = torch.from_numpy(thresholds * (1 << _FRACTION_BITS)).round().int()
    return scaled.reshape(-1).to(device), torch.from_numpy(aliases).int().reshape(-1).to(device)


def add_gaussian(images: Tensor, field: Tensor, sigma: Tensor | float) -> Tensor:
    """`sigma` in 8-bit levels times a standard normal field, clipped to [0, 1]."""
    return (images + field * (sigma / 255)).clamp(0, 1)


def as_levels(images: Tensor) -> Tensor:
    """Whole levels 0 … 255 of images in [0, 1]."""
    return (images * 255).round().clamp(0, 255)


def gray(images: Tensor) -> Tensor:
    """(N, 1, H, W): the luma that torchvision's grayscale has."""
    weights = images.new_tensor([0.2989, 0.587, 0.114]).view(3, 1, 1)
    return (images * weights).sum(-3, keepdim=True)


def add_poisson(
    images: Tensor, source: Tensor, counts: Tensor, *, levels: int | Tensor, scale: Tensor | float
) -> Tensor:
    """Shot noise of `scale` times its natural strength, clipped to [0, 1].

    `counts` are, in the mean, source / 255 · levels, where `source` are the 8-bit levels of the
    image or of its luma, and `levels` the counts of white: 256 is the natural noise of 8 bits.
    """
    noise = counts / levels - source / 255
    return (images + noise * scale).clamp(0, 1)


def distinct_levels(levels: Tensor) -> int:
    """The power of two not below the number of different levels in an image, as published.

    Where an image is flat there are few, and the noise that is scaled by them is coarse.
    """
    seen = torch.zeros(256, device=levels.device)
    seen[levels.long().reshape(-1)] = 1
    return 1 << (int(seen.sum()) - 1).bit_length()


@dataclass(frozen=True)
class DrawnGaussian:
    """The same noise everywhere, `sigma` in 8-bit levels; of 64-bit `key`."""

    sigma: float
    gray: bool
    key: int

    def apply(self, image: Tensor, lq: Size) -> Tensor:
        shape = (1, 1, *image.shape[-2:]) if self.gray else tuple(image.shape)
        return add_gaussian(image, normal_field(self.key, shape, image.device), self.sigma)

    def __str__(self) -> str:
        return f"gaussian noise{' gray' * self.gray} {self.sigma:.1f}"


@dataclass(frozen=True)
class DrawnPoisson:
    """Noise that grows with the root of the brightness; of 64-bit `key`."""

    scale: float
    gray: bool
    key: int
    levels_of_image: bool

    def apply(self, image: Tensor, lq: Size) -> Tensor:
        source = as_levels(gray(image) if self.gray else image)
        levels = distinct_levels(source) if self.levels_of_image else 256
        counts = poisson_field(self.key, source, levels)
        return add_poisson(image, source, counts, levels=levels, scale=self.scale)

    def __str__(self) -> str:
        return f"poisson noise{' gray' * self.gray} {self.scale:.2f}"


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Add noise of a drawn kind and strength.

    Attributes:
        kinds: the probabilities of gaussian and poisson.
        sigma: the range of a Gaussian's, in 8-bit levels.
        scale: the range of the strength of shot noise; 1 is that of 256 counts for white.
        gray: the probability that all channels have the same noise.
        levels_of_image: count white by the number of different values in the image instead, as
            published: flat areas turn into coarse noise.
    """

    probability: float
    kinds: Mapping[str, float]
    sigma: Sequence[float]
    scale: Sequence[float]
    gray: float
    levels_of_image: bool

    def check(self, key: str) -> None:
        check_share(f"{key}.probability", self.probability)
        check_shares(f"{key}.kinds", self.kinds, ("gaussian", "poisson"))
        check_range(f"{key}.sigma", self.sigma, low=0, high=255)
        check_range(f"{key}.scale", self.scale, low=0, high=100)
        check_share(f"{key}.gray", self.gray)

    def draw(self, own: Dice, shared: Dice) -> DrawnGaussian | DrawnPoisson:
        kind, shared_key = shared.weighted(self.kinds), shared.word()
        is_gray, key = own.chance(self.gray), own.word()
        if kind == "gaussian":  # samples with gray noise have the same, where they share anything
            return DrawnGaussian(own.uniform(self.sigma), is_gray, shared_key if is_gray else key)
        return DrawnPoisson(own.uniform(self.scale), is_gray, key, self.levels_of_image)

    def smallest(self, side: float, lq: float) -> float:
        return side

    @property
    def needs(self) -> int:
        return 1
