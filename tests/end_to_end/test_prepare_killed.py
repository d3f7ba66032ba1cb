"""A build that is killed at any moment, as often as may be, ends as if it had never been."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import lmdb
import numpy as np
import pytest

from esrgan.data.check import find_problems
from esrgan.data.images import write_png

ROOT = Path(__file__).parents[2]
# small transactions, so that there are many moments between two writes
BUILD = """
import sys
from pathlib import Path
from esrgan.data import CODECS, Recipe, SubImages, prepare
from esrgan.degradations import resize_double

if __name__ == "__main__":
    prepare._TRANSACTION_BYTES = 50_000
    recipe = Recipe(4, CODECS["raw"], resize_double, SubImages(size=64, step=32))
    photos, output, processes = sys.argv[1:]
    gt_folders = [Path(photos)]
    prepare.build_dataset(
        Path(output), recipe, gt_folders=gt_folders, processes=int(processes)
    )
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    (folder / "photos").mkdir()
    (folder / "build.py").write_text(BUILD)
    rng = np.random.default_rng(0)
    for number in range(150):  # twenty kills must not reach the end
        image = rng.integers(0, 256, (100 + number % 60, 120, 3), np.uint8)
        write_png(folder / "photos" / f"{number:03d}.png", image)
    assert start(folder, "whole").wait() == 0
    return folder


def start(folder, name, processes=1):
    command = [sys.executable, folder / "build.py", folder / "photos", folder / name]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*command, str(processes)], env=environment)


def wait_for_progress(build, journal, size):
    while build.poll() is None and not (journal.exists() and journal.stat().st_size > size):
        time.sleep(0.001)


def records(dataset):
    values = [(dataset / "records.tsv").read_bytes()]
    for name in ("gt.lmdb", "lq.lmdb"):
        with lmdb.open(str(dataset / name), readonly=True, lock=False) as environment:
            values += [part for item in environment.begin().cursor() for part in item]
    return values


def kill_and_continue(folder, name, num_kills):
    moments = random.Random(name)
    journal = folder / f"{name}.partial" / "journal.tsv"
    for _ in range(num_kills):
        build = start(folder, name)
        size = journal.stat().st_size if journal.exists() else -1
        wait_for_progress(build, journal, size)
        time.sleep(moments.uniform(0, 0.02))
        build.kill()
        assert build.wait() == -signal.SIGKILL
        assert not (folder / name).exists()
    assert start(folder, name).wait() == 0
    assert records(folder / name) == records(folder / "whole")
    assert list(find_problems(folder / name)) == []
    assert not (folder / f"{name}.partial").exists()


def test_a_build_killed_five_times_has_the_same_records(folder):
    kill_and_continue(folder, "five", 5)


@pytest.mark.soak
def test_a_build_killed_twenty_times_has_the_same_records(folder):
    kill_and_continue(folder, "twenty", 20)


def test_no_encoding_process_outlives_a_killed_build(folder):
    build = start(folder, "orphans", processes=2)
    journal = folder / "orphans.partial" / "journal.tsv"
    wait_for_progress(build, journal, 0)
    children = descendants(build.pid)
    build.send_signal(signal.SIGKILL)
    build.wait()
    assert children
    end = time.monotonic() + 10
    while any(is_running(child) for child in children) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(is_running(child) for child in children)


def descendants(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    return [int(child) for child in children.split()]


def is_running(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
