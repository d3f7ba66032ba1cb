"""Checkpoint files: written so that no moment of a crash leaves less than there was before.

A file carries the digest of its content in its name (`iteration_00005000-3fa94c1e8b2d7a60.ckpt`),
as the weight files of torchvision do: one rename makes content and digest appear together, and
`torch.load` reads the file as it is.
"""

import hashlib
import logging
import re
from collections.abc import Iterable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from esrgan.files import flush, written_or_gone

FORMAT = 3
_NAME = re.compile(r"iteration_\d{8}-[0-9a-f]{16}\.ckpt")
log = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """No checkpoint can be continued from."""


def write_checkpoint(folder: Path, iteration: int, state: dict[str, Any]) -> Path:
    """Write a checkpoint to a temporary file beside it, sync it, then rename it.

    Args:
        folder: made if it is not there.
        iteration: the number of iterations done.
        state: plain containers of tensors and numbers (`weights_only=True` can read them).

    Raises:
        OSError: the file system refuses the write; names the file, of which nothing is left.
    """
    import torch  # seconds, for which those who only list checkpoints need not wait

    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"iteration_{iteration:08d}.ckpt.tmp"
    try:
        with written_or_gone(temporary) as file:
            torch.save({"format": FORMAT} | state, file)
    except (OSError, RuntimeError) as error:
        # torch.save hides what the file system said behind an error of its own
        cause = error if isinstance(error, OSError) else error.__context__
        if isinstance(cause, OSError):
            raise OSError(cause.errno, cause.strerror, str(temporary)) from error
        raise
    final = folder / f"iteration_{iteration:08d}-{_digest(temporary)}.ckpt"
    temporary.replace(final)
    flush(folder)
    return final


def list_checkpoints(folder: Path) -> list[Path]:
    """The complete checkpoints of a folder, the newest first.

    Raises:
        OSError: the folder cannot be read, which is not to be taken for an empty one.
    """
    return [path for path in _files(folder) if _NAME.fullmatch(path.name)]


def refuse_renamed(folder: Path) -> None:
    """A ValueError where no file is named as a checkpoint is, but one might be one."""
    files = [path for path in _files(folder) if path.suffix == ".ckpt"]
    if files and not list_checkpoints(folder):
        raise ValueError(
            f"{folder} holds {files[0].name}, which is not named as checkpoints are: call it "
            f"iteration_N-{_digest(files[0])}.ckpt, where N is its iteration in eight digits, or "
            "start another run with name=ANOTHER_NAME"
        )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint whose content is still what was written.

    Raises:
        CheckpointError: it is not, or the file is of a format that this version does not know.
    """
    import torch

    try:
        digest = _digest(path)
        if not path.name.endswith(f"-{digest}.ckpt"):
            raise CheckpointError(f"{path} is damaged: its content has the digest {digest}")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except (EOFError, RuntimeError, UnpicklingError) as error:  # renamed so, it is as it was before
        raise CheckpointError(f"{path} is not a checkpoint of esrgan, by its content") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} is not a checkpoint of esrgan: it has no names in it")
    if state.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} has format {state.get('format')}, this version of esrgan reads {FORMAT}"
        )
    return dict(state)


def read_newest(folder: Path) -> dict[str, Any] | None:
    """The newest checkpoint that verifies; None where none was ever written.

    Raises:
        CheckpointError: there are checkpoints and not one of them can be read: starting again
            from nothing is for the user to decide.
    """
    checkpoints = list_checkpoints(folder)
    for path in checkpoints:
        try:
            return read_checkpoint(path)
        except CheckpointError as error:
            log.warning("%s: trying the one before it", error)
    if checkpoints:
        raise CheckpointError(
            f"none of the {len(checkpoints)} checkpoints in {folder} can be read: "
            "start a new run with another name="
        )
    return None


def remove_old(folder: Path, *, keep_last: int, keep_also: Iterable[int]) -> None:
    """Delete all but the newest checkpoints and those of the given iterations."""
    kept = tuple(f"iteration_{iteration:08d}-" for iteration in keep_also)
    for path in list_checkpoints(folder)[keep_last:]:
        if not path.name.startswith(kept):
            path.unlink()
    for leftover in folder.glob("*.ckpt.tmp"):
        leftover.unlink()


def is_sound(checkpoint: Path) -> bool:
    """Whether its content is still what was written."""
    try:
        return checkpoint.name.endswith(f"-{_digest(checkpoint)}.ckpt")
    except OSError:
        return False


def _files(folder: Path) -> list[Path]:
    """Not by `glob`, for which a folder that cannot be read is empty."""
    try:
        return sorted(folder.iterdir(), reverse=True)
    except FileNotFoundError:
        return []


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
