"""From the bytes of an image file to RGB pixels; `images` has the rules and the interface.

Failures raise whatever the libraries raise: `images` gives them the name of the file.
"""

from typing import IO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL.BmpImagePlugin import BmpImageFile
from PIL.Image import Exif
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from esrgan.data.pairs import Image

MAX_PIXELS = 2**28
"""Larger images are refused before they are decoded (for WebP and TIFF, Pillow's own limit applies
as well: 2/3 of this)."""

_PLAUSIBLE_PIXELS = 2**24
_PLAUSIBLE_PIXELS_PER_BYTE = 4096  # deflate, the densest of the usual codings, ends at about 1000

_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")

_ORIENTATION_TAG = 274
_BITS_PER_SAMPLE_TAG = 258
_PHOTOMETRIC_TAG = 262
_SAMPLE_FORMAT_TAG = 339

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


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
    turned = _orientation(header) in (5, 6, 7, 8)
    return (header.width, header.height) if turned else (header.height, header.width)


def decode(data: bytes, header: ImageFile) -> Image:
    """Decodes the whole image whose header was parsed from `data`.

    Raises:
        ValueError: the content is damaged, is transparent, or is not what the header says.
    """
    _check_plausible(data, header)
    height, width = upright_size(header)
    pixels = _decode_opencv(data) if _suits_opencv(header) else _decode_pillow(header)
    _check_transparency(pixels, header)
    image = _turn_upright(_to_rgb(_to_eight_bits(pixels)), _orientation(header))
    if image.shape != (height, width, 3):
        raise ValueError(f"the header says {width} x {height} pixels, the content differs")
    return image


def _check_plausible(data: bytes, header: ImageFile) -> None:
    """Finds the lies that would make the decoders reserve gigabytes, or leave pixels black."""
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


def _suits_opencv(header: ImageFile) -> bool:
    """OpenCV is faster, keeps 16 bits, and checks the checksums of a PNG, which Pillow skips."""
    if isinstance(header, TiffImageFile):
        return _is_deep_tiff(header)
    if isinstance(header, JpegImageFile):
        return header.mode != "CMYK"
    return isinstance(header, PngImageFile)


def _is_deep_tiff(header: TiffImageFile) -> bool:
    if max(header.tag_v2.get(_BITS_PER_SAMPLE_TAG, (1,))) <= 8:
        return False
    plain = (
        set(header.tag_v2[_BITS_PER_SAMPLE_TAG]) == {16}
        and set(header.tag_v2.get(_SAMPLE_FORMAT_TAG, (1,))) == {1}
        and header.tag_v2.get(_PHOTOMETRIC_TAG) in (1, 2)
    )
    if not plain:
        raise ValueError("of the deep TIFFs, only 16-bit unsigned grey or RGB is supported")
    return True


def _decode_opencv(data: bytes) -> Pixels:
    """Returns (H, W), or (H, W, 3 or 4) with the channels in the order RGBA."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("the content is damaged or cut short")
    if pixels.ndim == 3:
        order = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        cv2.cvtColor(pixels, order, dst=pixels)
    return pixels  # type: ignore[return-value]  # the stubs know no dtypes


def _decode_pillow(header: ImageFile) -> Pixels:
    """Returns (H, W, 3 or 4)."""
    if header.mode not in _EIGHT_BIT_MODES:
        raise ValueError(f"pixels of Pillow's mode {header.mode} are not supported: save it as RGB")
    return np.array(header.convert("RGBA" if header.has_transparency_data else "RGB"))


def _check_transparency(pixels: Pixels, header: ImageFile) -> None:
    has_alpha = pixels.ndim == 3 and pixels.shape[2] == 4
    if has_alpha:
        opaque = pixels[..., 3].min() == np.iinfo(pixels.dtype).max
    else:
        opaque = not header.has_transparency_data  # OpenCV drops the transparent colour of a PNG
    if not opaque:
        raise ValueError("has transparent pixels: put it on a background and save it without alpha")


def _to_eight_bits(pixels: Pixels) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)  # 65535 = 255 * 257


def _to_rgb(pixels: NDArray[np.uint8]) -> Image:
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    return pixels[..., :3]


def _orientation(header: ImageFile) -> int:
    if "exif" not in header.info:  # a TIFF has none there: both libraries turn it by themselves
        return 1
    exif = Exif()
    try:
        exif.load(header.info["exif"])
        return int(exif.get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged EXIF is common, harmless to the pixels, and ignored by viewers
        return 1


def _turn_upright(image: Image, orientation: int) -> Image:
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
