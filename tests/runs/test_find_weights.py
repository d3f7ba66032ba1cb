import hashlib
import logging
import os
import struct

import pytest
import torch

from esrgan.runs import CheckpointError, RunFolder, find_weights


@pytest.fixture
def run(tmp_path):
    """A run with checkpoints that are, as after copying, older than their release."""
    folder = RunFolder(tmp_path / "run")
    folder.checkpoints.mkdir(parents=True)
    files = []
    for iteration in (1000, 900):
        content = f"after {iteration} iterations".encode()
        digest = hashlib.sha256(content).hexdigest()[:16]
        files.append(folder.checkpoints / f"iteration_{iteration:08d}-{digest}.ckpt")
        files[-1].write_bytes(content)
    torch.save({"weight": torch.ones(64)}, folder.release)
    for time, file in enumerate([*files, folder.release]):
        os.utime(file, (time, time))
    return folder


def safetensors(path, missing=0):
    """A file of this format by its description: a length, a header, the bytes of tensors."""
    header = b'{"w":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"__metadata__":{"a":"b"}}'
    content = struct.pack("<Q", len(header)) + header + b"12345"
    path.write_bytes(content[: len(content) - missing])
    return path


def test_the_newest_checkpoint_is_that_of_the_last_iteration(run):
    (run.checkpoints / "iteration_00002000.ckpt.tmp").touch()  # not written to its end
    (run.checkpoints / "mine.ckpt").touch()
    iterations = [path.name[10:18] for path in run.list_checkpoints()]
    assert iterations == ["00001000", "00000900"]


def test_a_run_stands_for_its_newest_release_or_checkpoint(run):
    assert find_weights(str(run.path)) == run.release
    later = safetensors(run.path / "later.safetensors")
    assert run.newest_weights() == later
    later.unlink()
    run.release.unlink()
    assert find_weights(str(run.path)) == run.list_checkpoints()[0]


def cut(file, size):
    file.write_bytes(file.read_bytes()[:size])


def change(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    "damage", [change, lambda f: cut(f, 1000), lambda f: cut(f, 1), lambda f: cut(f, 0)]
)
def test_a_damaged_release_gives_way_to_the_newest_checkpoint(run, damage, caplog):
    damage(run.release)
    with caplog.at_level(logging.WARNING):
        assert run.newest_weights() == run.list_checkpoints()[0]
    assert f"{run.release} is damaged" in caplog.text


@pytest.mark.parametrize("missing", [1, 5, 60, 84])
def test_so_does_a_safetensors_that_was_cut(run, missing):
    later = safetensors(run.path / "later.safetensors", missing)
    assert run.newest_weights() == run.release
    assert later.exists()


def test_a_damaged_checkpoint_gives_way_to_the_one_before(run, caplog):
    run.release.unlink()
    newest, before = run.list_checkpoints()
    change(newest)
    assert find_weights(str(run.path)) == before
    assert f"{newest} is damaged" in caplog.text


def test_where_all_is_damaged_nothing_is_given_out(run):
    for file in [run.release, *run.list_checkpoints()]:
        cut(file, 3)
    with pytest.raises(CheckpointError, match=r"all the weights in .* are damaged"):
        run.newest_weights()


def test_a_file_stands_for_itself(run):
    older = run.list_checkpoints()[1]
    assert find_weights(str(older)) == older


def test_what_is_neither_is_named(tmp_path):
    assert RunFolder(tmp_path).newest_weights() is None
    for word in (str(tmp_path), "none.pth"):
        with pytest.raises(ValueError, match="must be a file of weights, or the folder of a run"):
            find_weights(word)
