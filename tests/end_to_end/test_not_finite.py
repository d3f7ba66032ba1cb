"""Losses that are now and then not a number: what is logged, what is kept, how it is replayed."""

import math

import pytest
import torch

from esrgan.commands import replay
from esrgan.runs import read_newest
from esrgan.runs.logs import read_log

NOT_A_NUMBER = {
    "training.losses.pixel.loss._target_": "faults.NotANumberAt",
    "+training.losses.pixel.loss.calls": "[11,12]",
    "iterations": 24,
    "schedule.warmup_iterations": 5,
}


@pytest.fixture(scope="module")
def interrupted(server, settings, tmp_path_factory):
    """A run that skipped two updates."""
    training = server.start(tmp_path_factory.mktemp("skipped"), settings | NOT_A_NUMBER)
    assert training.wait() == 0, training.stderr
    return training


def test_skipped_updates_are_counted_and_the_mean_is_of_the_others(interrupted):
    lines = {int(line["iteration"]): line for line in read_log(interrupted.run / "train.csv")}
    assert {i: line["skipped"] for i, line in lines.items() if line["skipped"]} == {12: 2.0}
    assert all(math.isfinite(value) for line in lines.values() for value in line.values())
    guard = read_newest(interrupted.run / "checkpoints")["progress"]["generator"]["guard"]
    assert int(guard["skipped"]) == 2


def test_they_are_said_once_in_words(interrupted):
    said = (interrupted.run / "train.log").read_text()
    assert said.count("2 updates of the generator did not happen") == 1
    assert "WARNING iteration 12: a loss or a gradient was not finite" in said


def test_the_batch_of_the_first_is_kept_and_replayed(interrupted, call):
    (file,) = interrupted.run.glob("skipped/*")
    assert file.name == "iteration_00000011.pt"
    assert str(file.relative_to(interrupted.run.parents[1])) in interrupted.stdout
    kept = torch.load(file, weights_only=True)
    assert list(kept["samples"]) == [20, 21]  # of two a batch
    assert set(kept["samples"].values()) <= set("abcdef")

    code, said, errors = call("replay.py", replay.main, file)
    assert code == 0, errors
    assert "2 samples: 20 (" in said
    # the fault goes by the number of calls, of which this is the first
    assert "all is finite" in said and "not finite\n" not in said

    kept["generator"]["conv_first.weight"] *= 1e30
    kept["generator"]["conv_hr.weight"] *= 1e30
    torch.save(kept, file)
    code, said, errors = call("replay.py", replay.main, file)
    assert code == 0, errors
    assert "the first layer whose output is not finite: generator." in said
    assert "it is skipped again: generator" in said


def test_what_is_no_file_of_a_skipped_iteration_is_refused(call, tmp_path):
    (tmp_path / "text").write_text("no")
    for name in ("nothing", "text"):
        code, _, said = call("replay.py", replay.main, tmp_path / name)
        assert code == 2
        assert "must be a file that a training kept in experiments/NAME/skipped" in said


def test_not_a_number_on_one_of_two_processes_is_skipped_by_both_and_counted_once(
    server, settings, tmp_path
):
    on_one = settings | NOT_A_NUMBER | {"+training.losses.pixel.loss.rank": 1}
    processes = server.start_several(tmp_path, on_one, count=2)
    assert [process.wait() for process in processes] == [0, 0], processes[0].stderr
    lines = read_log(tmp_path / "experiments/run/train.csv")
    assert sum(line["skipped"] for line in lines) == 2
    assert len(list(tmp_path.glob("experiments/run/skipped/*.pt"))) == 1


def test_an_output_that_is_not_finite_names_iteration_network_and_fix(server, settings, tmp_path):
    """Of weights that are finite: only what they compute is not."""
    broken = {"training.optimizer.lr": 1e25, "schedule.warmup_iterations": 1}
    training = server.start(tmp_path, settings | broken | {"validation.every": 1, "iterations": 5})
    assert training.wait() == 2
    (line,) = [line for line in training.stderr.splitlines() if line.startswith("error: ")]
    assert "error: iteration 1: the output of the averaged generator (EMA) is not finite" in line
    assert "for the validation's image x" in line
    assert "training.optimizer.lr" in line
