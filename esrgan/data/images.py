"""The one way in and out for image files.

Every file becomes uint8 RGB (H, W, 3), or an `ImageError` with its name and the reason:

- The content decides what a file is, not its suffix: PNG, JPEG, WebP, BMP or TIFF.
- Grey becomes three equal channels; a palette and CMYK become RGB. Colour profiles are ignored.
- 16 bits become 8 by rounding v * 255 / 65535. Deeper images and floats are refused.
- An alpha channel is dropped where it is opaque everywhere. Anything else is refused: the colours
  under transparent pixels are arbitrary, and a network would learn them as if they were the scene.
- The EXIF orientation is applied. EXIF data that cannot be read counts as absent.
- Of a file with several images, the first is read.

OpenCV decodes PNG, JPEG (but CMYK) and 16-bit TIFF; Pillow reads all headers and decodes the rest.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ExifTags import Base as Tag
from PIL.Image import Exif
from PIL.Image import Image as PillowImage
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from esrgan.files import write_whole
from esrgan.types import Image, Pixels

ToRgb = Callable[[PillowImage], PillowImage]
"""What Pillow decoded in, RGB or RGBA out."""

_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")  # in any case of letters
_MAX_PIXELS = 2**28  # for WebP and TIFF, Pillow's own limit applies as well: 2/3 of this
_PLAUSIBLE_PIXELS = 2**24
_PLAUSIBLE_PIXELS_PER_BYTE = 4096  # deflate, the densest of the usual codings, ends at about 1000
_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")


class ImageError(ValueError):
    """An image that cannot be used."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)  # both, so that it survives pickling
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def read_image(path: Path) -> Image:
    """The image in a file, by the rules of this module."""
    with failures_named(str(path)):
        data = path.read_bytes()
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str) -> Image:
    """The image in the content of a file; an `ImageError` calls it `name`."""
    with failures_named(name):
        header = parse_header(BytesIO(data))
        pixels = decode_pixels(data, header)
        if _is_transparent(pixels, header):
            fix = "put it on a background and save it without alpha"
            raise ValueError(f"has transparent pixels: {fix}")
        if pixels.dtype != np.uint8:
            pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)  # 257 = 65535 / 255
        return np.ascontiguousarray(pixels[..., :3], np.uint8)


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of the image that `read_image` returns, from the header alone."""
    with failures_named(str(path)), path.open("rb") as stream:
        return _upright_size(parse_header(stream))


def write_png(path: Path, image: Image, *, overwrite: bool = False) -> None:
    """Writes a PNG file that exists completely or not at all.

    Raises:
        ValueError: the file exists and `overwrite` is not set, or `image` is not uint8 (H, W, 3).
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"image ({image.dtype}, shape {image.shape}) must be uint8 (H, W, 3)")
    encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    write_whole(path, encoded.tobytes(), overwrite=overwrite)


def list_images(folder: Path) -> list[Path]:
    """The images in a folder and its subfolders, sorted, but hidden ones; a ValueError if none."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: name the folder that holds the images")
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    if not paths:
        raise ValueError(f"{folder} holds no images: supported are {', '.join(_SUFFIXES)}")
    return paths


@contextmanager
def failures_named(name: str) -> Iterator[None]:
    """Makes of whatever is raised an `ImageError`."""
    try:
        yield
    except Exception as error:  # a decoder may raise anything on damaged content
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ImageError(name, " ".join(reason.split()) or type(error).__name__) from error


def parse_header(stream: IO[bytes]) -> ImageFile:
    """Opens an image without decoding it; refuses other formats, and too many pixels."""
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
    if image.width * image.height > _MAX_PIXELS:
        size = f"{image.width} x {image.height}"
        raise ValueError(f"{size} pixels are more than the limit of {_MAX_PIXELS:,}: cut it up")
    return image


def _upright_size(header: ImageFile) -> tuple[int, int]:
    """Height and width after the EXIF rotation."""
    turned = _orientation(header) in (5, 6, 7, 8)
    return (header.width, header.height) if turned else (header.height, header.width)


def _orientation(header: ImageFile) -> int:
    if "exif" not in header.info:  # a TIFF has none there: both libraries turn it by themselves
        return 1
    exif = Exif()
    try:
        exif.load(header.info["exif"])
        return int(exif.get(Tag.Orientation, 1))
    except Exception:  # damaged EXIF is common, harmless to the pixels, and ignored by viewers
        return 1


def _check_plausible(data: bytes, header: ImageFile) -> None:
    """Refuses headers that would make the decoders reserve gigabytes, or leave pixels black."""
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


def rgb_without_profile(image: PillowImage) -> PillowImage:
    """RGB, or RGBA where something is transparent, by formulas that know no ICC profile."""
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def decode_pixels(data: bytes, header: ImageFile, *, to_rgb: ToRgb = rgb_without_profile) -> Pixels:
    """What the file stores, upright: (H, W, 3 or 4) with the channels in the order RGBA.

    `to_rgb` is for what OpenCV does not decode, CMYK among it. The one transparent colour that a
    PNG may name, in place of an alpha channel, may be ignored.

    Raises:
        ValueError: the content is damaged, or is not what the header says.
    """
    _check_plausible(data, header)
    height, width = _upright_size(header)  # here, because Pillow's decoding can change it
    if _suits_opencv(header):
        pixels = _decode_opencv(data)
    elif header.mode in _EIGHT_BIT_MODES:
        pixels = np.array(to_rgb(header))
    else:
        raise ValueError(f"pixels of Pillow's mode {header.mode} are not supported: save it as RGB")
    pixels = _turn_upright(pixels, _orientation(header))
    if pixels.shape[:2] != (height, width):
        raise ValueError(f"the header says {width} x {height} pixels, the content differs")
    return pixels if pixels.ndim == 3 else pixels[..., None].repeat(3, axis=2)


def _suits_opencv(header: ImageFile) -> bool:
    """OpenCV is faster, keeps 16 bits, and checks the checksums of a PNG, which Pillow skips."""
    if isinstance(header, TiffImageFile):
        return _is_deep_tiff(header)
    if isinstance(header, JpegImageFile):
        return header.mode != "CMYK"
    return isinstance(header, PngImageFile)


def _is_deep_tiff(header: TiffImageFile) -> bool:
    tags = header.tag_v2
    bits, formats = tags.get(Tag.BitsPerSample, (1,)), tags.get(Tag.SampleFormat, (1,))
    if max(bits) <= 8:
        return False
    is_grey_or_rgb = tags.get(Tag.PhotometricInterpretation) in (1, 2)
    if not (set(bits) == {16} and set(formats) == {1} and is_grey_or_rgb):
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


def _is_transparent(pixels: Pixels, header: ImageFile) -> bool:
    if pixels.shape[2] == 4:
        return bool(pixels[..., 3].min() < np.iinfo(pixels.dtype).max)
    return header.has_transparency_data  # OpenCV drops the transparent colour of a PNG


def _turn_upright(pixels: Pixels, orientation: int) -> Pixels:
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
