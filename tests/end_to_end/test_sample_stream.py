"""The samples of a training are the same, in order, however they are loaded."""

import hashlib
import itertools
import random

import numpy as np
import pytest
from taken_batches import taken

from esrgan.data import (
    CODECS,
    LmdbPairs,
    Recipe,
    build_dataset,
    write_png,
)
from esrgan.data.datamodule import PatchDataModule
from esrgan.data.patches import PatchDataset
from esrgan.degradations import resize_uint8
from esrgan.types import Pair

ITERATIONS, BATCH_SIZE, NUM_PAIRS = 30, 8, 50  # almost five epochs, none a whole number of batches


class CodedPairs:
    """Every pixel of a pair says where it is: (pair, row, column)."""

    scale = 4

    def __len__(self):
        return NUM_PAIRS

    def key(self, index):
        return f"photo{index}"

    def lq_size(self, index):
        return 12 + index % 5, 20 - index % 3

    def read_crop(self, index, top, left, size):
        return Pair(
            lq=_coded(index, top, left, size),
            gt=_coded(index, self.scale * top, self.scale * left, self.scale * size),
        )


def _coded(index, top, left, size):
    rows, columns = np.mgrid[top : top + size, left : left + size]
    return np.stack([np.full_like(rows, index), rows, columns], axis=2).astype(np.uint8)


def stream(pairs=None, *, stop=ITERATIONS, seed=3, rank=0, world_size=1, **arguments):
    """Per iteration, per sample: three corners of the lq patch, a hash of all pixels."""
    module = PatchDataModule(
        train=PatchDataset(pairs or CodedPairs(), patch_size=32, seed=seed),
        batch_size=BATCH_SIZE,
        iterations=stop,
        **{"num_workers": 0} | arguments,
    )
    return [
        [_describe(lq, gt) for lq, gt in zip(batch["lq"].numpy(), batch["gt"].numpy(), strict=True)]
        for batch in taken(module, rank=rank, world_size=world_size)
    ]


def _describe(lq, gt):
    corners = (lq[0, 0].tolist(), lq[0, -1].tolist(), lq[-1, 0].tolist())
    return *corners, hashlib.sha256(lq.tobytes() + gt.tobytes()).hexdigest()


def _joined(shares):
    """The global batches of which each process had a share."""
    return [list(itertools.chain(*parts)) for parts in zip(*shares, strict=True)]


@pytest.fixture(scope="module")
def expected():
    return stream()


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes")
@pytest.mark.parametrize("num_workers", [1, 4])
def test_it_does_not_depend_on_the_number_of_workers(expected, num_workers):
    assert stream(num_workers=num_workers) == expected


@pytest.fixture(scope="module")
def lmdb_pairs(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("stream"), np.random.default_rng(0)
    for name in "abcdefg":
        write_png(folder / f"{name}.png", rng.integers(0, 256, (48, 64, 3), np.uint8))
    recipe = Recipe(scale=4, codec=CODECS["raw"], downscale=resize_uint8)
    build_dataset(folder / "built", recipe, gt_folders=[folder])
    return LmdbPairs(folder=folder / "built", scale=4)


@pytest.mark.parametrize("start_method", ["fork", "spawn", "forkserver"])
def test_it_does_not_depend_on_how_workers_are_started(lmdb_pairs, start_method):
    in_this_process = stream(lmdb_pairs, stop=6)  # which has the files open from now on
    assert stream(lmdb_pairs, stop=6, num_workers=1, start_method=start_method) == in_this_process


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_it_does_not_depend_on_the_number_of_processes(expected, world_size):
    shares = [stream(rank=rank, world_size=world_size) for rank in range(world_size)]
    assert _joined(shares) == expected


def test_it_continues_from_any_iteration(expected):
    for start in random.Random(0).sample(range(ITERATIONS), 20):
        assert stream(start_iteration=start) == expected[start:]


def test_it_continues_with_another_number_of_workers_and_processes(expected):
    shares = [
        stream(num_workers=2, start_iteration=17, rank=rank, world_size=2) for rank in range(2)
    ]
    assert _joined(shares) == expected[17:]


def test_each_epoch_shows_every_pair_once_and_none_twice(expected):
    pairs = [sample[0][0] for sample in itertools.chain.from_iterable(expected)]
    epochs = [pairs[start : start + NUM_PAIRS] for start in range(0, len(pairs), NUM_PAIRS)]
    assert all(sorted(epoch) == list(range(NUM_PAIRS)) for epoch in epochs[:-1])
    assert len(set(epochs[-1])) == len(epochs[-1]) == ITERATIONS * BATCH_SIZE % NUM_PAIRS


def test_another_seed_gives_another_stream(expected):
    other = stream(seed=4)
    assert [sample[-1] for sample in other[0]] != [sample[-1] for sample in expected[0]]
    assert [sample[0][0] for sample in other[0]] != [sample[0][0] for sample in expected[0]]
