"""What surroundings a network takes into account, measured where no formula tells it.

A formula is for convolutions (`stages.Footprint`). Attention looks as far as its windows and their
shifts let it, pooling over the image as far as there is one. Here a network is asked itself: how
much does the middle of a picture change when less of what is around it is there?
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary, finalize

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from esrgan.errors import NonFiniteOutputError
from esrgan.inference.network import DIVERGED, computing_exactly

_CORE = 16  # side of what is looked at, in pixels of the input
_FARTHEST = 128  # pixels around it, at most: some seconds of a large network on a CPU
_PERIODS = (1, 2, 4, 8, 16, 32, 3, 6, 12, 24, 7, 10, 20)  # of windows; those of powers of 2 first
_BRIGHTNESS = 0.3, 0.7  # of the rings of the picture that is tried with
_LEVEL = 1 / 255
_STEEP = 8  # an influence falls by more, from half a distance to three quarters of it
_ENOUGH = 0.5 * _LEVEL  # rounded, a value is then at most one level off


class Surroundings(NamedTuple):
    """What a network takes into account, in pixels of its input."""

    overlap: int
    """Around a tile; a multiple of `period`."""

    period: int
    """Tiles begin at multiples of it, as the network's own windows do."""

    residue: float
    """By how much of 1 a value still changes with what is farther away than two thirds of it.

    0: by what rounding hides.
    """

    def __str__(self) -> str:
        if not self.residue:
            return f"tiles overlap by {self.overlap} pixels (measured)"
        return (
            f"its output depends on the whole of a picture (by {self.residue / _LEVEL:.1f} levels "
            f"of 255 on what is more than {self.overlap * 2 // 3} pixels away): it is enlarged "
            f"whole where memory allows, else in tiles that overlap by {self.overlap} pixels and "
            "may show"
        )


def measure_surroundings(network: nn.Module, *, scale: int) -> Surroundings:
    """Found by some passes over parts of one picture, of at most 336 × 336 pixels.

    Together they have 250,000 pixels at most, a picture of 500 × 500; mostly a tenth of it.

    Args:
        network: in evaluation mode, of float32.
        scale: of the network.

    Raises:
        NonFiniteOutputError: the network's output is not finite.
    """
    weights = next(network.parameters())
    picture = _picture(_CORE + 2 * (_FARTHEST + max(_PERIODS))).to(weights)

    @cache
    def core(distance: int) -> Tensor:
        """The output for a place with `distance` pixels on each side."""
        begin = (picture.shape[-1] - _CORE) // 2 - distance
        part = slice(begin, begin + _CORE + 2 * distance)
        sr = network(picture[..., part, part])
        middle = slice(distance * scale, (distance + _CORE) * scale)
        return cast(Tensor, sr[..., middle, middle]).clamp(0, 1)

    def corner(side: int) -> Tensor:
        """The output for the last corner, where the picture begins `side` pixels before its end."""
        sr = network(picture[..., -side:, -side:])
        return cast(Tensor, sr[..., -2 * _CORE * scale :, -2 * _CORE * scale :]).clamp(0, 1)

    with computing_exactly(weights.device):
        if not core(_CORE).isfinite().all():
            raise NonFiniteOutputError(f"the network's output is not finite: {DIVERGED}")
        period = _period(corner)
        distance, residue = _distance(core, period)
    return Surroundings(distance, period, residue)


def measure_memory(network: nn.Module) -> float:
    """The numbers for each pixel of its input that are in memory at once, as far as they are seen.

    Args:
        network: in evaluation mode.
    """
    weights = next(network.parameters())
    with computing_exactly(weights.device), _Memory() as memory:
        network(weights.new_zeros(1, 3, 3 * _CORE, 3 * _CORE))
    numbers: float = memory.peak / (3 * _CORE) ** 2
    return numbers


def _period(corner: Callable[[int], Tensor]) -> int:
    """The first by which a picture's beginning can be moved without a change, or with the least.

    The end stays: there a network fills up its last windows.
    """
    expected = corner(4 * _CORE)
    changes = {}
    for period in _PERIODS:
        changes[period] = _change(corner(4 * _CORE + period), expected)
        if changes[period] <= _ENOUGH / 2:
            return period
    least = min(changes.values())
    return next(period for period, change in changes.items() if change <= 1.25 * least)


def _distance(core: Callable[[int], Tensor], period: int) -> tuple[int, float]:
    """How much is needed around a tile, and what still changes where even the most is too little.

    Half and three quarters of a distance are compared with the whole of it, which is doubled until
    they suffice. For three quarters, the influence has to fall as steeply as that of surroundings
    does, not slowly, as the mean over a picture approaches that of the whole.
    """
    farthest = 2 * _CORE
    while True:
        half, most, whole = (_up(farthest * part // 4, period) for part in (2, 3, 4))
        expected = core(whole)
        at_half = _change(core(half), expected) if half < whole else math.inf
        if at_half <= _ENOUGH:
            return half, 0.0
        at_most = _change(core(most), expected) if half < most < whole else math.inf
        if at_most <= min(_ENOUGH / 2, at_half / _STEEP):
            return most, 0.0
        if farthest >= _FARTHEST:
            return most, at_half if half < whole else at_most
        farthest *= 2


def _up(pixels: int, period: int) -> int:
    return math.ceil(pixels / period) * period


def _change(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().max())


def _picture(side: int) -> Tensor:
    """Noise whose amplitudes fall as those of photographs do, (1, 3, side, side) in [0, 1].

    Around the place that is looked at, it is bright and dark in turn, with a change at each of the
    distances that are tried: what looks at a whole picture sees quite another one in a part of it.
    """
    rng = np.random.default_rng(0)
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    frequencies[0, 0] = 1  # of the mean, which is taken away below
    planes = np.fft.ifft2(np.fft.fft2(rng.normal(size=(4, side, side))) / frequencies).real
    noise = planes[0] + 0.3 * planes[1:]
    noise = (noise - noise.mean()) / noise.std()
    away = np.abs(np.indices((side, side)) - side / 2 + 0.5).max(axis=0) - _CORE / 2
    ring = np.ceil(np.log2(np.maximum(away / _CORE, 1)))
    brightness = np.where(ring % 2 == 0, *_BRIGHTNESS)
    return torch.from_numpy((brightness + 0.15 * noise).clip(0, 1)[None])


class _Memory(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch's has no types
    """The most numbers, of tensors made in the block, that were in memory at once."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = self._now = 0
        self._seen: WeakKeyDictionary[object, int] = WeakKeyDictionary()

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        for storage in map(_storage, tree_leaves(args)):  # made before the block: weights
            if storage is not None:
                self._seen.setdefault(storage, 0)
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            storage = _storage(leaf)
            if storage is not None and storage not in self._seen:
                self._seen[storage] = leaf.numel()
                self._now += leaf.numel()
                finalize(storage, self._forget, leaf.numel())
        self.peak = max(self.peak, self._now)
        return result

    def _forget(self, numbers: int) -> None:
        self._now -= numbers


def _storage(leaf: object) -> torch.UntypedStorage | None:
    return leaf.untyped_storage() if isinstance(leaf, Tensor) else None
