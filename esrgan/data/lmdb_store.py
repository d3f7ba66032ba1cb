"""Bytes by key in an LMDB, and how an image becomes such bytes.

The reader is safe under every start method of processes, the writer durable.
"""

import mmap
import os
import shutil
import struct
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import lmdb
import numpy as np

from esrgan.data.images import decode_image
from esrgan.types import Image

_T = TypeVar("_T")

_FIRST_MAP_BYTES = 64 << 20
_PNG_LEVEL = 1
_PNG_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_ENGINE = 0  # LMDB 0.9, whose files every LMDB reader opens; 1.0 writes a format of its own

_environments: dict[str, lmdb.Environment] = {}  # of this process, by real path
_environments_lock = threading.Lock()


class LmdbReader:
    """The values of a complete, unchanging LMDB.

    It holds nothing but a path: the file is opened by the first read in each process and shared by
    all readers of that file. LMDB forbids taking an open file across a fork and opening it twice
    in a process, so all are closed before a fork, and opened again where they are next read. A
    thread must not fork while another one reads.
    """

    def __init__(self, folder: Path) -> None:
        self._path = os.path.realpath(folder)

    def read(self, key: bytes, parse: Callable[[memoryview], _T]) -> _T:
        """What `parse` makes of the value, of which it is given a view of the memory map.

        The view is valid during that call only: what is to last has to be copied.

        Raises:
            ValueError: there is no such key, no sound LMDB in the folder, or `parse` raised it; the
                message begins with the record and its folder.
        """
        try:
            with _environment(self._path).begin(buffers=True) as transaction:
                value = transaction.get(key)
                if value is None:
                    raise ValueError("is missing: rebuild the data set")
                return parse(value)
        except (ValueError, lmdb.Error) as error:
            name = key.decode(errors="replace")
            raise ValueError(f"record {name!r} of {self._path} {error}") from error

    def keys(self) -> Iterator[bytes]:
        """All keys in ascending order."""
        try:
            with _environment(self._path).begin() as transaction, transaction.cursor() as cursor:
                yield from cursor.iternext(keys=True, values=False)
        except lmdb.Error as error:
            raise ValueError(f"the keys of {self._path} cannot be read: {error}") from error


class LmdbWriter:
    """Writes an LMDB in transactions that are on the disk when they return.

    There must be one writer at a time and no reader: nothing but the caller sees to it.
    The memory map grows as needed; the file is never larger than what it holds. The folder is made
    where it does not exist.

    Raises:
        OSError: the file system refuses a write (disk full, quota). What was written stays intact.
    """

    def __init__(self, folder: Path) -> None:
        with _as_os_error(folder):
            _remove_stub(folder / "data.mdb")
            self._environment = lmdb.open(
                str(folder),
                map_size=_FIRST_MAP_BYTES,
                lock=False,  # its file is mapped, and on a full disk to touch it kills (SIGBUS)
                lib_version=_ENGINE,
            )
        self._folder = folder

    def __enter__(self) -> "LmdbWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self._environment.close()

    def put(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        """Stores all items or none, replacing values of the same key."""
        self._commit(lambda transaction: transaction.cursor().putmulti(items))

    def keep_only(self, keys: Collection[bytes]) -> None:
        """Removes every record whose key is not among `keys`."""

        def remove_others(transaction: "lmdb.Transaction[bytes]") -> None:
            for key in list(transaction.cursor().iternext(keys=True, values=False)):
                if key not in keys:
                    transaction.delete(key)

        self._commit(remove_others)

    def _commit(self, change: Callable[["lmdb.Transaction[bytes]"], object]) -> None:
        """Makes a change as one transaction, again in a larger map where it does not fit."""
        with _as_os_error(self._folder):
            while True:
                try:
                    with self._environment.begin(write=True) as transaction:
                        change(transaction)
                    return
                except lmdb.MapFullError:
                    self._environment.set_mapsize(2 * self._environment.info()["map_size"])


def _remove_stub(path: Path) -> None:
    """Of a file that a kill or a full disk left before it had its first two pages, without data."""
    if path.exists() and path.stat().st_size < 2 * mmap.PAGESIZE:
        path.unlink()


@contextmanager
def _as_os_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except lmdb.Error as error:
        free = shutil.disk_usage(folder.parent).free >> 20  # LMDB reports a full disk in many ways
        raise OSError(f"{folder} cannot be written ({free} MiB are free): {error}") from error


def _environment(path: str) -> lmdb.Environment:
    with _environments_lock:
        if path not in _environments:
            _environments[path] = _open(path)
        return _environments[path]


def _open(path: str) -> lmdb.Environment:
    try:
        environment = lmdb.open(
            path,
            readonly=True,
            create=False,
            lock=False,  # nobody writes; a read-only disk will do
            readahead=False,  # the access is random
            meminit=False,
            lib_version=_ENGINE,
        )
    except lmdb.Error as error:
        raise ValueError(f"{path} cannot be opened as an LMDB: {error}") from error
    needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    actual = Path(path, "data.mdb").stat().st_size
    if actual < needed:  # reading the missing part would kill the process (SIGBUS)
        environment.close()
        sizes = f"data.mdb has {actual} of at least {needed} bytes"
        raise ValueError(f"{path} is truncated: {sizes}: copy it again")
    return environment


def _lock_and_close() -> None:
    _environments_lock.acquire()
    while _environments:
        _environments.popitem()[1].close()


if hasattr(os, "register_at_fork"):  # not on Windows, which knows no forks
    os.register_at_fork(
        before=_lock_and_close,
        after_in_parent=_environments_lock.release,
        after_in_child=_environments_lock.release,
    )


@dataclass(frozen=True)
class Codec:
    """How an image becomes the value of a record, and back.

    `decode` is given the value and the image's (height, width); the image may be a view of the
    value. Of a value that is not such an image it raises a ValueError, whose message goes on from
    a name for the value.
    """

    name: str
    png_level: int | None
    """Compression level for `meta_info.txt`, or None where BasicSR cannot read the values."""

    encode: Callable[[Image], bytes]
    decode: Callable[[memoryview, tuple[int, int]], Image]


def _decode_raw(value: memoryview, size: tuple[int, int]) -> Image:
    height, width = size
    if len(value) != height * width * 3:
        raise ValueError(f"has {len(value)} bytes instead of {height} x {width} x 3: rebuild it")
    return np.frombuffer(value, np.uint8).reshape(height, width, 3)


def _encode_png(image: Image) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])[1].tobytes()


def _decode_png(value: memoryview, size: tuple[int, int]) -> Image:
    image = decode_image(bytes(value), "as a PNG")
    if image.shape[:2] != size:
        raise ValueError(f"is {image.shape[0]}x{image.shape[1]}, not {size[0]}x{size[1]}")
    return image


def png_size(value: memoryview) -> tuple[int, int]:
    """Height and width that the header of a PNG gives.

    Raises:
        ValueError: the value is no PNG, or of size 0; the message goes on from a name for it.
    """
    if value[: len(_PNG_START)] != _PNG_START or len(value) < len(_PNG_START) + 8:
        raise ValueError("is not a PNG: build the data set with prepare_data")
    width, height = struct.unpack_from(">II", value, len(_PNG_START))
    if not (width and height):
        raise ValueError(f"has no pixels ({height}x{width}): rebuild it")
    return height, width


# Of the pixels themselves, a crop costs no more than copying it. PNGs as BasicSR writes them have a
# third to a half of the size, but each read decodes a whole one.
CODECS: Mapping[str, Codec] = {
    "raw": Codec("raw", None, np.ndarray.tobytes, _decode_raw),
    "png": Codec("png", _PNG_LEVEL, _encode_png, _decode_png),
}
