"""The images of an archive, unpacked with nothing taken on trust."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from esrgan.downloads.archives import DAMAGED, Member, open_archive
from esrgan.downloads.member_names import (
    ARCHIVES,
    IMAGES,
    is_dispensable,
    member_path,
    same_on_some_system,
)
from esrgan.downloads.space import write
from esrgan.durable import flush

_CHUNK = 2**20
_SMALL = 2**20  # archives below it may well be of flat colours


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Beyond any archive of photographs.

    Attributes:
        size: in bytes, of all that is unpacked.
        ratio: of it to the size of the archive; photographs are hardly ever above 2.
    """

    members: int = 100_000
    size: int = 200 * 2**30
    ratio: int = 50


def unpack(
    archive: Path,
    folder: Path,
    folders: Mapping[str, str],
    *,
    limits: Limits | None = None,
    progress: Callable[[int], None],
) -> int:
    """Writes the images in some folders of an archive into one of ours; returns their number.

    `folders` are those of a `Source`. One of the archive is looked for at its top and one level
    below, for most archives hold a single folder. `progress` takes the number of images so far.
    Whatever is raised, our folder holds part of them.

    Raises:
        ValueError: the archive is damaged or hostile, or lacks images of one of the folders.
        OSError: an image cannot be written.
    """
    task = _Task(folder, folders, _Meter(limits or Limits(), archive.stat().st_size))
    try:
        with open_archive(archive) as members:
            for number, member in enumerate(members, start=1):
                task.meter.count(number)
                task.take(member)
                progress(task.num_images)
    except DAMAGED as error:
        raise ValueError(f"{archive} is damaged: {error}") from error
    except ValueError as error:
        raise ValueError(f"{archive} {error}") from error
    for inside in folders:
        if inside not in task.found:
            where = f"in its folder {inside}" if inside else "at all"
            raise ValueError(f"{archive} has no images {where}")
    return task.num_images


@dataclass
class _Meter:
    """Counts what is really read, whatever the headers say."""

    limits: Limits
    packed: int
    size: int = 0

    def count(self, members: int) -> None:
        if members > self.limits.members:
            raise ValueError(f"has more than {self.limits.members} members")

    def add(self, size: int) -> None:
        self.size += size
        if self.size > self.limits.size:
            raise ValueError(f"unpacks to more than {self.limits.size} bytes")
        if self.size > self.limits.ratio * max(self.packed, _SMALL):
            raise ValueError(f"unpacks to more than {self.limits.ratio} times its size")


@dataclass
class _Task:
    folder: Path
    folders: Mapping[str, str]
    meter: _Meter
    num_images: int = 0
    found: set[str] = field(default_factory=set)
    taken: dict[str, str] = field(default_factory=dict)

    def take(self, member: Member) -> None:
        try:
            path = self._place(member)
            if path is None:
                if member.skipping_reads:
                    self.meter.add(member.size)
                return
            self._claim(path)
        except ValueError as error:
            raise ValueError(f"is refused, as {member.name!r} {error}") from error
        self._write(member, self.folder / path)
        self.num_images += 1

    def _place(self, member: Member) -> PurePosixPath | None:
        """Where in the target the member belongs, if anywhere."""
        name = member.name.removesuffix("/") if member.is_folder else member.name
        if member.is_folder and name in (".", ""):
            return None
        path = member_path(name)
        if member.problem:
            raise ValueError(member.problem)
        if member.is_folder or is_dispensable(path):
            return None
        for inside, target in self.folders.items():
            rest = _below(path, inside)
            if rest is not None:
                _check_kind(path)
                self.found.add(inside)
                return PurePosixPath(target, rest)
        return None

    def _claim(self, path: PurePosixPath) -> None:
        for parent in path.parents[:-1]:
            known = self.taken.setdefault(same_on_some_system(parent), f"{parent}/")
            if known != f"{parent}/":
                raise ValueError(f"would lie in a folder that collides with {known!r}")
        key = same_on_some_system(path)
        if key in self.taken:
            raise ValueError(f"collides with {self.taken[key]!r}")
        self.taken[key] = str(path)

    def _write(self, member: Member, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        with member.open() as source, path.open("xb") as file:
            while chunk := source.read(_CHUNK):
                size += len(chunk)
                self.meter.add(len(chunk))
                write(file, chunk, path)
        flush(path)
        if size != member.size:
            raise ValueError(f"is damaged: {member.name!r} has {size} bytes, not {member.size}")


def _below(path: PurePosixPath, inside: str) -> PurePosixPath | None:
    parts = PurePosixPath(inside).parts
    for start in (0, 1) if parts else (0,):
        end = start + len(parts)
        if path.parts[start:end] == parts and len(path.parts) > end:
            return PurePosixPath(*path.parts[end:])
    return None


def _check_kind(path: PurePosixPath) -> None:
    suffix = path.suffix.lower()
    if suffix in ARCHIVES:
        raise ValueError("is an archive itself: unpack both by hand")
    if suffix not in IMAGES:
        raise ValueError("is not an image")
