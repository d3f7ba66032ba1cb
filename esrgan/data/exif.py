"""EXIF data as bytes: what is read of them, and what must not stay when pixels were turned.

They are changed in place, number by number: written anew, what a camera's maker has put into them
(with offsets of its own) would no longer be readable.
"""

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import IO, NamedTuple

from PIL.ExifTags import IFD, Base
from PIL.Image import Exif
from PIL.TiffImagePlugin import IFDRational

_PREFIX = b"Exif\0\0"
_ENTRY = 12  # bytes: tag, type, count, value or its place
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
KEPT_OF_TIFF = (
    *(Base.ImageDescription, Base.Make, Base.Model, Base.Software, Base.DateTime, Base.Artist),
    *(Base.Copyright, Base.XResolution, Base.YResolution, Base.ResolutionUnit),
)


class _Number(NamedTuple):
    """A tag, and where and how its number stands."""

    tag: int
    position: int
    form: str
    value: int


def tiff_structure(exif: bytes | None) -> bytes | None:
    """EXIF data without the prefix that they have in JPEGs; None where nothing can be read."""
    if not exif:
        return None
    bare = exif.removeprefix(_PREFIX)
    try:
        list(_numbers(bare, _first(bare)))
    except (struct.error, ValueError):  # common, harmless to the pixels, and ignored by viewers
        return None
    return bare


def orientation_of(exif: bytes | None) -> int:
    """1 to 8, as the tag has it; 1 where there is none."""
    if exif is None:
        return 1
    found = [n.value for n in _numbers(exif, _first(exif)) if n.tag == Base.Orientation]
    return found[0] if found and 1 <= found[0] <= 8 else 1


def made_upright(exif: bytes, *, height: int, width: int) -> bytes:
    """The same of a picture of this size that was turned; its thumbnail is not found any more."""
    data = bytearray(exif)
    first = _first(exif)
    new = {Base.Orientation: 1, Base.ImageWidth: width, Base.ImageLength: height}
    _replace(data, first, new)
    for pointer in _numbers(exif, first):
        if pointer.tag == IFD.Exif:
            sides = {Base.ExifImageWidth: width, Base.ExifImageHeight: height}
            with suppress(struct.error, ValueError):
                _replace(data, pointer.value, sides)
    order = _order(exif)
    (count,) = struct.unpack_from(f"{order}H", exif, first)
    end = first + 2 + _ENTRY * count
    if len(data) >= end + 4:
        struct.pack_into(f"{order}I", data, end, 0)
    return bytes(data)


def exif_of_tiff(tags: Mapping[int, object], stream: IO[bytes]) -> bytes | None:
    """What a TIFF says in its own tags, as EXIF data; None where nothing can be read."""
    with suppress(Exception):  # tags may hold anything
        kept = Exif()
        for tag, value in tags.items():
            if tag in KEPT_OF_TIFF:
                kept[tag] = IFDRational(*value) if isinstance(value, tuple) else value
        stream.seek(0)
        if stream.read(4) in _ORDERS:  # not a BigTIFF, whose directories Pillow does not find
            stream.seek(0)
            whole = Exif()
            whole.load_from_fp(stream)
            kept.update(
                {ifd: content for ifd in (IFD.Exif, IFD.GPSInfo) if (content := whole.get_ifd(ifd))}
            )
        return tiff_structure(kept.tobytes()) if len(kept) else None
    return None


def exif_of(*, dpi: tuple[float, float] | None, time: bytes | None) -> bytes | None:
    """EXIF data that say this alone, for formats that have no other place for it.

    `time` is as PNG has it: year, month, day, hour, minute, second.
    """
    said = Exif()
    if dpi:
        said[Base.XResolution], said[Base.YResolution] = dpi
        said[Base.ResolutionUnit] = 2  # inches
    if time and len(time) == 7:
        said[Base.DateTime] = "{}:{:02}:{:02} {:02}:{:02}:{:02}".format(
            *struct.unpack(">H5B", time)
        )
    return tiff_structure(said.tobytes()) if len(said) else None


def _replace(data: bytearray, offset: int, new: dict[Base, int]) -> None:
    for number in _numbers(bytes(data), offset):
        if number.tag in new:
            largest = 0xFFFF if number.form.endswith("H") else 0xFFFFFFFF
            value = min(new[Base(number.tag)], largest)
            struct.pack_into(number.form, data, number.position, value)


def _order(exif: bytes) -> str:
    order = _ORDERS.get(exif[:4])
    if order is None:
        raise ValueError("no EXIF data")
    return order


def _first(exif: bytes) -> int:
    (offset,) = struct.unpack_from(f"{_order(exif)}I", exif, 4)
    return int(offset)


def _numbers(exif: bytes, offset: int) -> Iterator[_Number]:
    """Single whole numbers of 16 and of 32 bits in the directory at a place."""
    order = _order(exif)
    (count,) = struct.unpack_from(f"{order}H", exif, offset)
    for position in range(offset + 2, offset + 2 + _ENTRY * count, _ENTRY):
        tag, kind, length = struct.unpack_from(f"{order}HHI", exif, position)
        if kind in (3, 4) and length == 1:
            form = f"{order}{'H' if kind == 3 else 'I'}"
            (value,) = struct.unpack_from(form, exif, position + 8)
            yield _Number(tag, position + 8, form, value)
