"""Samples that fail, and processes that die or hang while they load."""

import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from taken_batches import take, taken

from esrgan.data.datamodule import PatchDataModule
from esrgan.data.patches import PatchDataset
from esrgan.types import Pair

SIGKILL = signal.SIGKILL


class FaultyPairs:
    """Images of one value, of which one fails in some way as often as is asked for."""

    scale = 2
    bad = 5

    def __init__(self, folder: Path, fault, times=1000):
        self.folder, self.fault, self.times = folder, fault, times

    def __len__(self):
        return 12

    def key(self, index):
        return f"photo{index}"

    def place(self, index):
        return "photos"

    def lq_size(self, index):
        return 8, 8

    def read_crop(self, index, top, left, size):
        if index == self.bad and len(list(self.folder.iterdir())) < self.times:
            (self.folder / str(time.monotonic_ns())).touch()  # in whichever process
            self.fault()
        shape = (size, size, 3)
        return Pair(np.full(shape, index, np.uint8), np.full((16, 16, 3), index, np.uint8))


def raises():
    raise OSError("the disk\nis gone")


def is_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def ends():
    os._exit(3)


def sound():
    pass


@pytest.fixture
def make(tmp_path):
    def make_module(fault, *, times=1000, **changed):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        pairs = FaultyPairs(folder, fault, times)
        dataset = PatchDataset(pairs, patch_size=16, seed=0)
        arguments = {"batch_size": 4, "iterations": 6, "num_workers": 1}
        return PatchDataModule(train=dataset, **arguments | changed)

    return make_module


def shown(module, **how):
    return [batch["gt"][:, 0, 0, 0].tolist() for batch in taken(module, **how)]


@pytest.fixture
def expected(make):
    return shown(make(sound, num_workers=0))


@pytest.fixture
def bad(expected):
    """The number of the first sample of the bad image."""
    return [index for batch in expected for index in batch].index(FaultyPairs.bad)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_sample_that_fails_once_is_made_at_the_second_attempt(make, expected, num_workers):
    assert shown(make(raises, times=1, num_workers=num_workers)) == expected


@pytest.mark.parametrize("num_workers", [0, 1])
def test_one_that_fails_twice_is_named_in_a_line(make, bad, num_workers):
    with pytest.raises(ValueError, match="skip_bad_samples=true leaves such samples out") as caught:
        taken(make(raises, num_workers=num_workers))
    what = f"sample {bad} (pair 'photo5' of photos) cannot be read: the disk is gone: "
    assert str(caught.value).startswith(what)
    assert "\n" not in str(caught.value)


def test_what_is_left_out_and_what_stands_in_its_place_follow_from_the_number(
    make, expected, bad, caplog
):
    found = shown(make(raises, num_workers=0), skip_bad=True)
    differing = [(t, i) for t in range(6) for i in range(4) if found[t][i] != expected[t][i]]
    assert {expected[t][i] for t, i in differing} == {FaultyPairs.bad}
    assert len(differing) == 2  # every image is shown once in an epoch
    assert not any(FaultyPairs.bad in batch for batch in found)
    assert shown(make(raises, num_workers=2), skip_bad=True) == found
    shares = [shown(make(raises), skip_bad=True, rank=rank, world_size=2) for rank in (0, 1)]
    assert [a + b for a, b in zip(*shares, strict=True)] == found
    assert shown(make(raises, start_iteration=3), skip_bad=True) == found[3:]
    (words,) = {r.message for r in caplog.records if f"sample {bad} " in r.message}
    assert "the disk is gone: it is left out" in words


@pytest.mark.parametrize(
    ("fault", "how"),
    [(is_killed, r"was killed by SIGKILL \(.*memory runs out\)"), (ends, "ended with exit code 3")],
)
def test_a_process_that_dies_is_told_with_its_sample(make, bad, fault, how):
    name = rf"sample {bad} \(pair 'photo5' of photos\)"
    with pytest.raises(ValueError, match=f"a loading process {how} at {name}: restarts=3 lets"):
        taken(make(fault))


def test_loading_begins_again_with_the_same_samples(make, expected, caplog):
    assert shown(make(is_killed, times=1), restarts=1) == expected
    assert "loading begins again (0 more times)" in caplog.text


def test_a_sample_that_kills_twice_is_named_or_left_out(make, expected, bad):
    with pytest.raises(ValueError, match=rf"sample {bad} .*, for the second time: skip_bad"):
        taken(make(is_killed), restarts=9)
    found = shown(make(is_killed), restarts=9, skip_bad=True)
    assert found == shown(make(raises), skip_bad=True) != expected


def begun(module):
    """Its stream, of which one batch was taken, and the processes that load for it."""
    before = set(psutil.Process().children())
    stream = module.stream()
    take(stream)
    return stream, sorted(set(psutil.Process().children()) - before, key=lambda each: each.pid)


def test_a_process_that_is_killed_while_it_waits_is_told_without_a_sample(make):
    stream, (worker,) = begun(make(sound, iterations=50))
    while worker.status() != psutil.STATUS_SLEEPING:
        time.sleep(0.01)
    worker.send_signal(SIGKILL)
    with pytest.raises(ValueError, match=r"was killed by SIGKILL .*, between two samples: restart"):
        while True:
            take(stream)


def test_a_frozen_process_is_named_and_ended(make):
    stream, workers = begun(make(sound, iterations=1000, num_workers=2))
    workers[0].suspend()
    while stream.take(timeout=0.5) is not None:
        pass
    assert re.search(rf"loading process {workers[0].pid} \(stopped\) is at", stream.waiting_for())
    stream.close()
    assert psutil.wait_procs(workers, timeout=10)[1] == []


def test_what_dies_raises_nothing_even_after_pytorch_has_loaded_by_itself(make):
    """Its own handler, once set, stays; it raises in whatever the main thread does."""
    before = signal.getsignal(signal.SIGCHLD)
    list(torch.utils.data.DataLoader([1.0], num_workers=1))
    stream, (worker,) = begun(make(sound, iterations=50))
    worker.send_signal(SIGKILL)
    worker.wait()
    time.sleep(0.1)  # here it would
    stream.close()
    signal.signal(signal.SIGCHLD, before)


def test_the_handler_of_dead_children_is_as_it_was(make):
    def handler(number, frame):
        pass

    before = signal.signal(signal.SIGCHLD, handler)
    shown(make(sound))
    assert signal.signal(signal.SIGCHLD, before) is handler


def test_an_error_of_pytorch_itself_becomes_a_line(make, monkeypatch):
    stream = make(sound).stream()
    stream.close()
    batches = torch.utils.data.dataloader._MultiProcessingDataLoaderIter
    monkeypatch.setattr(batches, "_try_get_data", lambda *_: raises())
    with pytest.raises(ValueError, match="loading failed: the disk is gone: restarts=3"):
        taken(make(sound))
