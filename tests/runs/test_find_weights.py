import os

import pytest

from esrgan.runs import RunFolder, find_weights


@pytest.fixture
def run(tmp_path):
    """A run with checkpoints that are, as after copying, older than their release."""
    folder = RunFolder(tmp_path / "run")
    folder.checkpoints.mkdir(parents=True)
    names = ["00001000-0000000000000000", "00000900-ffffffffffffffff"]
    checkpoints = [folder.checkpoints / f"iteration_{name}.ckpt" for name in names]
    for time, file in enumerate([*checkpoints, folder.release]):
        file.touch()
        os.utime(file, (time, time))
    return folder


def test_the_newest_checkpoint_is_that_of_the_last_iteration(run):
    (run.checkpoints / "iteration_00002000.ckpt.tmp").touch()  # not written to its end
    (run.checkpoints / "mine.ckpt").touch()
    iterations = [path.name[10:18] for path in run.list_checkpoints()]
    assert iterations == ["00001000", "00000900"]


def test_a_run_stands_for_its_newest_release_or_checkpoint(run):
    assert find_weights(str(run.path)) == run.release
    later = run.path / "later.safetensors"
    later.touch()
    assert run.newest_weights() == later
    later.unlink()
    run.release.unlink()
    assert find_weights(str(run.path)) == run.list_checkpoints()[0]


def test_a_file_stands_for_itself(run):
    older = run.list_checkpoints()[1]
    assert find_weights(str(older)) == older


def test_what_is_neither_is_named(tmp_path):
    assert RunFolder(tmp_path).newest_weights() is None
    for word in (str(tmp_path), "none.pth"):
        with pytest.raises(ValueError, match="must be a file of weights, or the folder of a run"):
            find_weights(word)
