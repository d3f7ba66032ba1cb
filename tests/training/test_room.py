import errno
import logging
import os
import shutil
from collections import namedtuple

import pytest

from esrgan.training.room import LOGS, Room


def refused(number):
    return OSError(number, os.strerror(number), "iteration_00000010.ckpt.tmp")


def writes(*results):
    """A write that is refused so and so, or not."""
    left = list(results)

    def write():
        result = left.pop(0)
        if result:
            raise result

    write.left = left
    return write


def going_on():
    return False


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_write_is_tried_again_and_it_is_said(tmp_path, caplog, number):
    write = writes(refused(number), refused(number), None)
    Room(tmp_path, retries=2, wait=0).write(write, is_stopped=going_on)
    assert not write.left
    said = [record.getMessage() for record in caplog.records]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "iteration_00000010.ckpt.tmp: " in said[0]
    assert [words.split("in 0 s, ")[1] for words in said] == [
        "2 more times: make room",
        "1 more times: make room",
    ]


def test_in_the_end_the_error_is_raised(tmp_path):
    write = writes(*[refused(errno.ENOSPC)] * 4)
    with pytest.raises(OSError, match="No space left"):
        Room(tmp_path, retries=2, wait=0).write(write, is_stopped=going_on)
    assert len(write.left) == 1


def test_other_errors_are_not_waited_for(tmp_path):
    with pytest.raises(PermissionError):
        Room(tmp_path, retries=2, wait=60).write(writes(refused(errno.EACCES)), is_stopped=going_on)


def test_nobody_waits_where_the_run_is_to_stop(tmp_path):
    write = writes(*[refused(errno.ENOSPC)] * 2)
    with pytest.raises(OSError, match="No space left"):
        Room(tmp_path, retries=9, wait=3600).write(write, is_stopped=lambda: True)
    assert len(write.left) == 1


def test_a_signal_ends_the_wait_too(tmp_path):
    write = writes(*[refused(errno.ENOSPC)] * 3)
    asked = iter([False, False, False, True, True])
    with pytest.raises(OSError, match="No space left"):
        Room(tmp_path, retries=9, wait=3600).write(write, is_stopped=lambda: next(asked))
    assert len(write.left) == 1


def test_logs_wait_for_more_than_nothing(tmp_path, monkeypatch, caplog):
    usage, free = namedtuple("usage", "free"), [LOGS - 1, LOGS]
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(free.pop(0)))
    Room(tmp_path / "new", retries=1, wait=0).wait_for_logs(is_stopped=going_on)
    assert not free
    assert "No space left on device: trying again" in caplog.text


@pytest.mark.parametrize("given", [{"retries": -1, "wait": 0}, {"retries": 0, "wait": -1}])
def test_numbers_below_zero_are_refused(tmp_path, given):
    with pytest.raises(ValueError, match=r"checkpoints\.full_disk_\w+ \(-1\) must be at least 0"):
        Room(tmp_path, **given)
