"""JPEG, WebP, BMP, GIF and PPM: Pillow reads the headers, simplejpeg the pixels of a JPEG.

Of a JPEG that ends too early, or is damaged inside, libjpeg decodes what it can and fills the rest
with grey, of which OpenCV and Pillow tell nobody. simplejpeg does.
"""

import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import IO, cast

import cv2
import numpy as np
import simplejpeg
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.Image import Image as PillowImage
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.MpoImagePlugin import MpoImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.WebPImagePlugin import WebPImageFile

from esrgan.data.colours import rgb_of_cmyk
from esrgan.data.exif import orientation_of, tiff_structure
from esrgan.data.header import About, DamageError, Header, note_of_frames
from esrgan.types import Pixels

# Pillow says this with a place in its code; what is left out for it is said by `Header.notes`
warnings.filterwarnings("ignore", "Corrupt EXIF data")

_GREY = ("1", "L", "LA")
_DEEP_GREY = ("I", "I;16", "I;16B")
_EIGHT_BIT_MODES = (*_GREY, "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
_COLOUR_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}  # simplejpeg's names
_THUMBNAILS = ("Large Thumbnail (VGA Equivalent)", "Large Thumbnail (Full HD Equivalent)")
_EMBEDDED, _LINKED = b"DEBM", b"KNIL"  # colour profiles of a BMP


def open_jpeg(stream: IO[bytes]) -> Header:
    """Of several pictures (MPO: views, gain maps) the first, which other readers show."""
    image = JpegImageFile(stream)
    if image.mode == "CMYK" and "adobe" not in image.info:
        why = "programs disagree whether 0 or 255 is full ink"
        raise ValueError(f"is CMYK without Adobe's marker (APP14), of which {why}: save it as RGB")
    notes = note_of_frames(_num_in_mpo(image), "pictures (MPO)")
    if "icc_profile" in image.info and not image.info["icc_profile"]:
        notes += ("its colour profile is damaged and left out",)
    return described(image, partial(_decode_jpeg, image), notes=notes)


def open_webp(stream: IO[bytes]) -> Header:
    image = WebPImageFile(stream)
    return described(image, notes=note_of_frames(image.n_frames, "frames"))


def open_gif(stream: IO[bytes]) -> Header:
    image = GifImageFile(stream)
    num_frames = image.n_frames
    return described(image, notes=note_of_frames(num_frames, "frames"))


def open_bmp(stream: IO[bytes]) -> Header:
    image = BmpImageFile(stream)
    stream.seek(0)
    start = stream.read(138)
    kind = start[70:74] if int.from_bytes(start[14:18], "little") >= 108 else b""
    notes: tuple[str, ...] = ()
    if kind == _EMBEDDED and len(start) == 138:
        offset, length = (int.from_bytes(start[at : at + 4], "little") for at in (126, 130))
        stream.seek(14 + offset)
        image.info["icc_profile"] = stream.read(length)
    elif kind == _LINKED:
        notes = ("its colour profile is in another file and left out",)
    elif kind == b"\0\0\0\0" and any(start[110:122]):
        notes = ("its gamma and primaries are ignored",)
    return described(image, notes=notes)


def open_ppm(stream: IO[bytes]) -> Header:
    image = PpmImageFile(stream)
    (_, _, offset, arguments) = image.tile[0]
    maximum = arguments[1] if isinstance(arguments, tuple) else 65535 if image.mode == "I" else 255
    if image.mode in ("I", "RGB") and isinstance(maximum, int) and maximum > 255:
        return described(image, partial(_decode_deep_ppm, image, offset, maximum))
    return described(image)


def described(
    image: ImageFile,
    decode: Callable[[], Pixels] | None = None,
    *,
    notes: tuple[str, ...] = (),
    colour_chunks: dict[bytes, bytes] | None = None,
) -> Header:
    """What Pillow says of a file; it decodes, too, unless something else does."""
    exif = tiff_structure(image.info.get("exif"))
    if image.info.get("exif") and not exif:
        notes = (*notes, "its EXIF data are damaged and left out")
    dpi = image.info.get("dpi")
    return Header(
        height=image.height,
        width=image.width,
        is_grey=image.mode in (*_GREY, *_DEEP_GREY),
        decode=decode or partial(decode_by_pillow, image),
        orientation=orientation_of(exif),
        icc_profile=None if image.mode == "CMYK" else image.info.get("icc_profile"),
        about=About(exif=exif, dpi=_as_dpi(dpi), colour_chunks=colour_chunks or {}),
        notes=notes,
    )


def decode_by_pillow(image: ImageFile) -> Pixels:
    if image.mode == "CMYK":
        return rgb_of_cmyk(image, image.info.get("icc_profile"))
    if image.mode == "I;16":
        return cast("Pixels", np.array(image).astype(np.uint16)[..., None])
    if image.mode not in _EIGHT_BIT_MODES:
        raise ValueError(f"pixels of Pillow's mode {image.mode} are not supported: save it as RGB")
    return _channels(image)


def _channels(image: PillowImage) -> Pixels:
    colour = "L" if image.mode in _GREY else "RGB"
    mode = f"{colour}A" if image.has_transparency_data else colour
    pixels = np.array(image.convert(mode))
    return pixels.reshape(*pixels.shape[:2], -1)


def _decode_jpeg(image: ImageFile) -> Pixels:
    stream = cast("IO[bytes]", image.fp)
    stream.seek(0)
    data = stream.read()
    try:
        pixels = simplejpeg.decode_jpeg(data, _COLOUR_SPACES[image.mode])
    except ValueError as error:
        if "subsampling" not in str(error):
            raise DamageError(f"the content is damaged or cut short: {error}") from error
        pixels = _decode_rare_jpeg(data)
    return decode_by_pillow(image) if image.mode == "CMYK" else cast("Pixels", pixels)


def _decode_rare_jpeg(data: bytes) -> Pixels:
    """Of a subsampling that simplejpeg does not know: whatever OpenCV makes of it."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise DamageError("the content is damaged or cut short")
    if pixels.ndim == 3:
        cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)
    return cast("Pixels", pixels.reshape(*pixels.shape[:2], -1))


def _decode_deep_ppm(image: ImageFile, offset: int, maximum: int) -> Pixels:
    """Two bytes a number, the more significant first, or decimals; `maximum` is white."""
    stream = cast("IO[bytes]", image.fp)
    stream.seek(0)
    is_plain = stream.read(2) in (b"P2", b"P3")
    stream.seek(offset)
    channels = 3 if image.mode == "RGB" else 1
    count = image.height * image.width * channels
    if is_plain:
        lines = (line.partition(b"#")[0] for line in stream.read().splitlines())
        numbers = np.array(b" ".join(lines).split()[:count], np.int64)
    else:
        numbers = np.frombuffer(stream.read(2 * count), ">u2").astype(np.int64)
    if numbers.size < count:
        raise DamageError("the file is cut short")
    if numbers.min() < 0 or numbers.max() > maximum:
        raise ValueError(f"has values above its maximum ({maximum})")
    return to_sixteen_bits(numbers.reshape(image.height, image.width, channels), maximum)


def to_sixteen_bits(
    numbers: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]", white: int
) -> Pixels:
    """Rounded to the nearest of 65,536 levels."""
    return cast("Pixels", ((numbers * 65535 + white // 2) // white).astype(np.uint16))


def _num_in_mpo(image: ImageFile) -> int:
    """Thumbnails not counted."""
    if "mp" not in image.info or image.fp is None:
        return 1
    with suppress(Exception):  # damaged
        image.fp.seek(0)
        entries = (MpoImageFile(image.fp).mpinfo or {})[0xB002]
        return sum(entry["Attribute"]["MPType"] not in _THUMBNAILS for entry in entries)
    return 1


def _as_dpi(dpi: object) -> tuple[float, float] | None:
    with suppress(TypeError, ValueError, ZeroDivisionError):
        across, down = (float(one) for one in cast("tuple[float, float]", dpi))
        return (across, down) if 0 < across < 1e6 and 0 < down < 1e6 else None
    return None
