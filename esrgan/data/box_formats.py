"""AVIF and JPEG 2000, whose files are boxes: Pillow reads 8 bits of them, imagecodecs more."""

import struct
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from typing import IO, Any

import imagecodecs
import numpy as np
from PIL.AvifImagePlugin import AvifImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from esrgan.data.header import Header, note_of_frames
from esrgan.data.pillow_formats import described, to_sixteen_bits
from esrgan.types import Pixels

_SIZ = b"\xff\x4f\xff\x51"  # with which the code of a JPEG 2000 begins
_GREY_OR_SRGB = (16, 17)  # its numbers of colour spaces
_UNSPECIFIED = 2  # in CICP, the numbers for primaries, transfer and matrix of H.273
_PLAIN_TRANSFERS = (1, 6, 13, 14, 15, _UNSPECIFIED)  # of video in SDR, shown as sRGB is


def open_avif(stream: IO[bytes]) -> Header:
    data = stream.read()
    image = AvifImageFile(BytesIO(data))
    properties = list(_boxes(_inside(data, b"meta", b"iprp", b"ipco")))
    bits = max((_av1_bits(content) for kind, content in properties if kind == b"av1C"), default=8)
    decode = partial(_decode_deep, imagecodecs.avif_decode, data, bits) if bits > 8 else None
    chunks = {}
    for kind, content in properties:
        if kind == b"colr" and content[:4] == b"nclx":
            primaries, transfer = struct.unpack(">HH", content[4:8])
            if primaries not in (1, _UNSPECIFIED) or transfer not in _PLAIN_TRANSFERS:
                chunks = {b"cICP": bytes([primaries, transfer, 0, 1])}  # 0: RGB, 1: full range
    notes = note_of_frames(image.n_frames, "frames")
    return described(image, decode, notes=notes, colour_chunks=chunks)


def open_jpeg2000(stream: IO[bytes]) -> Header:
    data = stream.read()
    image = Jpeg2KImageFile(BytesIO(data))
    start = data.find(_SIZ)
    (num_channels,) = struct.unpack(">H", data[start + 40 : start + 42])
    depths = set(data[start + 42 : start + 42 + 3 * num_channels : 3])
    if any(depth & 0x80 for depth in depths):
        raise ValueError("its samples are signed integers: save it with unsigned ones")
    header = list(_boxes(_inside(data, b"jp2h"))) if not data.startswith(_SIZ) else []
    _check_channels(header)
    spaces = [content for kind, content in header if kind == b"colr"]
    for content in spaces:
        if content[0] in (2, 3):
            image.info["icc_profile"] = content[3:]
    named = {int.from_bytes(content[3:7], "big") for content in spaces if content[0] == 1}
    bits = max(depths) + 1
    if bits <= 8:
        return described(image)
    if len(depths) > 1 or not named <= set(_GREY_OR_SRGB) or image.mode in ("P", "PA", "CMYK"):
        raise ValueError(f"of JPEG 2000 with {bits} bits, grey and sRGB alone are read")
    return described(image, partial(_decode_deep, imagecodecs.jpeg2k_decode, data, bits))


def _check_channels(header: list[tuple[bytes, bytes]]) -> None:
    for kind, content in header:
        if kind == b"cdef":
            for number, meaning, _ in struct.iter_unpack(">HHH", content[2:]):
                if meaning == 2:
                    raise ValueError("its colours are multiplied by alpha: save it without alpha")
                if meaning not in (0, 1):
                    raise ValueError(f"its channel {number} is neither colour nor alpha: remove it")


def _decode_deep(decode: Callable[[bytes], Any], data: bytes, bits: int) -> Pixels:
    stored = np.asarray(decode(data))
    stored = stored.reshape(*stored.shape[:2], -1)
    return to_sixteen_bits(stored.astype(np.int64), 2**bits - 1)


def _av1_bits(content: bytes) -> int:
    """Of the AV1 codec configuration record."""
    is_high, is_twelve = content[2] & 0x40, content[2] & 0x20
    return (12 if is_twelve else 10) if is_high else 8


def _inside(data: bytes, *path: bytes) -> bytes:
    """The content of a box in boxes; nothing where it is not there."""
    for wanted in path:
        data = next((content for kind, content in _boxes(data) if kind == wanted), b"")
        if wanted == b"meta":
            data = data[4:]  # its version and flags
    return data


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data.ljust(start + 8, b"\0"), start)
            start += 8
        end = len(data) if length == 0 else position + length
        if end <= position:
            return
        yield kind, data[start:end]
        position = end
