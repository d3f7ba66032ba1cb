"""Samples that cannot be made, and loading processes that die, in a training."""

import signal

import psutil
import pytest
from run_content import content

from esrgan.runs import read_newest

AT = 70 // 2  # samples are two an iteration: so many are done when it is wanted
PREFETCHED = 4  # batches: two by each of two processes


@pytest.fixture(scope="module")
def with_workers(settings):
    return settings | {"data.num_workers": 2}


def error(training):
    assert "Traceback" not in training.stderr
    (line,) = [line for line in training.stderr.splitlines() if line.startswith("error: ")]
    return line


@pytest.mark.parametrize(
    ("fault", "how", "earliest"),
    [
        ("a_sample_raises", "error: sample 70 (pair '", AT),
        # What other processes had made meanwhile is not waited for
        ("a_sample_kills", "error: a loading process was killed by SIGKILL", AT - PREFETCHED),
    ],
)
def test_the_sample_and_its_data_set_are_named_and_no_iteration_is_lost(
    server, with_workers, finished, tmp_path, fault, how, earliest
):
    training = server.start(tmp_path, with_workers, fault=fault)
    assert training.wait() == 2
    assert error(training).startswith(how)
    assert f"of {with_workers['train_set']})" in error(training)
    saved = read_newest(training.run / "checkpoints")["iteration"]
    assert earliest <= saved <= AT
    assert f"resume=true goes on from iteration {saved}" in error(training)

    assert server.start(tmp_path, with_workers | {"resume": True}).wait() == 0
    assert content(training.run) == content(finished / "experiments/run")


def freeze(training):
    """Stop its loading processes in whatever they do; what they have made is used up."""
    training.wait_for_iteration(10)
    for worker in psutil.Process(training.pid).children():
        worker.suspend()


@pytest.mark.slow
def test_a_frozen_loading_process_ends_the_run_after_the_longest_wait(
    server, with_workers, finished, tmp_path
):
    training = server.start(tmp_path, with_workers | {"longest_wait": 1})
    freeze(training)
    assert training.wait() == 75
    assert "no samples for iteration" in training.stdout
    assert "in 1 s (longest_wait): loading process" in training.stdout
    assert "(stopped) is at" in training.stdout
    saved = read_newest(training.run / "checkpoints")["iteration"]
    assert f"goes on from iteration {saved}" in training.stdout
    assert server.start(tmp_path, with_workers | {"resume": True}).wait() == 0
    assert content(training.run) == content(finished / "experiments/run")


def test_a_signal_ends_a_run_that_waits_for_a_frozen_process(server, with_workers, tmp_path):
    training = server.start(tmp_path, with_workers)
    freeze(training)
    training.send(signal.SIGTERM)
    assert training.wait() == 75
    assert "stopped by SIGTERM" in training.stdout
    assert read_newest(training.run / "checkpoints")["iteration"] > 10


def test_a_process_that_died_is_replaced_and_nothing_differs(
    server, with_workers, finished, tmp_path
):
    once = with_workers | {"restarts": 1}
    training = server.start(tmp_path, once, fault="a_sample_kills_once")
    assert training.wait() == 0, training.stderr
    assert "at sample 70 (" in training.stdout
    assert "loading begins again (0 more times)" in training.stdout
    assert content(training.run) == content(finished / "experiments/run")


def test_what_is_left_out_is_the_same_whoever_leaves_it_out(server, with_workers, tmp_path):
    """A sample that raises, or kills; for one process, for two; whole, or continued."""
    skip = with_workers | {"skip_bad_samples": True, "iterations": 40, "precision": "64-true"}
    folders = {name: tmp_path / name for name in ("raises", "kills", "two")}
    for folder in folders.values():
        folder.mkdir()
    raises = server.start(folders["raises"], skip, fault="a_sample_raises")
    kills = server.start(folders["kills"], skip | {"restarts": 2}, fault="a_sample_kills")
    two = server.start_several(folders["two"], skip, count=2, fault="a_sample_raises")
    assert [each.wait() for each in (raises, kills, *two)] == [0, 0, 0, 0], kills.stderr
    assert "is broken: it is left out" in raises.stdout
    assert "ends the process that makes it: it is left out" in kills.stdout
    assert content(kills.run) == content(raises.run)
    alone, together = (read_newest(run / "checkpoints") for run in (raises.run, two[0].run))
    for key, weight in alone["generator"].items():
        assert (weight - together["generator"][key]).abs().max() < 1e-9


def test_a_sample_that_one_of_two_processes_cannot_make_ends_both(server, with_workers, tmp_path):
    processes = server.start_several(tmp_path, with_workers, count=2, fault="a_sample_raises")
    assert [process.wait() for process in processes] == [2, 2]
    said = [error(process) for process in processes]
    assert sum("sample 70 (pair" in line for line in said) == 1
    assert sum("another process has no samples to go on with" in line for line in said) == 1
    assert read_newest(tmp_path / "experiments/run/checkpoints")["iteration"] == AT
