"""Pictures as PNG, JPEG and WebP files, and what each of these can hold."""

from io import BytesIO
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from PIL import Image as Pillow

from esrgan.data.exif import exif_of, made_upright
from esrgan.data.pictures import Picture
from esrgan.data.png_format import encode_png, is_plain_srgb
from esrgan.files import refuse_existing, write_whole
from esrgan.types import Pixels

_JPEG_QUALITY = 95
_MAX_JPEG_EXIF = 65533 - len(b"Exif\0\0")
_MAX_JPEG_PROFILE = 255 * 65519


class _Holds(NamedTuple):
    name: str
    largest_side: int
    sixteen_bits: bool = False
    alpha: bool = False
    grey: bool = False
    colour_chunks: bool = False


_PNG = _Holds("PNG", 2**31 - 1, sixteen_bits=True, alpha=True, grey=True, colour_chunks=True)
_JPEG = _Holds("JPEG", 65500, grey=True)
_WEBP = _Holds("WebP", 16383, alpha=True)
_BY_SUFFIX = {".png": _PNG, ".jpg": _JPEG, ".jpeg": _JPEG, ".webp": _WEBP}


def refuse_losses(picture: Picture, suffix: str, *, height: int, width: int) -> None:
    """Raises a ValueError where a format would lose something of such a picture of that size."""
    holds = _BY_SUFFIX[suffix]
    if max(height, width) > holds.largest_side:
        raise ValueError(f"{holds.name} cannot hold {width} x {height} pixels: use PNG")
    if picture.colour.dtype == np.uint16 and not holds.sixteen_bits:
        raise ValueError(f"has 16 bits, and {holds.name} cannot hold more than 8: use PNG")
    if picture.is_transparent and not holds.alpha:
        raise ValueError(f"has transparent pixels, which {holds.name} cannot hold: use PNG or WebP")
    if picture.is_grey and picture.icc_profile and not holds.grey:
        raise ValueError(f"has a grey profile, and {holds.name} can only hold RGB: use PNG")
    chunks = picture.about.colour_chunks
    if not (holds.colour_chunks or picture.icc_profile or is_plain_srgb(chunks)):
        said = ", ".join(kind.decode() for kind in chunks)
        raise ValueError(f"says by {said} how its colours are meant, {holds.name} cannot: use PNG")
    lengths = (
        (picture.about.exif or b"", _MAX_JPEG_EXIF),
        (picture.icc_profile or b"", _MAX_JPEG_PROFILE),
    )
    if holds is _JPEG and any(len(content) > most for content, most in lengths):
        raise ValueError("has EXIF data or a profile longer than JPEG can hold: use PNG")


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
    about = picture.about
    exif = about.exif and made_upright(about.exif, height=height, width=width)
    if holds is not _PNG and not exif:
        exif = exif_of(dpi=about.dpi, time=about.time)
    if holds is _PNG:
        content = encode_png(channels, profile=picture.icc_profile, exif=exif, about=about)
    else:
        content = _by_pillow(holds, channels, picture, exif, quality)
    write_whole(path, content, overwrite=overwrite)


def _channels(picture: Picture, holds: _Holds) -> Pixels:
    """(H, W) or (H, W, 2, 3 or 4); for WebP, Pillow makes RGB of grey."""
    colour = picture.colour[..., 0] if picture.is_grey else picture.colour
    if picture.alpha is None or not holds.alpha:
        return colour
    return cast("Pixels", np.dstack([colour, picture.alpha]))


def _by_pillow(
    holds: _Holds, channels: Pixels, picture: Picture, exif: bytes | None, quality: int | None
) -> bytes:
    options: dict[str, object]
    if holds is _JPEG:  # 4:4:4, as the finest colour detail is what was asked for
        options = {"quality": _JPEG_QUALITY if quality is None else quality, "subsampling": 0}
        if picture.about.dpi:
            options["dpi"] = tuple(map(round, picture.about.dpi))
    elif quality is None:
        options = {"lossless": 1, "exact": 1}  # exact: what lies under transparent pixels as well
    else:
        options = {"quality": quality}
    if exif:
        options["exif"] = b"Exif\0\0" + exif
    stream = BytesIO()
    profile = picture.icc_profile
    Pillow.fromarray(channels).save(stream, holds.name, icc_profile=profile, **options)
    return stream.getvalue()
