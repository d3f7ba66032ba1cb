"""PNG: its chunks are read here, and its pixels by OpenCV.

OpenCV is faster than Pillow, keeps 16 bits and checks checksums. It is given the chunks that make
the pixels and no others, so that texts and profiles of any size trouble nobody.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import IO, NamedTuple, cast

import cv2
import numpy as np

from esrgan.data.exif import orientation_of, tiff_structure
from esrgan.data.header import About, DamageError, Header, note_of_frames
from esrgan.types import Pixels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_OF_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_COLOUR = (b"sRGB", b"gAMA", b"cHRM", b"cICP", b"mDCV", b"cLLI")
_READ = (b"IHDR", b"tRNS", b"iCCP", b"eXIf", b"pHYs", b"tIME", b"acTL", *_COLOUR)
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by colour type; 3 is a palette
_MAX_PROFILE = 2**26
_INCH = 0.0254  # metres
_END_OF_IHDR = len(SIGNATURE) + 25


class _Chunk(NamedTuple):
    kind: bytes
    start: int  # of its length, which is before all else of it
    length: int


def open_png(stream: IO[bytes]) -> Header:
    """Reads all chunks but those of pixels and texts; a ValueError where the file is cut short."""
    found: dict[bytes, bytes] = {}
    for chunk in _chunks(stream):
        if chunk.kind in _READ and chunk.kind not in found:
            stream.seek(chunk.start + 8)
            content = stream.read(chunk.length)
            if stream.read(4) == _checksum(chunk.kind, content):  # else as if it were not there
                found[chunk.kind] = content
    width, height, _, colour_type, *_ = struct.unpack(">IIBBBBB", found[b"IHDR"])
    if not (width and height and colour_type in _CHANNELS):
        raise ValueError("the header is damaged")
    exif = tiff_structure(found.get(b"eXIf"))
    about = About(
        exif=exif,
        dpi=_dpi(found.get(b"pHYs")),
        colour_chunks={kind: found[kind] for kind in _COLOUR if kind in found},
        time=found.get(b"tIME"),
    )
    num_frames = int.from_bytes(found.get(b"acTL", b"")[:4], "big")
    profile, notes = None, note_of_frames(num_frames, "frames (APNG)")
    if b"iCCP" in found:
        profile = _profile(found[b"iCCP"])
        notes += () if profile else ("its colour profile is damaged and left out",)
    return Header(
        height=height,
        width=width,
        is_grey=colour_type in (0, 4),
        decode=partial(_decode, stream, found[b"IHDR"], found.get(b"tRNS")),
        orientation=orientation_of(exif),
        icc_profile=profile,
        about=about,
        notes=notes,
    )


def encode_png(
    channels: Pixels, *, profile: bytes | None, exif: bytes | None, about: About
) -> bytes:
    """(H, W) or (H, W, 2, 3 or 4) in 8 or 16 bits, with all that is said of it."""
    if channels.ndim == 3 and channels.shape[2] == 2:
        png = _encode_grey_and_alpha(channels)  # OpenCV writes none
    else:
        if channels.ndim == 3:
            order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[channels.shape[2]]
            channels = cast("Pixels", cv2.cvtColor(channels, order))
        png = cv2.imencode(".png", channels)[1].tobytes()
    return png[:_END_OF_IHDR] + _describe(profile, exif, about) + png[_END_OF_IHDR:]


def _describe(profile: bytes | None, exif: bytes | None, about: About) -> bytes:
    said: dict[bytes, bytes] = dict(about.colour_chunks)
    if profile:
        said.pop(b"sRGB", None)  # of both, a PNG may have one
        said[b"iCCP"] = b"ICC profile\0\0" + zlib.compress(profile)
    if about.dpi:
        said[b"pHYs"] = struct.pack(">IIB", *(round(dpi / _INCH) for dpi in about.dpi), 1)
    if exif:
        said[b"eXIf"] = exif
    if about.time:
        said[b"tIME"] = about.time
    return b"".join(_chunk(kind, content) for kind, content in said.items())


def is_plain_srgb(chunks: Mapping[bytes, bytes]) -> bool:
    """Whether colours are meant as everybody takes them who knows nothing of these chunks."""
    if b"cICP" in chunks:
        return chunks[b"cICP"][:2] == b"\x01\x0d"
    if b"sRGB" in chunks:
        return True
    gamma = int.from_bytes(chunks.get(b"gAMA", b""), "big") or 45455
    primaries = chunks.get(b"cHRM", _SRGB_PRIMARIES)
    near = np.abs(_as_integers(primaries) - _as_integers(_SRGB_PRIMARIES)).max() <= 100
    return abs(gamma - 45455) <= 100 and bool(near)


_SRGB_PRIMARIES = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


def _as_integers(primaries: bytes) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.frombuffer(primaries[:32].ljust(32, b"\0"), ">u4").astype(np.int64)


def _chunks(stream: IO[bytes]) -> Iterator[_Chunk]:
    """All of a file up to its end; a ValueError where that is missing."""
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        stream.seek(position)
        start = stream.read(8)
        if len(start) < 8:
            raise DamageError("the file is cut short")
        length, kind = int.from_bytes(start[:4], "big"), start[4:]
        if position == len(SIGNATURE) and kind != b"IHDR":
            of = "Apple's own form of PNG (CgBI): " if kind == b"CgBI" else ""
            raise ValueError(f"{of}its first chunk is {kind!r}: save it as PNG anew")
        yield _Chunk(kind, position, length)
        position += 12 + length  # length, kind, content, checksum
    if position > stream.seek(0, 2):
        raise DamageError("the file is cut short")


def _decode(stream: IO[bytes], header: bytes, transparency: bytes | None) -> Pixels:
    bits, colour_type = header[8], header[9]
    kept = (*_OF_PIXELS, b"tRNS") if colour_type == 3 else _OF_PIXELS
    buffer = BytesIO()
    buffer.write(SIGNATURE)
    for chunk in _chunks(stream):
        if chunk.kind in kept:
            stream.seek(chunk.start)
            buffer.write(stream.read(12 + chunk.length))
    pixels = cv2.imdecode(np.frombuffer(buffer.getbuffer(), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise DamageError("the content is damaged or cut short")
    if pixels.ndim == 3:
        order = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        cv2.cvtColor(pixels, order, dst=pixels)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if colour_type == 4:
        pixels = pixels[..., 2:]  # OpenCV has made RGB of the grey
    if transparency and colour_type in (0, 2):
        pixels = _with_key(cast("Pixels", pixels), transparency, bits)
    return cast("Pixels", pixels)


def _with_key(pixels: Pixels, transparency: bytes, bits: int) -> Pixels:
    """With an alpha channel, 0 where the colour is the one that is named as transparent."""
    largest = 2**bits - 1
    key = np.frombuffer(transparency[: 2 * pixels.shape[2]], ">u2").astype(np.int64) & largest
    key = key * int(np.iinfo(pixels.dtype).max) // largest  # few bits are decoded to eight
    alpha = np.full_like(pixels[..., :1], np.iinfo(pixels.dtype).max)
    alpha[(pixels == key).all(axis=2)] = 0
    return cast("Pixels", np.concatenate([pixels, alpha], axis=2))


def _dpi(physical: bytes | None) -> tuple[float, float] | None:
    if physical is None or len(physical) != 9 or physical[8] != 1:  # 1: per metre
        return None
    horizontal, vertical = struct.unpack(">II", physical[:8])
    return (horizontal * _INCH, vertical * _INCH) if horizontal and vertical else None


def _profile(content: bytes) -> bytes | None:
    _, _, packed = content.partition(b"\0")
    with suppress(zlib.error):
        return zlib.decompressobj().decompress(packed[1:], _MAX_PROFILE)
    return None


def _encode_grey_and_alpha(channels: Pixels) -> bytes:
    """Section 11.2 of the PNG specification: colour type 4; each row less the one above it."""
    height, width = channels.shape[:2]
    bits = 8 * channels.dtype.itemsize
    rows = channels.astype(channels.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    filtered = np.insert(rows - above, 0, 2, axis=1)  # 2 is the filter's number, "Up"
    return b"".join(
        [
            SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 4, 0, 0, 0)),
            _chunk(b"IDAT", zlib.compress(filtered.tobytes())),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + _checksum(kind, content)


def _checksum(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(kind + content))
