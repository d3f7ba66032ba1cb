"""Draws that are a function of (seed, sample number, name) alone."""

import zlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

_T = TypeVar("_T")
_WORDS = 64  # at a time; a step draws fewer


class Dice:
    """Uniform draws one after the other, the same whenever they are begun again.

    Philox is counter-based: NumPy promises its raw words, whatever the version. Patches are drawn
    with the key (seed, 0), so those of a sample begin at (seed, 1).

    Args:
        name: of what is drawn: what is added to a recipe changes nothing of the rest.
    """

    def __init__(self, seed: int, number: int, name: str) -> None:
        counter = zlib.crc32(name.encode()) << 64
        self._philox = np.random.Philox(key=seed | (number + 1) << 64, counter=counter)
        self._words: list[int] = []

    def word(self) -> int:
        """64 random bits."""
        if not self._words:
            self._words = self._philox.random_raw(_WORDS).tolist()
        return self._words.pop(0)

    def fraction(self) -> float:
        """In [0, 1)."""
        return (self.word() >> 11) * 2**-53

    def uniform(self, bounds: Sequence[float]) -> float:
        low, high = bounds
        return low + (high - low) * self.fraction()

    def chance(self, probability: float) -> bool:
        return self.fraction() < probability

    def item(self, items: Sequence[_T]) -> _T:
        """One of them, all equally likely."""
        return items[int(self.fraction() * len(items))]

    def weighted(self, weights: Mapping[_T, float]) -> _T:
        """A key by the weights, which need not sum to one."""
        rest = self.fraction() * sum(weights.values())
        possible = [key for key, weight in weights.items() if weight > 0]
        for key in possible[:-1]:
            rest -= weights[key]
            if rest < 0:
                return key
        return possible[-1]
