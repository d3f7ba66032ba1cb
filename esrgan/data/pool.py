"""Real-ESRGAN's pool of samples, as an order of the sample numbers.

There, samples of a batch share draws of their degradation, and a pool on the device mixes them:
while it fills, a batch is stored and trained on as it is; then each iteration shuffles the pool,
trains on what comes first, and puts the new samples in its place. Which numbers that would be
follows from the seed and the iteration: no pixel has to be kept.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

import numpy as np
from numpy.typing import NDArray

from esrgan.data.draws import permutation
from esrgan.data.patches import GlobalBatches
from esrgan.errors import near_multiples

Numbers = NDArray[np.int64]

_UNKNOWN = -1
_REPLAYED = 8  # times the iterations that filling takes: 1 - 1/e**8 of the slots are known then


class PooledBatches:
    """A batch sampler that yields what pools of numbered samples are trained on.

    The global batch is divided into groups of `batch` consecutive samples, each with a pool of its
    own, so that the number of processes changes nothing: published are 4 processes of 12 samples.

    Args:
        batches: the numbers that come in.
        size: samples in a pool; 180 is published.
        batch: samples that come in and go out in an iteration.

    Raises:
        ValueError: the sizes are no multiples of each other.
    """

    def __init__(self, batches: GlobalBatches, *, size: int, batch: int, seed: int) -> None:
        if batch < 1:
            raise ValueError(f"data.pool.batch ({batch}) must be at least 1")
        if size < 1 or size % batch:
            raise ValueError(
                f"data.pool.size ({size}) must be a multiple of data.pool.batch ({batch}): use"
                f" {near_multiples(size, batch)}"
            )
        if batches.batch_size % batch:
            raise ValueError(
                f"batch_size ({batches.batch_size}) must be a multiple of data.pool.batch ({batch})"
                f": use batch_size={near_multiples(batches.batch_size, batch)}, or another "
                "data.pool.batch"
            )
        self._batches, self._size, self._batch, self._seed = batches, size, batch, seed

    def __len__(self) -> int:
        """Iterations left."""
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        start = self._batches.iterations.start
        num_groups = self._batches.batch_size // self._batch
        groups = [
            trained_on(
                start,
                size=self._size,
                incoming=partial(self._incoming, group),
                order=partial(permutation, self._seed, group=group, length=self._size),
            )
            for group in range(num_groups)
        ]
        for _ in self._batches.iterations:
            numbers = np.concatenate([next(group) for group in groups])
            yield numbers[self._batches.share].tolist()

    def _incoming(self, group: int, iteration: int) -> Numbers:
        first = iteration * self._batches.batch_size + group * self._batch
        return np.arange(first, first + self._batch)


def trained_on(
    start: int,
    *,
    size: int,
    incoming: Callable[[int], Numbers],
    order: Callable[[int], Numbers],
) -> Iterator[Numbers]:
    """What a pool of `size` samples is trained on in the iterations from `start` on, without end.

    `incoming` and `order` say of an iteration which samples come in, and how the pool is shuffled.
    """
    pool = _pool_at(start, size, incoming, order)
    for iteration in count(start):
        yield _exchange(pool, iteration, incoming, order)


def _pool_at(
    start: int, size: int, incoming: Callable[[int], Numbers], order: Callable[[int], Numbers]
) -> Numbers:
    """The pool before an iteration, from as few of the iterations before as decide about it.

    Each replaces a part of the pool. So what was in it long ago is unknown to begin with, and if
    some of that is still there at the end, the beginning was too late.
    """
    distance = _REPLAYED * (size // len(incoming(0)))
    while True:
        pool = np.full(size, _UNKNOWN)
        first = max(start - distance, 0)
        for iteration in range(first, start):
            _exchange(pool, iteration, incoming, order)
        if first == 0 or _UNKNOWN not in pool:
            return pool
        distance *= 2


def _exchange(
    pool: Numbers,
    iteration: int,
    incoming: Callable[[int], Numbers],
    order: Callable[[int], Numbers],
) -> Numbers:
    """Puts the new samples of an iteration into the pool, and returns those to train on."""
    new = incoming(iteration)
    filled = iteration * len(new)
    if filled < len(pool):
        pool[filled : filled + len(new)] = new
        return new
    pool[:] = pool[order(iteration)]
    outgoing = pool[: len(new)].copy()
    pool[: len(new)] = new
    return outgoing
