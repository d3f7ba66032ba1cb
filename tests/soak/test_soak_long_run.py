"""Twenty thousand iterations: what a run of two weeks would show of leaks."""

import csv
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import linear_regression, median
from typing import NamedTuple

import pytest
from run_content import logged_iterations

ITERATIONS = 20_000
LARGEST_SLOPE = 1 << 20  # bytes in 1,000 iterations
SLOWER = 1.05
MOST_AT_THE_MOMENT = 8
INTERVAL = 0.5  # seconds between two looks
TOO_SHORT = 5000  # iterations, of which no slope can be told
TRAIN = Path(__file__).parents[2] / "train.py"


class Look(NamedTuple):
    """At a process of the run, by its number."""

    pid: int
    iteration: int
    memory: int
    """Of its own, in bytes."""

    num_files: int


@pytest.fixture(scope="module")
def run(settings, tmp_path_factory, share_of):
    """The run's folder and what was seen of its processes, the start left out."""
    if share_of(ITERATIONS) < TOO_SHORT:
        pytest.skip(
            f"ESRGAN_SOAK leaves fewer than {TOO_SHORT} iterations, too few to tell a slope"
        )
    folder = tmp_path_factory.mktemp("long")
    long = settings | {
        "iterations": share_of(ITERATIONS),
        "data.num_workers": 2,
        "log_every": 20,
        "validation.every": 1000,
        "checkpoints.every": 500,
    }
    words = [f"{key}={value}" for key, value in long.items()]
    output = (folder / "output").open("w")
    process = subprocess.Popen(
        [sys.executable, TRAIN, *words],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=output,
        stderr=output,
    )
    looks: list[Look] = []
    run = folder / "experiments/run"
    while process.poll() is None:
        iteration = max(logged_iterations(run / "train.csv"), default=0)
        if long["iterations"] // 5 < iteration < long["iterations"]:  # then it ends
            looks += filter(None, (look(pid, iteration) for pid in family(process.pid)))
        time.sleep(INTERVAL)
    assert process.returncode == 0, (folder / "output").read_text()
    return run, looks


def family(pid: int) -> list[int]:
    try:
        return [
            pid,
            *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()),
        ]
    except FileNotFoundError:
        return []


def look(pid: int, iteration: int) -> Look | None:
    """None: it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        own = next(line for line in lines if line.startswith("RssAnon:"))
        num_files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        return Look(pid, iteration, int(own.split()[1]) << 10, num_files)
    except (OSError, StopIteration):
        return None


def by_process(looks: list[Look]) -> list[list[Look]]:
    """Those that trained throughout, and not only while something was validated or written."""
    pids = {look.pid for look in looks}
    several = [[look for look in looks if look.pid == pid] for pid in pids]
    longest = max(map(len, several))
    return [those for those in several if len(those) > longest / 2]


def test_memory_stays_what_it_was_in_every_process(run):
    _, looks = run
    processes = by_process(looks)
    assert len(processes) == 3
    for process in processes:
        iterations, memory = [one.iteration for one in process], [one.memory for one in process]
        slope = linear_regression(iterations, memory).slope
        assert slope * 1000 < LARGEST_SLOPE, process[0].pid


def test_the_number_of_open_files_stays_what_it_was(run):
    _, looks = run
    for process in by_process(looks):
        usual = median(one.num_files for one in process)
        # Batches on their way have two each; a checkpoint or a log may be open at the moment
        assert all(abs(one.num_files - usual) <= MOST_AT_THE_MOMENT for one in process)
        assert median(one.num_files for one in process[-20:]) == usual


def test_the_last_tenth_is_as_fast_as_the_second(run):
    folder, _ = run
    with (folder / "speed.csv").open() as file:
        rows = [(int(r["iteration"]), float(r["samples_per_second"])) for r in csv.DictReader(file)]
    last = rows[-1][0]
    second = [speed for iteration, speed in rows if 0.1 * last < iteration <= 0.2 * last]
    tenth = [speed for iteration, speed in rows if 0.9 * last < iteration]
    assert median(second) < SLOWER * median(tenth)
