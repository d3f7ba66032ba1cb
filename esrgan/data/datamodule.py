"""The stream of training batches, from any iteration on."""

import atexit
import multiprocessing
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader

from esrgan.data.blind import BlindPatches
from esrgan.data.careful_samples import IDLE, CarefulSamples
from esrgan.data.loading import LOOK, Loading
from esrgan.data.patches import GlobalBatches, PatchDataset, end_workers, set_up_worker
from esrgan.data.pool import PooledBatches
from esrgan.data.stream import Stream

_POOL = {"size": int, "batch": int}


class PatchDataModule:
    """Loads the patches of a training, in the order of their sample numbers.

    The batches depend on neither the number of workers nor the number of processes that share
    `batch_size`.

    Args:
        batch_size: samples per iteration, over all processes; this and the two numbers of
            iterations are those of `GlobalBatches`.
        num_workers: loading processes per training process; 0 loads in the training process.
        start_method: how workers are started (`fork`, `spawn`, `forkserver`); None leaves the
            choice to Python.
        pool: `size` and `batch` of `PooledBatches`; None trains on the samples as they come.

    Attributes:
        iterations: those that are left, counted from 0.
    """

    def __init__(
        self,
        *,
        train: PatchDataset | BlindPatches,
        batch_size: int,
        iterations: int,
        num_workers: int,
        start_iteration: int = 0,
        start_method: str | None = None,
        pool: Mapping[str, int] | None = None,
    ) -> None:
        if num_workers < 0:
            raise ValueError(f"num_workers ({num_workers}) must be at least 0")
        known = multiprocessing.get_all_start_methods()
        if start_method is not None and start_method not in known:
            raise ValueError(f"start_method ({start_method}) must be one of {', '.join(known)}")
        if pool is not None and {k: type(v) for k, v in pool.items()} != _POOL:
            example = "{size: 180, batch: 12}"
            raise ValueError(f"data.pool ({dict(pool)}) must have size and batch, as {example}")
        self._train = train
        self._pool = pool
        self._make_batches = partial(
            GlobalBatches,
            iterations=iterations,
            batch_size=batch_size,
        )
        self.iterations = range(start_iteration, iterations)
        self._batches(
            start_iteration
        )  # refuses wrong numbers now, not after the set-up of the devices
        self._num_workers = num_workers
        self._start_method = start_method

    def verify(self) -> None:
        """Check every record: it takes as long as reading all of them does."""
        self._train.verify()

    def stream(
        self,
        *,
        rank: int = 0,
        world_size: int = 1,
        pinned: bool = False,
        restarts: int = 0,
        skip_bad: bool = False,
    ) -> Stream:
        """Begin to load the batches of the iterations that are left.

        Args:
            rank: of this process.
            world_size: the number of processes, among which batches are shared out.
            pinned: put them where a GPU reads memory from.
            restarts: how often loading begins again after its processes have died.
            skip_bad: put other samples in the place of those that cannot be made.
        """
        atexit.register(end_workers)

        def load(start: int, deadly: frozenset[int]) -> Loading:
            batches = self._batches(start, rank=rank, world_size=world_size)
            board = torch.full((max(self._num_workers, 1),), IDLE)
            board.share_memory_()  # type: ignore[no-untyped-call]
            samples = CarefulSamples(self._train, board=board, skip=skip_bad, deadly=deadly)
            loader = DataLoader(
                samples,
                batch_sampler=batches,
                num_workers=self._num_workers,
                collate_fn=_as_it_is,
                pin_memory=pinned,
                timeout=LOOK if self._num_workers else 0,
                worker_init_fn=set_up_worker,
                multiprocessing_context=self._start_method if self._num_workers else None,
                generator=torch.Generator(),  # or each start would draw from the global one
            )
            return Loading(loader, board=board, name=self._train.name)

        first = self.iterations.start
        return Stream(load, start=first, restarts=restarts, skip_bad=skip_bad)

    def batch_of(self, iteration: int) -> tuple[dict[int, str], Any]:
        """What an iteration, counted from 1, has over all processes.

        Returns:
            The names of the images by the numbers of the samples, and the batch.
        """
        numbers = next(iter(self._batches(iteration - 1)))
        train: Any = self._train  # whose samples are of the kind that it puts into a batch
        batch = train.collate([train[number] for number in numbers])
        return {number: self._train.key(number) for number in numbers}, batch

    def _batches(
        self, start: int, *, rank: int = 0, world_size: int = 1
    ) -> GlobalBatches | PooledBatches:
        batches = self._make_batches(
            start_iteration=start,
            rank=rank,
            world_size=world_size,
        )
        if self._pool is None:
            return batches
        return PooledBatches(batches, seed=self._train.seed, **self._pool)


def _as_it_is(loaded: Any) -> Any:  # noqa: ANN401
    return loaded
