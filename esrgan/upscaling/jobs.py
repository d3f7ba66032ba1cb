"""From the words of a command line to pictures that are read, enlarged and written, in threads.

Everything that can be refused by looking at names is refused before the work.
"""

import glob
import os
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple, Protocol

from esrgan.data import ImageError, Picture, list_images
from esrgan.errors import FULL, listed
from esrgan.files import check_folder, nearest_existing

_LONGEST_NAME = 255  # bytes, of every usual file system


class Found(NamedTuple):
    """An image file, and its place below the folder that was named (or its name alone)."""

    path: Path
    relative: Path


class Existing(Enum):
    """What becomes of results that are there already."""

    REFUSE = "refuse"
    SKIP = "skip"
    OVERWRITE = "overwrite"


class Job(NamedTuple):
    """One picture to be enlarged."""

    source: Path
    target: Path


class Work(Protocol):
    """The three parts of a job, the last of which returns the number of pixels of the result.

    ValueError, MemoryError, OSError: this picture fails, no other.
    """

    def read(self, job: Job) -> Picture: ...
    def enlarge(self, job: Job, picture: Picture) -> Picture: ...
    def write(self, job: Job, picture: Picture) -> int: ...


class Done(NamedTuple):
    """What became of a job: pixels of the result or, where it failed, the reason."""

    job: Job
    num_pixels: int = 0
    reason: str | None = None


def find_images(words: Sequence[str], *, output: Path) -> list[Found]:
    """Files as they are, folders with their subfolders, and patterns that no shell has expanded.

    What lies in `output` is not found in a folder around it. A file named twice is found once. A
    word that stands for nothing is refused.
    """
    found: dict[Path, Found] = {}
    nowhere = [word for word in words if not _existing(word)]
    if nowhere:
        rule = "must be a file, a folder or a pattern such as 'photos/*.jpg'"
        raise ValueError(f"{listed(nowhere)} {rule}")
    for word in words:
        for path in _existing(word):
            for image in _images(path, output) if path.is_dir() else [Found(path, Path(path.name))]:
                found.setdefault(image.path.absolute(), image)
    return list(found.values())


def _existing(word: str) -> list[Path]:
    names = [word] if Path(word).exists() else sorted(glob.glob(word, recursive=True))  # noqa: PTH207
    return [Path(name) for name in names]


def _images(folder: Path, output: Path) -> list[Found]:
    results = output.resolve()
    paths = list_images(folder)
    if folder.resolve() in results.parents:
        paths = [path for path in paths if results not in path.resolve().parents]
    if not paths:
        raise ValueError(f"{folder} holds no images but those in {output}")
    return [Found(path, path.relative_to(folder)) for path in paths]


def plan_jobs(
    images: Sequence[Found], folder: Path, *, ending: str, existing: Existing
) -> list[Job]:
    """A result for each image, under its relative path, with `ending` in place of its suffix.

    Images whose results would have one name get their own suffix into it: of a.jpg and a.png,
    a_jpg.png and a_png.png.

    Raises:
        ValueError: two results would still have one name, a result would replace an image, or one
            exists and is neither to be skipped nor to be overwritten.
    """
    nearest = nearest_existing(folder)
    if not nearest.is_dir():
        raise ValueError(f"--output {folder} cannot be made: {nearest} is not a folder")
    check_folder(folder)
    names = _result_names(images, ending)
    jobs = [Job(image.path, folder / name) for image, name in zip(images, names, strict=True)]
    sources = {image.path.resolve() for image in images}
    if over := [job.target for job in jobs if job.target.resolve() in sources]:
        which = "is one" if len(over) == 1 else "are some"
        raise ValueError(
            f"{listed(over)} {which} of the images, and would be written over: choose another "
            "--output, or give --suffix"
        )
    if long := [name.name for name in names if len(os.fsencode(name.name)) > _LONGEST_NAME]:
        raise ValueError(
            f"{listed(long)} would be longer than the {_LONGEST_NAME} bytes of a file's name: "
            "rename the image, or leave --suffix out"
        )
    return _choose(jobs, existing)


def _result_names(images: Sequence[Found], ending: str) -> list[Path]:
    names = [image.relative.with_name(image.relative.stem + ending) for image in images]
    shared = Counter(names)
    for number, image in enumerate(images):
        if shared[names[number]] > 1:
            with_suffix = "_".join(image.relative.name.rsplit(".", 1))
            names[number] = image.relative.with_name(with_suffix + ending)
    sharing: dict[Path, list[str]] = defaultdict(list)
    for image, name in zip(images, names, strict=True):
        sharing[name].append(str(image.path))
    problems = [
        f"{' and '.join(s)} would both become {n}" for n, s in sharing.items() if len(s) > 1
    ]
    if problems:
        raise ValueError(
            f"{', '.join(problems)}: name a folder that holds both, or upscale them one after the "
            "other into different folders"
        )
    return names


def _choose(jobs: list[Job], existing: Existing) -> list[Job]:
    present = [job.target for job in jobs if job.target.exists()]
    if folders := [target for target in present if target.is_dir()]:
        what = "is a folder" if len(folders) == 1 else "are folders"
        raise ValueError(f"{listed(folders)} {what}: choose another --output, or give --suffix")
    if existing is Existing.SKIP:
        there = set(present)
        return [job for job in jobs if job.target not in there]
    if present and existing is Existing.REFUSE:
        raise ValueError(
            f"{present[0]} exists, as do {len(present)} of the {len(jobs)} results in all: "
            "--skip-existing makes the others only, --overwrite makes all again"
        )
    return jobs


def run_jobs(jobs: Sequence[Job], work: Work) -> Iterator[Done]:
    """Does each job as far as it gets, in order.

    Files are decoded and written in threads of their own, while the network computes. At most one
    picture is decoded ahead, one computed and one being written, whatever their number. When it is
    interrupted, what is being written is finished.

    Raises:
        ValueError: the disk is full, which would end the others alike.
    """
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        reading = deque([reader.submit(work.read, job) for job in jobs[:1]])
        writing: deque[tuple[Job, Future[int]]] = deque()
        for job, following in zip_longest(jobs, jobs[1:]):
            picture = reading.popleft()
            if following:
                reading.append(reader.submit(work.read, following))
            try:
                sr = work.enlarge(job, picture.result())
            except (ValueError, MemoryError) as error:
                yield from _finish(writing)
                yield Done(job, reason=_reason(error))
                continue
            yield from _finish(writing)
            writing.append((job, writer.submit(work.write, job, sr)))
            del sr  # or it would stay for as long as the next one is computed
        yield from _finish(writing)


def _finish(writing: deque[tuple[Job, Future[int]]]) -> Iterator[Done]:
    """Waits for what is being written."""
    while writing:
        job, future = writing.popleft()
        try:
            yield Done(job, future.result())
        except OSError as error:
            if error.errno in FULL:
                raise ValueError(
                    f"{job.target} cannot be written: {error.strerror}. Make room, and go on with "
                    "--skip-existing"
                ) from error
            yield Done(job, reason=f"{job.target} cannot be written: {error.strerror or error}")
        except (ValueError, MemoryError) as error:
            yield Done(job, reason=_reason(error))


def _reason(error: Exception) -> str:
    """Without the name of the file, which goes before it."""
    return error.reason if isinstance(error, ImageError) else str(error) or "out of memory"
