"""A run that is asked to stop, or cannot go on, ends cleanly and can be continued."""

import signal
from pathlib import Path

import pytest
import torch
from run_content import content, logged_iterations

from esrgan.runs import read_checkpoint, read_newest


@pytest.mark.parametrize(
    ("number", "to_the_group"),
    [
        (signal.SIGINT, True),  # Ctrl-C in a terminal
        (signal.SIGTERM, False),
        pytest.param(signal.SIGINT, False, marks=pytest.mark.soak),
        pytest.param(signal.SIGTERM, True, marks=pytest.mark.soak),
    ],
)
def test_a_signal_ends_the_run_with_a_checkpoint_to_continue_from(
    server, settings, finished, tmp_path, number, to_the_group
):
    with_workers = settings | {"data.num_workers": 2}
    training = server.start(tmp_path, with_workers)
    training.wait_for_iteration(20)
    workers = children(training.pid)
    assert len(workers) == 2
    training.send(number, to_the_group=to_the_group)
    assert training.wait() == 75
    assert f"stopped by {number.name}" in training.stdout
    assert "resume=true" in training.stdout
    assert "Traceback" not in training.stderr
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    iteration = read_newest(training.run / "checkpoints")["iteration"]
    assert iteration - logged_iterations(training.run / "train.csv")[-1] < 3  # that many a line
    assert not (training.run / "run.pth").exists()

    assert server.start(tmp_path, with_workers | {"resume": True}).wait() == 0
    assert content(training.run) == content(finished / "experiments/run")


@pytest.mark.parametrize(
    "at",
    [
        pytest.param(10, id="with checkpoint"),
        pytest.param(12, id="without", marks=pytest.mark.slow),
        pytest.param(60, id="the last", marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_a_validation_between_two_images(server, settings, tmp_path, at):
    """What was interrupted is done again."""
    (tmp_path / "whole").mkdir()
    every = settings | {"validation.every": at}
    whole = server.start(tmp_path / "whole", every)
    training = server.start(tmp_path, every, fault="slow_validation")
    training.wait_for(lambda: len(list(tmp_path.glob("reached_*"))) > 2)  # after the baseline's
    training.send(signal.SIGTERM)
    assert training.wait() == 75
    assert len(list(tmp_path.glob("reached_*"))) == 3
    assert f"stopped by SIGTERM; the same command with resume=true goes on from iteration {at}" in (
        training.stdout
    )
    assert not (training.run / "run.pth").exists()

    assert server.start(tmp_path, every | {"resume": True}).wait() == 0
    assert whole.wait() == 0
    assert content(training.run) == content(whole.run)


def test_a_run_may_have_no_validation(server, settings, tmp_path):
    training = server.start(tmp_path, settings | {"validation_set": "null", "iterations": 12})
    assert training.wait() == 0, training.stderr
    assert (training.run / "run.pth").exists()
    assert not (training.run / "val.csv").exists()


def test_a_run_whose_output_nobody_reads_any_more_goes_on(server, settings, finished, tmp_path):
    training = server.start(tmp_path, settings, fault="nobody_reads")
    assert training.wait() == 0
    assert content(training.run) == content(finished / "experiments/run")
    assert "the trained generator is" in (training.run / "train.log").read_text(encoding="utf-8")


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()


def test_a_loss_that_stays_not_a_number_ends_the_run(server, settings, tmp_path):
    broken = {
        "training.losses.pixel.loss._target_": "faults.NotANumberAfter",
        "+training.losses.pixel.loss.calls": 20,
        "training.guard.max_in_a_row": 4,
    }
    training = server.start(tmp_path, settings | broken)
    assert training.wait() == 2
    assert len(errors(training)) == 1
    assert "not finite in 4 iterations in a row" in errors(training)[0]
    assert logged_iterations(training.run / "train.csv")[-1] <= 24
    state = read_newest(training.run / "checkpoints")
    assert state["iteration"] == 20
    assert all(torch.isfinite(weights).all() for weights in state["generator"].values())


def test_no_checkpoint_is_of_a_streak_of_skipped_iterations(server, settings, tmp_path):
    broken = {
        "training.losses.pixel.loss._target_": "faults.NotANumberAfter",
        "+training.losses.pixel.loss.calls": 9,
        "training.guard.max_in_a_row": 20,
        "checkpoints.every": 2,
    }
    training = server.start(tmp_path, settings | broken)
    assert training.wait() == 2
    assert "not finite in 31 iterations in a row" in errors(training)[0]
    assert kept(training) == [4, 6, 8]


def test_no_checkpoint_has_infinite_weights(server, settings, tmp_path):
    """Of a loss and gradients that are finite: only the update is not."""
    broken = {"training.optimizer.lr": 1e38, "schedule.warmup_iterations": 1, "log_every": 1}
    training = server.start(tmp_path, settings | broken | {"checkpoints.every": 1})
    assert training.wait() == 2
    assert "weights of the generator are not finite" in errors(training)[0]
    assert "training.optimizer.lr" in errors(training)[0]
    for path in training.run.glob("checkpoints/*.ckpt"):
        state = read_checkpoint(path)
        for weights in (state["generator"], state["ema"]):
            assert all(torch.isfinite(tensor).all() for tensor in weights.values())


def kept(training):
    paths = training.run.glob("checkpoints/*.ckpt")
    return sorted(int(path.name.split("_")[1][:8]) for path in paths)


@pytest.mark.parametrize("fault", ["full_disk", "file_too_large"])
def test_a_refused_write_leaves_the_checkpoint_before_it(
    server, settings, finished, tmp_path, fault
):
    at_once = {"checkpoints.full_disk_retries": 2, "checkpoints.full_disk_wait": 0}
    training = server.start(tmp_path, settings | at_once, fault=fault)
    assert training.wait() == 2
    assert training.stdout.count("trying again in 0 s") == (2 if fault == "full_disk" else 0)
    assert len(errors(training)) == 1
    assert "experiments/run/checkpoints/iteration_00000010.ckpt.tmp: " in errors(training)[0]
    assert read_newest(training.run / "checkpoints")["iteration"] == 5
    assert not any(training.run.glob("checkpoints/*.tmp"))  # it would keep the disk full

    assert server.start(tmp_path, settings | {"resume": True}).wait() == 0
    assert content(training.run) == content(finished / "experiments/run")


def test_a_disk_that_was_full_for_a_moment_changes_nothing(server, settings, finished, tmp_path):
    at_once = settings | {"checkpoints.full_disk_wait": 0}
    training = server.start(tmp_path, at_once, fault="full_for_a_moment")
    assert training.wait() == 0
    assert "00000010.ckpt.tmp: No space left on device: trying again in 0 s" in training.stdout
    assert content(training.run) == content(finished / "experiments/run")


def errors(training):
    assert "Traceback" not in training.stderr
    return [line for line in training.stderr.splitlines() if line.startswith("error: ")]
