"""Zip and tar archives as a stream of members, of which nothing is believed.

Whatever their headers claim, memory stays bounded: no reader can ask for more than `_MOST` at once.
"""

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, cast

_MOST = 64 * 2**20  # bytes; the list of files in a zip of 100,000 members has about a tenth
_BLOCK = 512  # of tar
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
)
"""What reading a damaged archive raises."""


@dataclass(frozen=True)
class Member:
    """A file or folder in an archive.

    Attributes:
        size: as claimed.
        problem: why it cannot be unpacked at all; it goes on from the name.
        skipping_reads: leaving it out costs as much reading as unpacking it.
    """

    name: str
    size: int
    is_folder: bool
    problem: str | None
    skipping_reads: bool
    open: Callable[[], IO[bytes]]


class _Bounded:
    """A file that refuses to be read in pieces of more than `_MOST`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(min(size, _MOST + 1) if size >= 0 else _MOST + 1)
        if len(data) > _MOST:
            raise ValueError(f"has a header of more than {_MOST} bytes")
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def _bounded(file: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], _Bounded(file))  # it has what the two modules use


@contextmanager
def open_archive(path: Path) -> Iterator[Iterator[Member]]:
    """The members in order; the end is reached only if the archive's own end is as it must be.

    Raises:
        ValueError: it is no archive of a known kind; the message goes on from its name.
        Exception: one of `DAMAGED`, while the members are read.
    """
    with path.open("rb") as file:
        start = file.read(_BLOCK)
        file.seek(0)
        if start.startswith((b"PK\3\4", b"PK\5\6")):
            with zipfile.ZipFile(_bounded(file)) as archive:
                yield _zip_members(archive)
        elif start.startswith(b"\x1f\x8b"):
            with gzip.open(file) as unzipped:
                yield _tar_members(_bounded(cast(IO[bytes], unzipped)))
        elif start[257:262] == b"ustar":
            yield _tar_members(_bounded(file))
        else:
            raise ValueError("is neither a zip, a tar nor a tar.gz")


def _zip_members(archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        yield Member(
            name=info.orig_filename,  # the other one is cut at a zero byte
            size=info.file_size,
            is_folder=info.is_dir(),
            problem=_zip_problem(info),
            skipping_reads=False,
            open=partial(archive.open, info),
        )


def _zip_problem(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.compress_type not in _ZIP_METHODS:
        return f"is compressed by method {info.compress_type}, which is neither stored nor deflated"
    return None


def _tar_members(file: IO[bytes]) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for info in archive:
            yield Member(
                name=info.name,
                size=info.size,
                is_folder=info.isdir(),
                problem=_tar_problem(info),
                skipping_reads=True,
                open=partial(_opened, archive, info),
            )
        file.seek(archive.offset)
    if file.read(_BLOCK) != bytes(_BLOCK):  # tarfile takes a cut for the end
        raise tarfile.ReadError("it ends in the middle")
    while file.read(2**20):  # a gzip's checksum is at the very end
        pass


def _tar_problem(info: tarfile.TarInfo) -> str | None:
    if not (info.isreg() or info.isdir()):
        return "is a link or a device"
    if info.issparse():
        return "is a file with holes"
    return None


def _opened(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(tarfile.data_filter(info, "."))
    assert file is not None  # it is a regular file
    return file
