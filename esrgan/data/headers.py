"""What an image file says of itself, before it is decoded.

Failures raise whatever the libraries raise: `images` gives them the name of the file.
"""

from typing import IO

from PIL.BmpImagePlugin import BmpImageFile
from PIL.Image import Exif
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

MAX_PIXELS = 2**28
"""Larger images are refused before they are decoded (for WebP and TIFF, Pillow's own limit applies
as well: 2/3 of this)."""

_PLAUSIBLE_PIXELS = 2**24
_PLAUSIBLE_PIXELS_PER_BYTE = 4096  # deflate, the densest of the usual codings, ends at about 1000

_ORIENTATION_TAG = 274


def parse_header(stream: IO[bytes]) -> ImageFile:
    """Opens an image without decoding it.

    Raises:
        ValueError: the file is of no supported format, or has too many pixels.
    """
    start = stream.read(12)
    stream.seek(0)
    image: ImageFile  # not from Pillow's `open`: it warns and fails by a process-wide pixel limit
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        image = PngImageFile(stream)
    elif start.startswith(b"\xff\xd8\xff"):
        image = JpegImageFile(stream)
    elif start.startswith(b"RIFF") and start.endswith(b"WEBP"):
        image = WebPImageFile(stream)
    elif start.startswith((b"II*\0", b"MM\0*")):
        image = TiffImageFile(stream)
    elif start.startswith(b"BM"):
        image = BmpImageFile(stream)
    else:
        raise ValueError("not a PNG, JPEG, WebP, BMP or TIFF image" if start else "empty file")
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width} x {image.height}"
        raise ValueError(f"{size} pixels are more than the limit of {MAX_PIXELS:,}: cut it up")
    return image


def upright_size(header: ImageFile) -> tuple[int, int]:
    """Height and width after the EXIF rotation."""
    turned = orientation(header) in (5, 6, 7, 8)
    return (header.width, header.height) if turned else (header.height, header.width)


def orientation(header: ImageFile) -> int:
    if "exif" not in header.info:  # a TIFF has none there: both libraries turn it by themselves
        return 1
    exif = Exif()
    try:
        exif.load(header.info["exif"])
        return int(exif.get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged EXIF is common, harmless to the pixels, and ignored by viewers
        return 1


def check_plausible(data: bytes, header: ImageFile) -> None:
    """Finds the lies that would make the decoders reserve gigabytes, or leave pixels black.

    Raises:
        ValueError: the header says what the content cannot hold.
    """
    num_pixels = header.width * header.height
    if num_pixels > max(_PLAUSIBLE_PIXELS, len(data) * _PLAUSIBLE_PIXELS_PER_BYTE):
        raise ValueError(f"{len(data)} bytes cannot hold {header.width} x {header.height} pixels")
    if isinstance(header, PngImageFile):
        _check_png_chunks(data)
    if isinstance(header, TiffImageFile):
        extents = [tile.extents for tile in header.tile if tile.extents]
        if max((right * bottom for _, _, right, bottom in extents), default=0) < num_pixels:
            raise ValueError("the header describes only a part of the pixels")


def _check_png_chunks(data: bytes) -> None:
    position, kind = 8, b""
    while kind != b"IEND":
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        position += 12 + length  # length, kind, content, checksum
        if position > len(data):
            raise ValueError("the file is cut short")
