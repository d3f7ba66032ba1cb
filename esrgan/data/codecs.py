"""How an image becomes the value of a record, and back."""

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import cv2
import numpy as np

from esrgan.data.images import decode_image
from esrgan.data.pairs import Image

_PNG_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


class Codec(Protocol):
    """A pair of inverse functions, and what the manifest calls them."""

    @property
    def name(self) -> str: ...

    @property
    def png_level(self) -> int | None:
        """Compression level for `meta_info.txt`, or None where BasicSR cannot read the values."""
        ...

    def encode(self, image: Image) -> bytes: ...

    def decode(self, value: memoryview, size: tuple[int, int]) -> Image:
        """The image of the given (height, width); it may be a view of `value`.

        Raises:
            ValueError: the value is not such an image; the message goes on from a name for it.
        """
        ...


class RawCodec:
    """The pixels themselves, H * W * 3 bytes: a crop costs no more than copying it."""

    name = "raw"
    png_level = None

    def encode(self, image: Image) -> bytes:
        return image.tobytes()

    def decode(self, value: memoryview, size: tuple[int, int]) -> Image:
        height, width = size
        if len(value) != height * width * 3:
            raise ValueError(
                f"has {len(value)} bytes instead of {height} x {width} x 3: rebuild it"
            )
        return np.frombuffer(value, np.uint8).reshape(height, width, 3)


class PngCodec:
    """PNG as BasicSR writes it: a third to a half of the size, but each read decodes it all."""

    name = "png"
    png_level = 1

    def encode(self, image: Image) -> bytes:
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        done, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, self.png_level])
        assert done
        return data.tobytes()

    def decode(self, value: memoryview, size: tuple[int, int]) -> Image:
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


CODECS: Mapping[str, Codec] = MappingProxyType({"raw": RawCodec(), "png": PngCodec()})
