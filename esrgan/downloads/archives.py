"""The images of a zip or tar archive, unpacked with nothing taken on trust."""

import gzip
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from esrgan.downloads.table import safe_path
from esrgan.files import flush

_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
_ARCHIVES = frozenset({".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar"})
_TEXTS = frozenset({".txt", ".md"})
_LEFT_OUT = frozenset({"readme", "license", "licence", ".ds_store", "thumbs.db", "desktop.ini"})
_MAX_MEMBERS = 100_000  # this and the next two are beyond any archive of photographs
_MAX_SIZE = 200 * 2**30  # bytes, of all that is unpacked
_MAX_RATIO = 50  # of it to the size of the archive; photographs are hardly ever above 2
_MAX_LIST = 64 * 2**20  # bytes; the list of a zip of as many members has about a tenth
_CHUNK = 2**20  # bytes; the headers of a tar have less, too
_SMALL = 2**20  # bytes; archives below it may well be of flat colours
_BLOCK = 512  # bytes of tar
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGED = (  # what reading a damaged archive raises
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RecursionError,  # of tar headers that announce one another
)


def unpack(
    archive: Path, folder: Path, folders: Mapping[str, str], *, progress: Callable[[int], None]
) -> int:
    """Write the images in some folders of an archive into one of ours; return their number.

    `folders` are those of a `Source`. One of the archive is looked for at its top and one level
    below, for most archives hold a single folder. `progress` takes the number of images so far.
    Whatever is raised, our folder holds part of them.

    Raises:
        ValueError: the archive is damaged or hostile, or lacks images of one of the folders.
        OSError: an image cannot be written.
    """
    found: Counter[str] = Counter()
    taken: dict[str, str] = {}
    try:
        with _opened(archive) as members:
            for member in _limited(members, archive.stat().st_size):
                try:
                    place = _place(member, folders, taken)
                except ValueError as error:
                    raise ValueError(f"is refused, as {member.name!r} {error}") from error
                if place is not None:
                    inside, path = place
                    _write(member, folder / path)
                    found[inside] += 1
                    progress(found.total())
    except _DAMAGED as error:
        raise ValueError(f"{archive} is damaged: {error}") from error
    except ValueError as error:
        raise ValueError(f"{archive} {error}") from error
    for inside in folders:
        if not found[inside]:
            where = f"in its folder {inside}" if inside else "at all"
            raise ValueError(f"{archive} has no images {where}")
    return found.total()


class _Member(NamedTuple):
    name: str
    size: int  # as claimed
    is_folder: bool
    problem: str | None  # why it cannot be unpacked at all; it goes on from the name
    open: Callable[[], IO[bytes]]


class _Guarded:
    """A file of which no header can have more than so many bytes read into memory."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file = file
        self._most = most
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(min(size, self._most + 1) if size >= 0 else self._most + 1)
        if len(data) > self._most:
            raise ValueError(f"has a header of more than {self._most} bytes")
        return data


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[_Member]]:
    """The members in order; the end is reached only if the archive's own end is as it must be."""
    with path.open("rb") as file:
        start = file.read(_BLOCK)
        file.seek(0)
        if start.startswith((b"PK\3\4", b"PK\5\6")):
            with zipfile.ZipFile(cast(IO[bytes], _Guarded(file, _MAX_LIST))) as archive:
                yield _zip_members(archive)
        elif start.startswith(b"\x1f\x8b"):
            with gzip.open(file) as unzipped:
                yield _tar_members(cast(IO[bytes], unzipped))
        elif start[257:262] == b"ustar":
            yield _tar_members(file)
        else:
            raise ValueError("is neither a zip, a tar nor a tar.gz")


def _zip_members(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for info in archive.infolist():
        problem = None
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            problem = "is a link or a device"
        elif info.flag_bits & 1:
            problem = "is encrypted"
        elif info.compress_type not in _ZIP_METHODS:
            problem = f"is compressed by method {info.compress_type}, neither stored nor deflated"
        name = info.orig_filename  # the other one is cut at a zero byte
        yield _Member(name, info.file_size, info.is_dir(), problem, partial(archive.open, info))


def _tar_members(file: IO[bytes]) -> Iterator[_Member]:
    with tarfile.open(fileobj=cast(IO[bytes], _Guarded(file, _CHUNK)), mode="r:") as archive:
        for info in archive:
            problem = None
            if not (info.isreg() or info.isdir()):
                problem = "is a link or a device"
            elif info.issparse():
                problem = "is a file with holes"
            content = partial(_tar_content, archive, info)
            yield _Member(info.name, info.size, info.isdir(), problem, content)
        file.seek(archive.offset)
    if file.read(_BLOCK) != bytes(_BLOCK):  # tarfile takes a cut for the end
        raise tarfile.ReadError("it ends in the middle")
    while file.read(_CHUNK):  # a gzip's checksum is at the very end
        pass


def _tar_content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(tarfile.data_filter(info, "."))
    assert file is not None  # it is a regular file
    return file


def _limited(members: Iterator[_Member], packed: int) -> Iterator[_Member]:
    """The members, while what they claim, which is the most that can come of them, is allowed."""
    unpacked = 0
    for number, member in enumerate(members, start=1):
        if number > _MAX_MEMBERS:
            raise ValueError(f"has more than {_MAX_MEMBERS} members")
        unpacked += max(0, member.size)
        if unpacked > _MAX_SIZE:
            raise ValueError(f"unpacks to more than {_MAX_SIZE} bytes")
        if unpacked > _MAX_RATIO * max(packed, _SMALL):
            raise ValueError(f"unpacks to more than {_MAX_RATIO} times its size")
        yield member


def _place(
    member: _Member, folders: Mapping[str, str], taken: dict[str, str]
) -> tuple[str, PurePosixPath] | None:
    """Of a wanted image the folder it is from, and its path below ours, which is taken then."""
    if member.is_folder and member.name.removesuffix("/") in (".", ""):
        return None
    path = safe_path(member.name)
    if member.problem:
        raise ValueError(member.problem)
    if member.is_folder or _is_dispensable(path):
        return None
    for inside, target in folders.items():
        if rest := _below(path, inside):
            if path.suffix.lower() in _ARCHIVES:
                raise ValueError("is an archive itself: unpack both by hand")
            if path.suffix.lower() not in _IMAGES:
                raise ValueError("is not an image")
            _claim(PurePosixPath(target, rest), taken)
            return inside, PurePosixPath(target, rest)
    return None


def _is_dispensable(path: PurePosixPath) -> bool:
    """Whether it is a text about the images, or something that a system leaves everywhere."""
    parts = [part.lower() for part in path.parts]
    name = parts[-1]
    is_of_system = name.startswith("._") or "__macosx" in parts
    return is_of_system or name in _LEFT_OUT or path.suffix.lower() in _TEXTS


def _below(path: PurePosixPath, inside: str) -> PurePosixPath | None:
    parts = PurePosixPath(inside).parts
    for start in (0, 1) if parts else (0,):
        end = start + len(parts)
        if path.parts[start:end] == parts and len(path.parts) > end:
            return PurePosixPath(*path.parts[end:])
    return None


def _claim(path: PurePosixPath, taken: dict[str, str]) -> None:
    """Refuse two names that are one on some system, which ignores case or composition."""
    for parent in path.parents[:-1]:
        known = taken.setdefault(_same_on_some_system(parent), f"{parent}/")
        if known != f"{parent}/":
            raise ValueError(f"would lie in a folder that collides with {known!r}")
    key = _same_on_some_system(path)
    if key in taken:
        raise ValueError(f"collides with {taken[key]!r}")
    taken[key] = str(path)


def _same_on_some_system(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(path)).casefold())


def _write(member: _Member, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as source, path.open("xb") as file:
        shutil.copyfileobj(source, file, _CHUNK)
    flush(path)
    size = path.stat().st_size
    if size != member.size:
        raise ValueError(f"is damaged: {member.name!r} has {size} bytes, not {member.size}")
