"""Room on the disk."""

import shutil
from pathlib import Path
from typing import IO


def require_space(folder: Path, needed: int) -> None:
    """Refuses to begin what the disk cannot hold; the folder need not exist yet.

    Raises:
        ValueError: fewer bytes are free than needed.
    """
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ValueError(
            f"{folder} has {megabytes(free)} free, and {megabytes(needed)} are needed: make room, "
            "or choose a folder on another disk with --output"
        )


def megabytes(size: int) -> str:
    """In the units of download pages, 10**6 and 10**9 bytes."""
    if size >= 10**9:
        return f"{size / 10**9:.1f} GB"
    return f"{size / 10**6:.1f} MB" if size >= 10**5 else f"{size / 1000:.1f} kB"


def write(file: IO[bytes], chunk: bytes, path: Path) -> None:
    """Writes through to the system, which may refuse.

    Raises:
        OSError: it names the path.
    """
    try:
        file.write(chunk)
        file.flush()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
