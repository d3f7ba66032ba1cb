import hashlib
import io
from pathlib import Path

import pytest
import torch
from damage import check_flips_of_a_checkpoint

from esrgan.runs.checkpoints import (
    CheckpointError,
    list_checkpoints,
    read_checkpoint,
    read_newest,
    refuse_renamed,
    remove_old,
    write_checkpoint,
)


def write(folder: Path, *iterations: int) -> list[Path]:
    return [
        write_checkpoint(folder, n, {"iteration": n, "weights": torch.full((64,), float(n))})
        for n in iterations
    ]


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    (path,) = write(tmp_path, 7)
    state = read_checkpoint(path)
    assert state["iteration"] == 7
    assert torch.equal(state["weights"], torch.full((64,), 7.0))


def test_torch_itself_reads_the_file_without_running_code(tmp_path: Path) -> None:
    (path,) = write(tmp_path, 7)
    assert torch.load(path, weights_only=True)["iteration"] == 7


def test_a_flipped_bit_anywhere_is_found(tmp_path: Path) -> None:
    check_flips_of_a_checkpoint(*write(tmp_path, 1), count=200)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_passed_over_for_the_one_before(tmp_path: Path, share: float) -> None:
    _, newest = write(tmp_path, 10, 20)
    content = newest.read_bytes()
    newest.write_bytes(content[: int(len(content) * share)])
    state = read_newest(tmp_path)
    assert state is not None
    assert state["iteration"] == 10


def test_a_run_never_starts_from_nothing_because_all_its_checkpoints_are_damaged(
    tmp_path: Path,
) -> None:
    for path in write(tmp_path, 10, 20):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="none of the 2 checkpoints"):
        read_newest(tmp_path)


def test_a_folder_without_checkpoints_has_no_newest(tmp_path: Path) -> None:
    assert read_newest(tmp_path) is None
    assert read_newest(tmp_path / "missing") is None


def test_a_file_that_was_still_being_written_is_no_checkpoint(tmp_path: Path) -> None:
    write(tmp_path, 10)
    (tmp_path / "iteration_00000020.ckpt.tmp").write_bytes(b"half")
    state = read_newest(tmp_path)
    assert state is not None
    assert state["iteration"] == 10


def test_an_unknown_format_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("esrgan.runs.checkpoints.FORMAT", 99)
    (path,) = write(tmp_path, 1)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="has format 99"):
        read_checkpoint(path)


def test_the_newest_and_the_best_stay(tmp_path: Path) -> None:
    write(tmp_path, 10, 20, 30, 40, 50)
    (tmp_path / "iteration_00000060.ckpt.tmp").write_bytes(b"left by a crash")
    remove_old(tmp_path, keep_last=2, keep_also=[20])
    assert [int(p.name[10:18]) for p in list_checkpoints(tmp_path)] == [50, 40, 20]
    assert not list(tmp_path.glob("*.tmp"))


def test_a_failed_write_leaves_the_earlier_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 10)

    def disk_full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", disk_full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, 20)
    state = read_newest(tmp_path)
    assert state is not None
    assert state["iteration"] == 10


def test_a_renamed_checkpoint_is_not_taken_for_none(tmp_path: Path) -> None:
    (path,) = write(tmp_path, 7)
    path.rename(tmp_path / "last.ckpt")
    digest = path.stem.rpartition("-")[2]
    with pytest.raises(
        ValueError, match=rf"holds last\.ckpt, .* call it iteration_N-{digest}\.ckpt"
    ):
        refuse_renamed(tmp_path)
    write(tmp_path, 3)  # beside others it may be anything
    refuse_renamed(tmp_path)
    refuse_renamed(tmp_path / "missing")


@pytest.mark.parametrize("content", [b"", b"not of torch", b"PK\x03\x04 cut short", [1, 2]])
def test_what_was_renamed_as_a_checkpoint_and_is_none_is_named(
    tmp_path: Path, content: bytes | list[int]
) -> None:
    """As the refusal of `last.ckpt` tells a user to: the digest is right then."""
    file = io.BytesIO()
    file.write(content) if isinstance(content, bytes) else torch.save(content, file)
    digest = hashlib.sha256(file.getvalue()).hexdigest()[:16]
    path = tmp_path / f"iteration_00000007-{digest}.ckpt"
    path.write_bytes(file.getvalue())
    with pytest.raises(CheckpointError, match=rf"{path.name} is not a checkpoint of esrgan"):
        read_checkpoint(path)


def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 7)

    def no_right(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", no_right)
    with pytest.raises(PermissionError):
        list_checkpoints(tmp_path)
    monkeypatch.undo()
    with pytest.raises(NotADirectoryError):
        list_checkpoints(list_checkpoints(tmp_path)[0])
