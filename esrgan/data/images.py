"""The one way in for image files that networks learn from, and the one way out.

Every file becomes uint8 RGB (H, W, 3), or an `ImageError` with its name and the reason:

- The content decides what a file is, not its suffix: `formats` has those that are read.
- Grey becomes three equal channels, a palette RGB, CMYK sRGB. Other colour profiles, gamma and
  primaries are ignored, as by every program whose data sets are in circulation; that is said.
- Deeper than 8 bits become 8 by rounding v * 255 / 65535. Floats are refused.
- An alpha channel is dropped where it is opaque everywhere. Anything else is refused: the colours
  under transparent pixels are arbitrary, and a network would learn them as if they were the scene.
- The orientation is applied. EXIF data that cannot be read counts as absent.
- Of a file with several images, the first is read, and their number is said.
"""

import logging
from io import BytesIO
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from esrgan.data.formats import check_plausible, open_image
from esrgan.data.header import Header, ImageError, failures_named
from esrgan.data.png_format import is_plain_srgb
from esrgan.files import write_whole
from esrgan.types import Image, Pixels

__all__ = ["ImageError", "decode_image", "image_size", "read_image", "read_pixels", "write_png"]

log = logging.getLogger("esrgan.data")
_others = count()  # of this process: all pictures of a data set may have such a profile


def read_image(path: Path) -> Image:
    """The image in a file, by the rules of this module."""
    with failures_named(str(path)):
        data = path.read_bytes()
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str) -> Image:
    """The image in the content of a file; an `ImageError` calls it `name`."""
    with failures_named(name):
        header, pixels = read_pixels(data)
        largest = np.iinfo(pixels.dtype).max
        if pixels.shape[2] in (2, 4) and pixels[..., -1].min() < largest:
            fix = "put it on a background and save it without alpha"
            raise ValueError(f"has transparent pixels: {fix}")
        if pixels.dtype != np.uint8:
            pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)  # 257 = 65535 / 255
    for note in header.notes:
        log.warning("%s %s", name, note)
    if _says_other_colours(header) and next(_others) == 0:
        ignored = "colours other than sRGB, by a profile or by gamma, which is ignored"
        log.warning("%s says that it has %s; other files are not named", name, ignored)
    colour = pixels[..., :3] if pixels.shape[2] > 2 else pixels[..., :1].repeat(3, axis=2)
    return np.ascontiguousarray(colour, np.uint8)


def read_pixels(data: bytes) -> tuple[Header, Pixels]:
    """What a file says of itself and what it stores, upright: (H, W, C) as `Header.decode` has it.

    Raises:
        ValueError: the content is damaged, or is not what the header says.
    """
    header = open_image(BytesIO(data))
    check_plausible(header, len(data))
    return header, turned_upright(header, header.decode())


def turned_upright(header: Header, pixels: Pixels) -> Pixels:
    """Of the pixels as they are stored; a ValueError where their number is not the header's."""
    if pixels.shape[:2] != (header.height, header.width):
        size = f"{header.width} x {header.height}"
        raise ValueError(f"the header says {size} pixels, the content differs")
    return _turn_upright(pixels, header.orientation)


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of the image that `read_image` returns, from the header alone."""
    return read_header(path).upright_size


def read_header(path: Path) -> Header:
    """What the file says of itself; its pixels cannot be decoded any more."""
    with failures_named(str(path)), path.open("rb") as stream:
        return open_image(stream)


def write_png(path: Path, image: Image, *, overwrite: bool = False) -> None:
    """Writes a PNG file that exists completely or not at all.

    Raises:
        ValueError: the file exists and `overwrite` is not set, or `image` is not uint8 (H, W, 3).
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"image ({image.dtype}, shape {image.shape}) must be uint8 (H, W, 3)")
    encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    write_whole(path, encoded.tobytes(), overwrite=overwrite)


def _says_other_colours(header: Header) -> bool:
    profile = header.icc_profile or b""
    is_srgb = b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile
    return bool(profile and not is_srgb) or not is_plain_srgb(header.about.colour_chunks)


def _turn_upright(pixels: Pixels, orientation: int) -> Pixels:
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
