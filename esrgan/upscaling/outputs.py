"""Where the results go. Everything that can be refused is refused before the work."""

from collections import defaultdict
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from esrgan.upscaling.inputs import Found


class Job(NamedTuple):
    """One picture to be enlarged."""

    source: Path
    target: Path


class Existing(Enum):
    """What becomes of results that are there already."""

    REFUSE = "refuse"
    SKIP = "skip"
    OVERWRITE = "overwrite"


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
    _refuse_file_as_folder(folder)
    jobs = [
        Job(image.path, folder / name)
        for image, name in zip(images, _names(images, ending), strict=True)
    ]
    sources = {image.path.resolve(): image.path for image in images}
    for job in jobs:
        if job.target.resolve() in sources:
            raise ValueError(
                f"{job.target} is one of the images, and would be written over: choose another "
                "--output, or give --suffix"
            )
    return _choose(jobs, existing)


def _names(images: Sequence[Found], ending: str) -> list[Path]:
    plain = [image.relative.with_name(image.relative.stem + ending) for image in images]
    distinct = [
        image.relative.with_name(image.relative.name[::-1].replace(".", "_", 1)[::-1] + ending)
        for image in images
    ]
    shared = {name for name, sharing in _by_name(plain, images).items() if len(sharing) > 1}
    names = [
        long if short in shared else short for short, long in zip(plain, distinct, strict=True)
    ]
    for name, sharing in _by_name(names, images).items():
        if len(sharing) > 1:
            raise ValueError(
                f"{' and '.join(map(str, sharing))} would both become {name}: name a folder that "
                "holds both, or upscale them one after the other into different folders"
            )
    return names


def _by_name(names: Sequence[Path], images: Sequence[Found]) -> dict[Path, list[Path]]:
    found = defaultdict(list)
    for name, image in zip(names, images, strict=True):
        found[name].append(image.path)
    return found


def _choose(jobs: list[Job], existing: Existing) -> list[Job]:
    present = [job.target for job in jobs if job.target.exists()]
    for target in present:
        if target.is_dir():
            raise ValueError(f"{target} is a folder: choose another --output, or give --suffix")
    if existing is Existing.SKIP:
        return [job for job in jobs if job.target not in set(present)]
    if present and existing is Existing.REFUSE:
        raise ValueError(
            f"{present[0]} exists, as do {len(present)} of the {len(jobs)} results in all: "
            "--skip-existing makes the others only, --overwrite makes all again"
        )
    return jobs


def _refuse_file_as_folder(folder: Path) -> None:
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise ValueError(f"--output {folder} cannot be made: {nearest} is not a folder")
