"""From sample numbers to a batch: which numbers, what each shows of which pair, its pixels.

No Lightning is imported here: a spawned loading process would wait for it.
"""

import multiprocessing
import signal
from collections.abc import Iterator
from typing import TypedDict

import cv2
import numpy as np
from torch.utils.data import Dataset, default_collate

from esrgan.data.draws import Augment, Draw, check_draws, draw_sample
from esrgan.errors import listed, near_multiples
from esrgan.signals import STOP
from esrgan.types import Batch, GroundTruths, Image, ImagePairs


class Sample(TypedDict):
    """A pair of square patches, and the number that it was asked for by."""

    lq: Image
    gt: Image
    number: int


class GlobalBatches:
    """A batch sampler over an endless stream of numbered samples: 0, 1, 2 and so on.

    The global batch of iteration t holds the numbers [t * batch_size, (t + 1) * batch_size), and
    each process takes its slice of it. So the stream depends on neither the number of processes
    nor where a run was interrupted, and a restart costs nothing.

    Args:
        iterations: the length of the whole training, what was done before the start included.
        batch_size: samples per iteration, over all processes.
        rank: this process, of `world_size` that share a global batch.

    Attributes:
        iterations: those that are left.
        share: which part of a global batch is this process's.

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
        self.iterations = range(start_iteration, iterations)
        self.batch_size = batch_size
        num_samples = batch_size // world_size
        self.share = slice(rank * num_samples, (rank + 1) * num_samples)

    def __len__(self) -> int:
        """Iterations left."""
        return len(self.iterations)

    def __iter__(self) -> Iterator[list[int]]:
        for iteration in self.iterations:
            first = iteration * self.batch_size
            yield list(range(first, first + self.batch_size)[self.share])


class PatchDataset(Dataset[Sample]):
    """Random patches of image pairs, without end: any sample number ≥ 0 names a sample.

    Every draw is a pure function of the seed and the sample number, as `draws` explains.

    Args:
        patch_size: height and width of the ground-truth patch.
        seed: in [0, 2**64).

    Raises:
        ValueError: `patch_size` does not fit the scale or an image, or another value is out of
            range.
    """

    def __init__(
        self, pairs: ImagePairs, *, patch_size: int, seed: int, augment: Augment = True
    ) -> None:
        check_draws(seed=seed, augment=augment)
        _check_patch_size(patch_size, pairs)
        self.pairs = pairs
        self.patch_size, self.seed = patch_size, seed
        self._augment: Augment = augment

    def __getitem__(self, number: int) -> Sample:
        draw = self.draw(number)
        size = self.patch_size // self.pairs.scale
        try:
            lq, gt = self.pairs.read_crop(draw.image, draw.top, draw.left, size)
        except Exception as error:
            raise ValueError(f"{self.name(number)} cannot be read: {error}") from error
        return Sample(lq=draw.orient(lq), gt=draw.orient(gt), number=number)

    def key(self, number: int) -> str:
        """The name of the pair that a sample shows a part of."""
        return self.pairs.key(self.draw(number).image)

    def name(self, number: int) -> str:
        """A sample by its number, pair and place, for messages."""
        index = self.draw(number).image
        return f"sample {number} (pair {self.pairs.key(index)!r}{place_of(self.pairs, index)})"

    def draw(self, number: int) -> Draw:
        """What a sample shows, in low-quality pixels, without reading it."""

        def places(pair: int) -> tuple[int, int]:
            size = self.patch_size // self.pairs.scale
            height, width = self.pairs.lq_size(pair)
            return height - size + 1, width - size + 1

        return draw_sample(
            number,
            seed=self.seed,
            num_images=len(self.pairs),
            places=places,
            augment=self._augment,
        )

    def verify(self) -> None:
        self.pairs.verify()

    @staticmethod
    def collate(samples: list[Sample]) -> Batch:
        """Copy samples of one size into a batch: in a worker, into the memory it shares."""
        return Batch(
            lq=default_collate([sample["lq"] for sample in samples]),
            gt=default_collate([sample["gt"] for sample in samples]),
        )


def place_of(images: ImagePairs | GroundTruths, index: int) -> str:
    """Where an image is kept, to follow its name; nothing where that is not known."""
    place = getattr(images, "place", None)
    return "" if place is None else f" of {place(index)}"


def set_up_worker(_worker: int) -> None:
    """Make a loading process leave signals and the other cores alone."""
    # A Ctrl-C in the terminal and the end of a job's time reach every process: what happens then is
    # for the main one to say, and `end_workers` is its last word.
    for number in STOP:
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(0)  # torch limits its own threads itself


def end_workers() -> None:
    """At the exit of the main process, end loading processes that something left running.

    multiprocessing would send each a SIGTERM, which they leave alone, and wait for them for ever.
    """
    for process in multiprocessing.active_children():
        if process.daemon:
            process.kill()


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
