import itertools
import multiprocessing
import pickle
import re

import numpy as np
import pytest
import torch
from taken_batches import taken

from esrgan.data.datamodule import PatchDataModule
from esrgan.data.patches import PatchDataset
from esrgan.types import Pair


class FlatPairs:
    """Images of one value: the index of the pair."""

    scale = 2

    def __len__(self):
        return 12

    def key(self, index):
        return f"photo{index}"

    def lq_size(self, index):
        return 8, 8

    def read_crop(self, index, top, left, size):
        shape = (size, size, 3)
        return Pair(np.full(shape, index, np.uint8), np.full((16, 16, 3), index, np.uint8))

    def verify(self):
        raise ValueError("photo3: one bit is wrong")


def make(pairs=None, **changed):
    dataset = PatchDataset(pairs or FlatPairs(), patch_size=16, seed=0)
    arguments = {"train": dataset, "batch_size": 4, "iterations": 6, "num_workers": 0}
    return PatchDataModule(**arguments | changed)


def shown(module):
    return [batch["gt"][:, 0, 0, 0].tolist() for batch in taken(module)]


@pytest.mark.parametrize("num_workers", [0, 1])
def test_batches_are_bytes_until_the_device(num_workers):
    batch = taken(make(num_workers=num_workers))[0]
    assert set(batch) == {"lq", "gt"}
    assert (batch["lq"].dtype, batch["gt"].dtype) == (torch.uint8, torch.uint8)
    assert (batch["lq"].shape, batch["gt"].shape) == ((4, 8, 8, 3), (4, 16, 16, 3))


def test_a_start_iteration_continues_the_stream():
    whole, rest = (make(start_iteration=start) for start in (0, 4))
    assert list(rest.iterations) == [4, 5]
    assert shown(rest) == shown(whole)[4:]


@pytest.mark.parametrize("start_method", multiprocessing.get_all_start_methods())
def test_workers_are_started_as_asked(start_method, monkeypatch):
    context, asked = torch.multiprocessing.get_context, []
    monkeypatch.setattr(
        torch.multiprocessing, "get_context", lambda method: asked.append(method) or context(method)
    )
    assert shown(make(num_workers=1, start_method=start_method)) == shown(make())
    assert asked == [start_method]


@pytest.mark.parametrize("num_workers", [0, 1])
def test_loading_leaves_the_global_random_state_alone(num_workers):
    before = torch.get_rng_state()
    taken(make(num_workers=num_workers))
    assert torch.equal(before, torch.get_rng_state())


def test_verify_checks_the_data_set():
    with pytest.raises(ValueError, match="photo3: one bit is wrong"):
        make().verify()


def test_it_can_be_pickled():
    copy = pickle.loads(pickle.dumps(make()))
    assert shown(copy) == shown(make())


def test_a_batch_is_made_again_by_its_iteration():
    images, batch = make().batch_of(3)
    assert list(images) == [8, 9, 10, 11]
    shown_there = batch["gt"][:, 0, 0, 0].tolist()
    assert shown_there == shown(make())[2]
    assert list(images.values()) == [f"photo{index}" for index in shown_there]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"num_workers": -1}, "num_workers (-1) must be at least 0"),
        ({"start_method": "thread"}, "start_method (thread) must be one of fork, "),
        ({"batch_size": 0}, "batch_size (0) must be at least 1"),
        ({"start_iteration": 7}, "start_iteration (7) must lie between 0 and iterations (6)"),
        ({"pool": {"size": 9, "batch": 2}}, "data.pool.size (9) must be a multiple of"),
        ({"pool": {"size": 9, "batch": 3}}, "batch_size (4) must be a multiple of data.pool.batch"),
    ],
)
def test_a_number_that_cannot_work_is_refused_at_once(changed, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make(**changed)


def test_each_pair_is_shown_once_per_epoch_of_the_data_set():
    shown_pairs = list(itertools.chain.from_iterable(shown(make())))
    assert sorted(shown_pairs[:12]) == sorted(shown_pairs[12:]) == list(range(12))


def test_a_pool_mixes_the_samples_and_is_continued():
    pool = {"size": 8, "batch": 2}
    whole = numbers_of(make(pool=pool, iterations=30))
    assert whole[:4] == [[4 * t, 4 * t + 1, 4 * t + 2, 4 * t + 3] for t in range(4)]
    assert whole[4] != [16, 17, 18, 19]
    assert numbers_of(make(pool=pool, iterations=30, start_iteration=11)) == whole[11:]
    other = PatchDataset(FlatPairs(), patch_size=16, seed=1)
    assert numbers_of(make(pool=pool, iterations=30, train=other)) != whole


def numbers_of(module):
    return [list(module.batch_of(iteration + 1)[0]) for iteration in module.iterations]


@pytest.mark.parametrize(
    "pool", [{}, {"size": 180}, {"size": 180, "bacth": 12}, {"size": "180", "batch": 12}]
)
def test_a_pool_that_is_none_is_refused(pool):
    message = f"data.pool ({pool}) must have size and batch, as {{size: 180, batch: 12}}"
    with pytest.raises(ValueError, match=re.escape(message)):
        make(pool=pool)
