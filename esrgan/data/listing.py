"""The image files of a folder, and what else lies there."""

import logging
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from esrgan.data.formats import READ, START, foreign_name, is_read
from esrgan.errors import listed

# In any case of letters. What else a file is called, its content decides: these are not opened.
_SUFFIXES = frozenset(
    (
        *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".bmp", ".dib"),
        *(".tif", ".tiff", ".gif", ".avif", ".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"),
        *(".pbm", ".pgm", ".ppm", ".pnm"),
    )
)
log = logging.getLogger("esrgan.data")


def list_images(folder: Path) -> list[Path]:
    """The images in a folder and its subfolders, sorted, but hidden ones; a ValueError if none.

    Links are followed, each folder once. What is left alone is said in one line.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: name the folder that holds the images")
    images, broken = [], []
    others: Counter[str] = Counter()
    for entry in _files(folder, seen=set()):
        path = Path(entry.path)
        if not entry.is_file():
            broken.append(path)
        elif path.suffix.lower() in _SUFFIXES or (kind := _kind(path)) is None:
            images.append(path)
        else:
            others[kind] += 1
    left = [f"{number} {kind}" for kind, number in others.most_common()]
    if broken:
        left.append(f"{len(broken)} links that lead nowhere ({listed(sorted(broken))})")
    if not images:
        found = f", this one has {', '.join(left)}" if left else ""
        raise ValueError(f"{folder} holds no images: {READ} are read{found}")
    if left:
        log.warning("%s: left alone: %s", folder, ", ".join(left))
    return sorted(images)


def _files(folder: Path | str, *, seen: set[tuple[int, int]]) -> Iterator["os.DirEntry[str]"]:
    """All files below a folder, and links that lead nowhere; `seen` are folders, as they are."""
    state = os.stat(folder)  # noqa: PTH116 (a Path for each of many entries costs more than this)
    if (state.st_dev, state.st_ino) in seen:
        return
    seen.add((state.st_dev, state.st_ino))
    with os.scandir(folder) as entries:
        shown = [entry for entry in entries if not entry.name.startswith(".")]
    for entry in shown:
        if entry.is_dir():
            yield from _files(entry.path, seen=seen)
        elif entry.is_file() or entry.is_symlink():
            yield entry


def _kind(path: Path) -> str | None:
    """What a file that is no image by its name is called where it is none; None: it is one."""
    suffix = path.suffix.lower() or "without suffix"
    try:
        with path.open("rb") as file:
            start = file.read(START)
    except OSError:
        return f"{suffix} (cannot be read)"
    if is_read(start):
        return None
    named = foreign_name(start)
    return f"{suffix} ({named[0]}: {named[1]})" if named else suffix
