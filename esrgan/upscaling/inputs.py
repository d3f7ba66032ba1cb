"""Which files the words on a command line stand for."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from esrgan.data import list_images


class Found(NamedTuple):
    """An image file, and its place below the folder that was named (or its name alone)."""

    path: Path
    relative: Path


def find_images(words: Sequence[str], *, output: Path) -> list[Found]:
    """Files as they are, folders with their subfolders, and patterns that no shell has expanded.

    What lies in `output` is not found in a folder around it. A file named twice is found once.

    Raises:
        ValueError: a word stands for nothing.
    """
    found: dict[Path, Found] = {}
    for word in words:
        for path in _existing(word):
            for image in _images(path, output) if path.is_dir() else [Found(path, Path(path.name))]:
                found.setdefault(image.path.absolute(), image)
    return list(found.values())


def _existing(word: str) -> list[Path]:
    if Path(word).exists():
        return [Path(word)]
    paths = [Path(name) for name in sorted(glob.glob(word, recursive=True))]  # noqa: PTH207
    if not paths:
        raise ValueError(f"{word} must be a file, a folder or a pattern such as 'photos/*.jpg'")
    return paths


def _images(folder: Path, output: Path) -> Iterator[Found]:
    results = output.resolve()
    has_results = folder.resolve() in results.parents
    paths = list_images(folder)
    if has_results:
        paths = [path for path in paths if results not in path.resolve().parents]
    if not paths:
        raise ValueError(f"{folder} holds no images but those in {output}")
    return (Found(path, path.relative_to(folder)) for path in paths)
