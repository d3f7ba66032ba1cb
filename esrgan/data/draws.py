"""What a numbered sample shows, drawn from the seed and its number alone.

No state of any random generator is involved, so a sample is the same in every process and after
every restart. Philox is counter-based: jumping to any place of its stream costs nothing. NumPy
promises that its raw words never change, which it does not promise of `permutation` and `integers`.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from esrgan.types import Image

Augment = bool | Literal["flip"]
"""Whether a patch is shown in one of the 8 symmetries of the square (two flips and a transposition,
each with probability 1/2), flipped horizontally with probability 1/2, or as it is."""

_NUM_SYMMETRIES = 8
_FREE_BITS: dict[object, int] = {True: 0b111, "flip": 0b001, False: 0b000}

# Epochs have the counter below these to themselves
_SHARES = 1 << 192
_PERMUTATIONS = 2 << 192


class Draw(NamedTuple):
    """What a sample shows of which image or pair; the transposition comes last."""

    image: int
    top: int
    left: int
    flip_horizontal: bool
    flip_vertical: bool
    transpose: bool

    def orient(self, image: Image) -> Image:
        # OpenCV: NumPy takes 30 times as long to copy a view that is flipped or transposed
        if self.flip_horizontal:
            image = np.asarray(cv2.flip(image, 1), np.uint8)
        if self.flip_vertical:
            image = np.asarray(cv2.flip(image, 0), np.uint8)
        if self.transpose:
            image = np.asarray(cv2.transpose(image), np.uint8)
        return image


def check_draws(*, seed: int, augment: Augment) -> None:
    """Raises a ValueError where one of them is out of range."""
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"seed ({seed}) must lie in [0, 2**64)")
    if augment not in _FREE_BITS:
        raise ValueError(f"augment ({augment}) must be true, flip or false")


def draw_sample(
    number: int,
    *,
    seed: int,
    num_images: int,
    places: Callable[[int], tuple[int, int]],
    augment: Augment,
) -> Draw:
    """What the sample of a number ≥ 0 shows.

    Of n images, the samples [e * n, (e + 1) * n) of epoch e show each image once, in an order of
    their own. `places` says of an image in how many rows and columns a crop of it may begin.

    Raises:
        ValueError: the number is negative.
    """
    if number < 0:
        raise ValueError(f"sample number ({number}) must be at least 0")
    epoch, position = divmod(number, num_images)
    order, words = _epoch(seed, epoch, num_images)
    image = int(order[position])
    top, left, symmetry = _choices(int(words[position]), (*places(image), _NUM_SYMMETRIES))
    bits = symmetry & _FREE_BITS[augment]
    return Draw(image, top, left, bool(bits & 1), bool(bits & 2), bool(bits & 4))


def fraction(seed: int, number: int) -> float:
    """A number in [0, 1) for each sample, independent of its `Draw`."""
    (word,) = np.random.Philox(key=seed, counter=_SHARES | number).random_raw(1)
    return int(word) / (1 << 64)


def permutation(seed: int, iteration: int, *, group: int, length: int) -> NDArray[np.int64]:
    """An order of `length` things for each iteration and group."""
    counter = _PERMUTATIONS | group << 128 | iteration << 64
    words = np.random.Philox(key=seed, counter=counter).random_raw(length)
    return np.argsort(words, kind="stable")


@lru_cache(maxsize=2)  # a process walks through the epochs in order; pairs may be mixed in
def _epoch(seed: int, epoch: int, length: int) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """The order of the images in an epoch, which owns 2**64 values of the counter.

    And a random word for each of its samples.
    """
    philox = np.random.Philox(key=seed, counter=epoch << 64)
    sort_keys, words = philox.random_raw(2 * length).reshape(2, length)
    return np.argsort(sort_keys, kind="stable"), words


def _choices(word: int, num_choices: tuple[int, ...]) -> Iterator[int]:
    """Independent uniform choices, each from range(n), out of one uniform 64-bit word.

    The word is a fraction in [0, 1): times n, its integer part is a choice, its fractional part
    the next fraction. The bias is the product of all n over 2**64: 2**-35 for images of 8k pixels.
    """
    for n in num_choices:
        choice, word = divmod(word * n, 1 << 64)
        yield choice
