"""From sample numbers to a batch: which numbers, what each shows of which pair, its pixels.

No Lightning is imported here: a spawned loading process would wait for it.
"""

import signal
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset, default_collate

from esrgan.errors import listed, near_multiples
from esrgan.types import Batch, Image, ImagePairs

_NUM_SYMMETRIES = 8  # of a square: two flips and a transposition


class Sample(TypedDict):
    """A pair of square patches, and the number that it was asked for by."""

    lq: Image
    gt: Image
    number: int


class Draw(NamedTuple):
    """What a sample shows of which pair, in low-quality pixels; the transposition comes last."""

    pair: int
    top: int
    left: int
    flip_horizontal: bool
    flip_vertical: bool
    transpose: bool


class GlobalBatches:
    """A batch sampler over an endless stream of numbered samples: 0, 1, 2 and so on.

    The global batch of iteration t holds the numbers [t * batch_size, (t + 1) * batch_size), and
    each process takes its slice of it. So the stream depends on neither the number of processes
    nor where a run was interrupted, and a restart costs nothing.

    Args:
        iterations: the length of the whole training, what was done before the start included.
        batch_size: samples per iteration, over all processes.
        rank: this process, of `world_size` that share a global batch.

    Raises:
        ValueError: a value is out of range, or the batch cannot be shared out equally.
    """

    def __init__(
        self,
        *,
        iterations: int,
        batch_size: int,
        start_iteration: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        counts = {"iterations": iterations, "batch_size": batch_size, "world_size": world_size}
        for name, value in counts.items():
            if value < 1:
                raise ValueError(f"{name} ({value}) must be at least 1")
        if not 0 <= start_iteration <= iterations:
            raise ValueError(
                f"start_iteration ({start_iteration}) must lie between 0 and iterations"
                f" ({iterations}): to train on, raise iterations"
            )
        if not 0 <= rank < world_size:
            rule = f"must lie in [0, {world_size}): the number of processes"
            raise ValueError(f"rank ({rank}) {rule}")
        if batch_size % world_size:
            fix = f"use {near_multiples(batch_size, world_size)}"
            raise ValueError(
                f"batch_size ({batch_size}) counts the samples of all processes and must be a"
                f" multiple of their number ({world_size}): {fix}"
            )
        self._iterations = range(start_iteration, iterations)
        self._batch_size = batch_size
        self._share = batch_size // world_size
        self._offset = rank * self._share

    def __len__(self) -> int:
        """Iterations left."""
        return len(self._iterations)

    def __iter__(self) -> Iterator[list[int]]:
        for iteration in self._iterations:
            first = iteration * self._batch_size + self._offset
            yield list(range(first, first + self._share))


class PatchDataset(Dataset[Sample]):
    """Random patches of image pairs, without end: any sample number ≥ 0 names a sample.

    Every draw is a pure function of the seed and the sample number. No state of any random
    generator is involved, so a sample is the same in every process and after every restart.
    Of n pairs, the samples [e * n, (e + 1) * n) of epoch e show each pair once, in an order of
    their own.

    Args:
        patch_size: height and width of the ground-truth patch.
        seed: in [0, 2**64).
        augment: whether a patch is shown in one of the 8 symmetries of the square (two flips and
            a transposition, each with probability 1/2), or as it is.

    Raises:
        ValueError: `patch_size` does not fit the scale or an image, or `seed` is out of range.
    """

    def __init__(
        self, pairs: ImagePairs, *, patch_size: int, seed: int, augment: bool = True
    ) -> None:
        if not 0 <= seed < 1 << 64:
            raise ValueError(f"seed ({seed}) must lie in [0, 2**64)")
        _check_patch_size(patch_size, pairs)
        self.pairs = pairs
        self._size = patch_size // pairs.scale
        self._seed = seed
        self._augment = augment

    def __getitem__(self, number: int) -> Sample:
        draw = self.draw(number)
        try:
            lq, gt = self.pairs.read_crop(draw.pair, draw.top, draw.left, self._size)
        except Exception as error:
            key = self.pairs.key(draw.pair)
            raise ValueError(f"sample {number} (pair {key!r}) cannot be read: {error}") from error
        return Sample(lq=_orient(lq, draw), gt=_orient(gt, draw), number=number)

    def draw(self, number: int) -> Draw:
        """What a sample shows, without reading it."""
        if number < 0:
            raise ValueError(f"sample number ({number}) must be at least 0")
        epoch, position = divmod(number, len(self.pairs))
        order, words = _epoch(self._seed, epoch, len(self.pairs))
        pair = int(order[position])
        height, width = self.pairs.lq_size(pair)
        num_choices = (height - self._size + 1, width - self._size + 1, _NUM_SYMMETRIES)
        top, left, symmetry = _choices(int(words[position]), num_choices)
        if not self._augment:
            symmetry = 0
        return Draw(pair, top, left, bool(symmetry & 1), bool(symmetry & 2), bool(symmetry & 4))


def stack(samples: list[Sample]) -> Batch:
    """Copy samples of one size into a batch: in a worker, into the memory it shares."""
    return Batch(
        lq=default_collate([sample["lq"] for sample in samples]),
        gt=default_collate([sample["gt"] for sample in samples]),
    )


def set_up_worker(_worker: int) -> None:
    """Make a loading process leave signals and the other cores alone."""
    # A Ctrl-C in the terminal and the end of a job's time reach every process: what happens then is
    # for the main one to say. It ends its workers by a SIGTERM too, where they do not answer: the
    # second one counts.
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _frame: signal.signal(number, signal.SIG_DFL))
    cv2.setNumThreads(0)  # torch limits its own threads itself


@lru_cache(maxsize=1)  # a process walks through the epochs in order
def _epoch(seed: int, epoch: int, length: int) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """The order of the pairs in an epoch, and a random word for each of its samples.

    Philox is counter-based: jumping to an epoch, each of which owns 2**64 values of the counter,
    costs nothing. NumPy promises that its raw words never change, which it does not promise of
    `permutation` and `integers`.
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


def _orient(image: Image, draw: Draw) -> Image:
    # OpenCV: NumPy takes 30 times as long to copy a view that is flipped or transposed
    if draw.flip_horizontal:
        image = np.asarray(cv2.flip(image, 1), np.uint8)
    if draw.flip_vertical:
        image = np.asarray(cv2.flip(image, 0), np.uint8)
    if draw.transpose:
        image = np.asarray(cv2.transpose(image), np.uint8)
    return image


def _check_patch_size(patch_size: int, pairs: ImagePairs) -> None:
    scale = pairs.scale
    if patch_size < 1 or patch_size % scale:
        fix = f"use {near_multiples(patch_size, scale)}"
        raise ValueError(f"patch_size ({patch_size}) must be a multiple of scale ({scale}): {fix}")
    if len(pairs) == 0:
        raise ValueError("there are no image pairs to train on: add images to the data set")
    sizes = scale * np.array([pairs.lq_size(index) for index in range(len(pairs))])
    too_small = np.flatnonzero(sizes.min(axis=1) < patch_size)
    if too_small.size:
        named = [f"{pairs.key(i)} ({sizes[i, 0]}x{sizes[i, 1]})" for i in too_small.tolist()]
        raise ValueError(
            f"{len(named)} of {len(pairs)} images are smaller than patch_size ({patch_size}):"
            f" {listed(named)}: leave them out, or use patch_size {sizes.min()} or less"
        )
