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

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np

from esrgan.data.decoders import decode
from esrgan.data.headers import parse_header, upright_size
from esrgan.data.pairs import Image
from esrgan.durable import write_whole

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""What `list_images` takes for an image, in any case of the letters."""


class ImageError(ValueError):
    """An image that cannot be used."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)  # both, so that it survives pickling
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def read_image(path: Path) -> Image:
    """Decodes a file by the rules of this module.

    Raises:
        ImageError: the file cannot be read, or breaks a rule.
    """
    with failures_named(str(path)):
        data = path.read_bytes()
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str) -> Image:
    """Decodes the content of a file by the rules of this module; errors call it `name`.

    Raises:
        ImageError: the content cannot be decoded, or breaks a rule.
    """
    with failures_named(name):
        return decode(data, parse_header(BytesIO(data)))


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of the image that `read_image` returns, from the header alone.

    Raises:
        ImageError: the file cannot be read, or its header breaks a rule.
    """
    with failures_named(str(path)), path.open("rb") as stream:
        return upright_size(parse_header(stream))


def write_png(path: Path, image: Image, *, overwrite: bool = False) -> None:
    """Writes a PNG file that exists completely or not at all.

    Raises:
        ValueError: the file exists and `overwrite` is not set, or `image` is not uint8 (H, W, 3).
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"image ({image.dtype}, shape {image.shape}) must be uint8 (H, W, 3)")
    if path.exists() and not overwrite:
        raise ValueError(f"{path} exists and is not overwritten: remove it or choose another name")
    encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    write_whole(path, encoded.tobytes())


def list_images(folder: Path) -> list[Path]:
    """All image files in a folder and its subfolders, sorted; hidden ones are left out.

    Raises:
        ValueError: there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: name the folder that holds the images")
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    if not paths:
        raise ValueError(f"{folder} holds no images: supported are {', '.join(SUFFIXES)}")
    return paths


@contextmanager
def failures_named(name: str) -> Iterator[None]:
    """Makes of whatever is raised an `ImageError`."""
    try:
        yield
    except Exception as error:  # a decoder may raise anything on damaged content
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ImageError(name, " ".join(reason.split()) or type(error).__name__) from error
