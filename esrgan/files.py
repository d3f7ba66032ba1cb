"""Files that are complete or as they were, that nobody else is at, and that nothing writes over."""

import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any

import psutil
from filelock import AcquireReturnProxy, FileLock, Timeout

Held = AcquireReturnProxy[Any]
"""A lock that this process has: until `release`, or until nothing refers to it any more."""

_numbers = count()
_MACHINE = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
GIVE_OVERWRITE = "choose another name, or give --overwrite"


@contextmanager
def writing_whole(path: Path, *, overwrite: bool, until: Path | None = None) -> Iterator[IO[bytes]]:
    """A file to write to, which gets its name when the block ends well; it is on the disk then.

    After an error, also of the machine, there is what was there before. `until` is the folder where
    it is until then, on the same disk: None is that of `path`. A kill leaves it there, as a hidden
    file that ends in .partial.

    Raises:
        ValueError: `path` exists, and `overwrite` is not set.
        OSError: the system refuses to write it; names `path`.
    """
    refuse_existing(path, overwrite=overwrite)
    # Its own name, not a longer form of the other, which may be as long as names can be
    partial = (until or path.parent) / f".{_MACHINE}-{os.getpid()}-{next(_numbers)}.partial"
    with refusals_name(path, instead_of=partial):
        with written_or_gone(partial) as file:
            yield file
        try:
            _name(partial, path, overwrite=overwrite)
        finally:
            partial.unlink(missing_ok=True)
        flush(path.parent)


def _name(partial: Path, path: Path, *, overwrite: bool) -> None:
    """Another process may have given the name to a file of its own in the meantime."""
    refuse_existing(path, overwrite=overwrite)
    if overwrite:
        partial.replace(path)
        return
    try:
        os.link(partial, path)  # which fails where the name is taken, at the same moment too
    except FileExistsError:
        refuse_existing(path)
        raise
    except OSError:  # a disk that knows no links
        partial.replace(path)


def remove_leftovers(folder: Path) -> None:
    """Of `writing_whole` in processes of this machine that a kill has ended.

    Other machines may be writing to the folder: theirs carry another mark, and stay.
    """
    for path in folder.glob(f".{_MACHINE}-*.partial"):
        pid = path.name.split("-")[1]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            path.unlink(missing_ok=True)


@contextmanager
def written_or_gone(path: Path) -> Iterator[IO[bytes]]:
    """A new file, which is on the disk when the block ends well, and is not there when it fails.

    Raises:
        OSError: the system refuses to write it; names `path`.
    """
    try:
        with refusals_name(path), path.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def refusals_name(path: Path, *, instead_of: Path | None = None) -> Iterator[None]:
    """Let an error of the system name the file: that of a write on a full disk names none.

    `instead_of` is the file under another name, of which a user knows nothing.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(instead_of)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_whole(path: Path, content: bytes, *, overwrite: bool) -> None:
    """`writing_whole` of content that is there.

    Raises:
        ValueError: `path` exists, and `overwrite` is not set.
    """
    with writing_whole(path, overwrite=overwrite) as file:
        file.write(content)


def flush(path: Path) -> None:
    """Return when the content of a file, or the names in a folder, are on the disk."""
    is_folder = path.is_dir()
    if os.name == "nt" and is_folder:  # Windows opens no folders, and keeps names by itself
        return
    # Windows flushes what may be written to alone, and Linux opens no folder so
    descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refuse_existing(
    path: Path, *, overwrite: bool = False, fix: str = "remove it or choose another name"
) -> None:
    """Nothing of a user's is written over unasked.

    Raises:
        ValueError: `path` is a folder; or it exists, and `overwrite` is not set.
    """
    if path.is_dir() or (path.exists() and not overwrite):
        raise ValueError(f"{path} exists and is not overwritten: {fix}")


def check_target(path: Path, *, overwrite: bool, suffixes: tuple[str, ...] = ()) -> None:
    """Refuse before the work what could not be written after it; folders can still be made.

    Raises:
        ValueError: the name ends in none of the suffixes, the file exists and `overwrite` is not
            set, or where its folder should be there is something else.
    """
    if suffixes and path.suffix not in suffixes:
        raise ValueError(f"{path} must end in {' or '.join(suffixes)}")
    refuse_existing(path, overwrite=overwrite, fix=GIVE_OVERWRITE)
    check_folder(path.absolute().parent, what=path)


def check_folder(folder: Path, *, what: Path | None = None) -> None:
    """Refuse before the work a folder that could not be made, or written to, after it.

    Args:
        folder: it need not exist.
        what: is to be written into it, for the message; by default the folder.

    Raises:
        ValueError: where it should be there is something else, or no right to write.
    """
    nearest = nearest_existing(folder.absolute())
    if not nearest.is_dir():
        raise ValueError(f"{what or folder} cannot be written: {nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ValueError(f"{what or folder} cannot be written: there is no right to, in {nearest}")


def nearest_existing(path: Path) -> Path:
    """A path itself or, where nothing is there yet, the nearest above it at which something is."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def split_pair(text: str) -> tuple[Path, Path] | None:
    """The A and B of `A:B`, of which one at least is a folder; drives of Windows have colons, too.

    None: `text` is itself a path, or there is nothing at either.
    """
    if Path(text).exists():
        return None
    colons = [at for at, character in enumerate(text) if character == ":"]
    splits = [(Path(text[:at]), Path(text[at + 1 :])) for at in colons]
    best = max(splits, key=lambda pair: sum(map(Path.is_dir, pair)), default=None)
    return best if best and any(map(Path.is_dir, best)) else None


def try_lock(path: Path) -> Held | None:
    """Keep other processes from what a lock file stands for, until what is returned is released.

    It is released at the end of a `with` block, when nothing refers to it any more, and when this
    process ends, however it ends. None: another process has it.
    """
    try:
        return FileLock(path).acquire(blocking=False)
    except Timeout:
        return None
