"""Image files with all that a user wants back: 16 bits, transparency, grey, colour profiles.

`images` reads what networks learn from, and refuses or drops these. Here:

- 8 and 16 bits stay what they are, and so does grey; a palette becomes RGB, or RGBA.
- Alpha is kept. A single transparent colour becomes an alpha channel.
- The ICC profile of RGB and of grey is kept beside the pixels, which stay as they are. CMYK becomes
  sRGB, by its profile where it has one.
- Formats, damage, limits and the EXIF orientation are dealt with as in `images`. Other EXIF data
  is not kept.
- What a file of the chosen format would lose is refused.
"""

import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, cast

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms
from PIL.Image import Image as PillowImage
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile

from esrgan.data.images import decode_pixels, failures_named, parse_header, rgb_without_profile
from esrgan.files import refuse_existing, write_whole
from esrgan.types import Pixels

_JPEG_QUALITY = 95

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END_OF_IHDR = len(_SIGNATURE) + 25


class _Holds(NamedTuple):
    name: str
    largest_side: int
    sixteen_bits: bool = False
    alpha: bool = False
    grey: bool = False


_PNG = _Holds("PNG", 2**31 - 1, sixteen_bits=True, alpha=True, grey=True)
_JPEG = _Holds("JPEG", 65500, grey=True)
_WEBP = _Holds("WebP", 16383, alpha=True)
_BY_SUFFIX = {".png": _PNG, ".jpg": _JPEG, ".jpeg": _JPEG, ".webp": _WEBP}


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A decoded image, upright."""

    colour: Pixels
    """RGB (H, W, 3), not multiplied by alpha; grey has three equal channels."""

    alpha: Pixels | None
    """(H, W), of the same type; the largest number is opaque."""

    is_grey: bool
    icc_profile: bytes | None
    """Of the colour space of `colour`, or of grey where that is grey."""


def read_picture(path: Path) -> Picture:
    """Decodes a file by the rules of this module; an `ImageError` where it breaks one."""
    with failures_named(str(path)):
        data = path.read_bytes()
        header = parse_header(BytesIO(data))
        is_grey = _is_grey(data, header)
        profile = _fitting_profile(header, is_grey=is_grey)
        pixels = decode_pixels(data, header, to_rgb=_rgb_by_profile)
        colour = np.require(pixels[..., :3], requirements="C")
        alpha = _alpha(pixels, _transparent_colour(data, header))
    return Picture(colour=colour, alpha=alpha, is_grey=is_grey, icc_profile=profile)


def refuse_losses(picture: Picture, suffix: str, *, height: int, width: int) -> None:
    """Raises a ValueError where a format would lose something of such a picture of that size."""
    holds = _BY_SUFFIX[suffix]
    if max(height, width) > holds.largest_side:
        raise ValueError(f"{holds.name} cannot hold {width} x {height} pixels: use PNG")
    if picture.colour.dtype == np.uint16 and not holds.sixteen_bits:
        raise ValueError(f"has 16 bits, and {holds.name} cannot hold more than 8: use PNG")
    if _is_transparent(picture) and not holds.alpha:
        raise ValueError(f"has transparent pixels, which {holds.name} cannot hold: use PNG or WebP")
    if picture.is_grey and picture.icc_profile and not holds.grey:
        raise ValueError(f"has a grey profile, and {holds.name} can only hold RGB: use PNG")


def write_picture(
    path: Path, picture: Picture, *, quality: int | None = None, overwrite: bool = False
) -> None:
    """Writes a PNG, JPEG or WebP, as the suffix says, that is complete or does not exist.

    Grey becomes RGB in WebP, and opaque alpha is dropped where it cannot be held. `quality` is 1 to
    100, of JPEG (None: 95) and of WebP (None: lossless).

    Raises:
        ValueError: the file exists and `overwrite` is not set, or the format cannot hold all of
            the picture.
    """
    height, width = picture.colour.shape[:2]
    refuse_losses(picture, path.suffix, height=height, width=width)
    refuse_existing(path, overwrite=overwrite)  # before seconds of encoding
    holds = _BY_SUFFIX[path.suffix]
    channels = _channels(picture, holds)
    if holds is _PNG:
        content = _png(channels, picture.icc_profile)
    else:
        content = _by_pillow(holds, channels, picture.icc_profile, quality)
    write_whole(path, content, overwrite=overwrite)


def _alpha(pixels: Pixels, key: int | tuple[int, ...] | None) -> Pixels | None:
    """0 where the colour is `key`, which a file names that has no alpha channel."""
    if key is not None:
        alpha = np.full_like(pixels[..., 0], np.iinfo(pixels.dtype).max)
        alpha[(pixels[..., :3] == np.asarray(key)).all(axis=2)] = 0
        return alpha
    return pixels[..., 3].copy() if pixels.shape[2] == 4 else None


def _is_grey(data: bytes, header: ImageFile) -> bool:
    if isinstance(header, PngImageFile):  # by its colour type: of 16 bits, Pillow's mode tells less
        return data[25] in (0, 4)
    return header.mode in ("1", "L", "LA", "I;16", "I;16B")


def _fitting_profile(header: ImageFile, *, is_grey: bool) -> bytes | None:
    """None also where the profile is of another colour space: viewers ignore such, or complain."""
    profile = header.info.get("icc_profile")
    space = b"GRAY" if is_grey else b"RGB "
    return profile if profile and profile[16:20] == space else None


def _transparent_colour(data: bytes, header: ImageFile) -> int | tuple[int, ...] | None:
    """What a PNG of RGB or grey without alpha channel names, in the range of the decoded pixels."""
    if header.mode not in ("1", "L", "I;16", "RGB"):
        return None
    key: int | tuple[int, ...] | None = header.info.get("transparency")
    if header.mode == "L" and isinstance(key, int):
        bits = data[24]
        key = key * 255 // (2**bits - 1)  # a grey of few bits is decoded to the range of eight
    return key


def _rgb_by_profile(image: PillowImage) -> PillowImage:
    profile = image.info.get("icc_profile")
    if image.mode == "CMYK" and profile:
        srgb = ImageCms.createProfile("sRGB")
        with suppress(ImageCms.PyCMSError):  # damaged, or of another colour space: as if none
            converted = ImageCms.profileToProfile(image, BytesIO(profile), srgb, outputMode="RGB")
            image = converted or image
    return rgb_without_profile(image)


def _is_transparent(picture: Picture) -> bool:
    alpha = picture.alpha
    return alpha is not None and bool(alpha.min() < np.iinfo(alpha.dtype).max)


def _channels(picture: Picture, holds: _Holds) -> Pixels:
    """(H, W) or (H, W, 2, 3 or 4); for WebP, Pillow makes RGB of grey."""
    colour = picture.colour[..., 0] if picture.is_grey else picture.colour
    if picture.alpha is None or not holds.alpha:
        return colour
    return cast("Pixels", np.dstack([colour, picture.alpha]))


def _by_pillow(
    holds: _Holds, channels: Pixels, profile: bytes | None, quality: int | None
) -> bytes:
    if holds is _JPEG:  # 4:4:4, as the finest colour detail is what was asked for
        options = {"quality": _JPEG_QUALITY if quality is None else quality, "subsampling": 0}
    elif quality is None:
        options = {"lossless": 1, "exact": 1}  # exact: what lies under transparent pixels as well
    else:
        options = {"quality": quality}
    stream = BytesIO()
    Pillow.fromarray(channels).save(stream, holds.name, icc_profile=profile, **options)
    return stream.getvalue()


def _png(channels: Pixels, profile: bytes | None) -> bytes:
    """Pillow writes no 16-bit RGB, and OpenCV before 4.12 no profile."""
    if channels.ndim == 3 and channels.shape[2] == 2:
        png = _png_of_grey_and_alpha(channels)  # OpenCV writes none
    else:
        if channels.ndim == 3:
            order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[channels.shape[2]]
            channels = cv2.cvtColor(channels, order)  # type: ignore[assignment]
        png = cv2.imencode(".png", channels)[1].tobytes()
    if profile:
        chunk = _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
        png = png[:_END_OF_IHDR] + chunk + png[_END_OF_IHDR:]
    return png


def _png_of_grey_and_alpha(channels: Pixels) -> bytes:
    """Section 11.2 of the PNG specification: colour type 4; each row less the one above it."""
    height, width = channels.shape[:2]
    bits = 8 * channels.dtype.itemsize
    rows = channels.astype(channels.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    filtered = np.insert(rows - above, 0, 2, axis=1)  # 2 is the filter's number, "Up"
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 4, 0, 0, 0)),
            _chunk(b"IDAT", zlib.compress(filtered.tobytes())),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
