"""Image files with all that a user wants back: 16 bits, transparency, grey, colour profiles.

`images` reads what networks learn from, and refuses or drops these. Here:

- 8 and 16 bits stay what they are, and so does grey; a palette becomes RGB, or RGBA.
- Alpha is kept. A single transparent colour becomes an alpha channel.
- The ICC profile of RGB and of grey is kept beside the pixels, which stay as they are. CMYK becomes
  sRGB, by its profile where it has one.
- Formats, damage, limits and the EXIF orientation are dealt with as in `images`. Other EXIF data
  is not kept.
"""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import cast

import numpy as np
from PIL import ImageCms
from PIL.Image import Image as PillowImage
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile

from esrgan.data.decoders import Pixels, decode_pixels, rgb_without_profile
from esrgan.data.headers import parse_header
from esrgan.data.images import failures_named


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
    """Decodes a file by the rules of this module.

    Raises:
        ImageError: the file cannot be read, or breaks a rule.
    """
    with failures_named(str(path)):
        data = path.read_bytes()
        header = parse_header(BytesIO(data))
        is_grey = _is_grey(data, header)
        profile = _fitting_profile(header, is_grey=is_grey)
        pixels = decode_pixels(data, header, to_rgb=_rgb_by_profile)
        key = _transparent_colour(data, header)
        colour, alpha = _separate(pixels) if key is None else _make_transparent(pixels, key)
    return Picture(colour=colour, alpha=alpha, is_grey=is_grey, icc_profile=profile)


def _separate(pixels: Pixels) -> tuple[Pixels, Pixels | None]:
    """Colour and alpha."""
    if pixels.ndim == 2:
        return cast("Pixels", np.repeat(pixels[..., None], 3, axis=2)), None
    colour = cast("Pixels", np.ascontiguousarray(pixels[..., :3]))
    alpha = cast("Pixels", np.ascontiguousarray(pixels[..., 3])) if pixels.shape[2] == 4 else None
    return colour, alpha


def _make_transparent(pixels: Pixels, key: int | tuple[int, ...]) -> tuple[Pixels, Pixels]:
    """Colour, and an alpha that is 0 where the colour is `key`."""
    colour, _ = _separate(pixels)
    is_key = (colour == np.asarray(key)).all(axis=2)
    opaque = np.iinfo(np.uint8 if colour.dtype == np.uint8 else np.uint16).max
    return colour, cast("Pixels", np.where(is_key, 0, opaque).astype(colour.dtype))


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
    if image.mode != "CMYK" or not profile:
        return rgb_without_profile(image)
    try:
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, BytesIO(profile), srgb, outputMode="RGB")
    except ImageCms.PyCMSError:  # damaged, or of another colour space: as if there were none
        return rgb_without_profile(image)
    return converted or rgb_without_profile(image)
