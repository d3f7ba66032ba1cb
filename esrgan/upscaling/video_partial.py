"""An unfinished result: the folder beside it in which its pieces are, and what it was asked with.

Pieces have a fixed number of frames, and each is written whole: one that a kill cut short is not
there. So the same command goes on with the first that is missing, and ends with the same frames as
if nothing had happened.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from esrgan.files import try_lock, write_whole

Asked = Mapping[str, str | int | float | bool | None]
"""What a result depends on, by the names a user knows."""

_JOURNAL, _LOCK = "upscaling.json", "lock"
_PIECE, _PIECES, _CUT_SHORT = "piece_{:06}.mp4", "piece_*.mp4", ".*.partial"


def partial_folder(target: Path) -> Path:
    return target.with_name(f"{target.name}.partial")


def piece_path(folder: Path, number: int) -> Path:
    """Where a piece is once it is complete."""
    return folder / _PIECE.format(number)


@contextmanager
def open_partial(target: Path, asked: Asked) -> Iterator[Path]:
    """The folder of an unfinished result, new or as it was left; nobody else is at it.

    Raises:
        ValueError: it was begun with something else, is not such a folder, or another process is
            at it.
    """
    folder = partial_folder(target)
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_foreign(folder)
    lock = try_lock(folder / _LOCK)
    if lock is None:
        raise ValueError(f"{target} is being made by another process: wait for it, or stop it")
    with lock:
        for path in folder.glob(_CUT_SHORT):
            path.unlink()
        journal = folder / _JOURNAL
        if journal.exists():
            _refuse_changes(folder, json.loads(journal.read_text("utf-8")), asked)
        else:
            write_whole(journal, json.dumps(dict(asked), indent=2).encode(), overwrite=False)
        try:
            yield folder
        finally:
            if not pieces_in(folder):  # nothing to go on with
                remove_partial(folder)


def pieces_in(folder: Path) -> list[Path]:
    return sorted(folder.glob(_PIECES))


def remove_partial(folder: Path) -> None:
    """What else somebody put into the folder stays."""
    for path in [*pieces_in(folder), folder / _JOURNAL]:
        path.unlink(missing_ok=True)
    with suppress(OSError):  # which Windows raises where the lock is held, and all for other files
        (folder / _LOCK).unlink(missing_ok=True)
        folder.rmdir()


def _refuse_foreign(folder: Path) -> None:
    ours = {_LOCK, *(path.name for path in folder.glob(_CUT_SHORT))}
    others = sorted(path.name for path in folder.iterdir() if path.name not in ours)
    if others and _JOURNAL not in others:
        raise ValueError(
            f"{folder} holds {others[0]}, and is no unfinished result: move it away, or choose "
            "another --output"
        )


def _refuse_changes(folder: Path, before: Asked, asked: Asked) -> None:
    for name in [*asked, *before]:
        then, now = before.get(name), asked.get(name)
        if then != now:
            raise ValueError(
                f"{folder} was begun with {name} {_told(then)}, and now it is {_told(now)}: give "
                "what it was begun with, or remove the folder to begin anew"
            )


def _told(value: object) -> str:
    return "unset" if value is None or value is False else str(value)


def digest(path: Path) -> str:
    """Of the content of a file: enough of its SHA-256 to tell files apart, short enough to read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
