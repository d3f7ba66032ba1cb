"""TIFF: tifffile reads what is stored, and here it gets the meaning that the tags give it.

Every tag that changes what the numbers mean is followed or refused by its name, in 8 and in 16
bits alike; the numbers of tags are those of the TIFF 6.0 specification.
"""

import logging
from functools import partial
from typing import IO, NamedTuple, cast

import numpy as np
from PIL import Image as Pillow
from tifffile import TiffFile, TiffPage

from esrgan.data.colours import rgb_of_cmyk
from esrgan.data.exif import KEPT_OF_TIFF, exif_of_tiff
from esrgan.data.header import About, DamageError, Header, note_of_frames
from esrgan.types import Pixels

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what matters is raised

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _SEPARATED, _YCBCR = range(7)
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _SEPARATED: 4, _YCBCR: 3}
_REFUSED_COLOURS = {
    _MASK: "a transparency mask",
    8: "CIELab",
    9: "ICCLab",
    10: "ITULab",
    32803: "a camera's RAW (colour filter array)",
    32844: "LogL",
    32845: "LogLuv",
    34892: "a camera's RAW (linear)",
}
_SAMPLES = {2: "signed integers", 3: "floating-point numbers", 5: "complex", 6: "complex"}
_UNNAMED, _MULTIPLIED, _ALPHA = range(3)  # what an extra channel is
_NO_COMPRESSION = (1, 32773)  # and PackBits: codings that know no predictor
_JPEG = (6, 7)
_REDUCED, _IS_MASK = 1, 4  # bits of NewSubfileType
_IGNORED = {291: "GrayResponseCurve", 301: "TransferFunction", 318: "WhitePoint"}
_IGNORED |= {319: "PrimaryChromaticities"}
_REFUSED = {433: "Decode", 346: "Indexed", 32997: "ImageDepth"}
_REFUSED_BUT = {433: (), 346: (0,), 32997: (1,)}  # values that change nothing
_DEVELOP = "develop it by the program of its camera, and save PNG or TIFF"


def open_tiff(stream: IO[bytes]) -> Header:
    """The first page that is no preview and no mask, and how many such pages there are."""
    tiff = TiffFile(stream)
    pages = [page for page in tiff.pages if isinstance(page, TiffPage)]
    first = pages[0]
    if any(tag in first.tags for tag in (50706, 50752)) or _has_raw(first):
        raise ValueError(f"a camera's RAW file: {_DEVELOP}")
    wanted = [page for page in pages if not int(page.subfiletype) & (_REDUCED | _IS_MASK)]
    page = (wanted or pages)[0]
    storage, notes = _storage(page)
    _check_stored(page, size=stream.seek(0, 2))
    said = {tag.code: tag.value for tag in page.tags if tag.code in KEPT_OF_TIFF}
    return Header(
        height=page.imagelength,
        width=page.imagewidth,
        is_grey=storage.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO),
        decode=partial(_decode, page, storage),
        orientation=_orientation(page),
        icc_profile=_profile(page),
        about=About(exif=exif_of_tiff(said, stream), dpi=_dpi(page)),
        notes=(*note_of_frames(len(wanted), "pages"), *notes),
    )


class _Storage(NamedTuple):
    """How a page's samples become colours."""

    photometric: int
    colours: int  # samples of colour in a pixel
    alpha: int | None  # the sample that it is in
    is_multiplied: bool  # colours by alpha


def _storage(page: TiffPage) -> tuple[_Storage, tuple[str, ...]]:
    """And what is left out; a ValueError names the tag that is not followed."""
    photometric = int(page.photometric)
    if photometric in _REFUSED_COLOURS or photometric not in _COLOURS:
        what = _REFUSED_COLOURS.get(photometric, "unknown")
        fix = _DEVELOP if "RAW" in what else "save it as RGB"
        raise ValueError(f"its colours are {what} (tag 262 is {photometric}): {fix}")
    _check_samples(page, photometric)
    if photometric == _SEPARATED:
        _check_separated(page)
    if photometric == _YCBCR and page.compression not in _JPEG:
        _check_ycbcr(page)
    colours = _COLOURS[photometric]
    extra = page.samplesperpixel - colours
    if extra < 0:
        raise ValueError(f"{page.samplesperpixel} samples a pixel are too few for its colours")
    kinds = [int(kind) for kind in page.extrasamples][:extra]
    if extra == 1 and not kinds:
        kinds = [_ALPHA]  # as OpenCV writes it, and everybody reads it
    found = [number for number, kind in enumerate(kinds) if kind in (_MULTIPLIED, _ALPHA)]
    notes = [f"its {_IGNORED[tag]} (tag {tag}) is ignored" for tag in _ignored(page)]
    if left := extra - len(found[:1]):
        notes.append(f"has {left} channels more than colours and alpha, which are left out")
    alpha = colours + found[0] if found else None
    multiplied = bool(found) and kinds[found[0]] == _MULTIPLIED
    return _Storage(photometric, colours, alpha, multiplied), tuple(notes)


def _check_samples(page: TiffPage, photometric: int) -> None:
    bits = _values(page, 258, (1,))
    low = {1, 2, 4} if photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _PALETTE) else set()
    if kinds := {_SAMPLES.get(kind) for kind in _values(page, 339, ())} - {None}:
        named = " and ".join(sorted(map(str, kinds)))
        fix = "save it with unsigned integers of 8 or 16 bits"
        raise ValueError(f"its samples are {named} (tag 339): {fix}")
    if len(set(bits)) != 1 or not set(bits) <= {8, 16} | low:
        numbers = ", ".join(map(str, bits))
        raise ValueError(f"its samples have {numbers} bits (tag 258): save it with 8 or 16")
    if page.predictor not in (1, 2):
        raise ValueError(f"its predictor (tag 317) is {int(page.predictor)}: save it without one")
    if page.predictor == 2 and page.compression in _NO_COMPRESSION:
        raise ValueError("it has a predictor (tag 317) without a compression that has one")
    for tag, name in _REFUSED.items():
        if tag in page.tags and _values(page, tag, ()) != _REFUSED_BUT[tag]:
            raise ValueError(f"its {name} (tag {tag}) is not followed: save it as RGB")


def _check_separated(page: TiffPage) -> None:
    is_jpeg, is_deep = page.compression in _JPEG, page.bitspersample != 8
    other_inks = _values(page, 332, (1,)) != (1,)
    other_range = _values(page, 336, (0, 255)) not in ((0, 255), (0, 255) * 4)
    if is_jpeg or is_deep or other_inks or other_range:
        what = "CMYK of 8 bits, 0 to 255, not coded as JPEG, is what is read"
        raise ValueError(f"of separated colours (tag 262 is 5), {what}: save it as RGB")


def _check_ycbcr(page: TiffPage) -> None:
    """Those that tifffile does not make RGB of."""
    usual = {
        529: ((299, 1000, 587, 1000, 114, 1000), ()),
        530: ((1, 1),),
        532: ((0, 1, 255, 1, 128, 1, 255, 1, 128, 1, 255, 1), ()),
    }
    found = {529: (), 530: (2, 2), 532: ()}
    wrong = [tag for tag in usual if _values(page, tag, found[tag]) not in usual[tag]]
    if wrong or page.bitspersample != 8:
        tags = " and ".join(map(str, wrong or [258]))
        what = "JPEG or 8 bits not subsampled is what is read"
        raise ValueError(f"of YCbCr (tag 262 is 6), {what} (tag {tags} differs): save it as RGB")


def _check_stored(page: TiffPage, *, size: int) -> None:
    """Refuses what tifffile would fill with black, or reserve gigabytes for."""
    offsets, counts = page.dataoffsets, page.databytecounts
    if not offsets or len(offsets) != len(counts) or not all(offsets) or not all(counts):
        raise ValueError("parts of the picture are missing")
    if max(a + b for a, b in zip(offsets, counts, strict=True)) > size:
        raise DamageError("the file is cut short")
    across = page.tilewidth if page.is_tiled else page.imagewidth
    down = page.tilelength if page.is_tiled else page.imagelength
    num_parts = -(-page.imagewidth // max(across, 1)) * -(-page.imagelength // max(down, 1))
    if page.is_tiled and across * down > max(4 * page.imagewidth * page.imagelength, 2**24):
        raise ValueError(f"its tiles of {across} x {down} are much larger than the picture")
    expected = num_parts if page.is_tiled else -(-page.imagelength // max(page.rowsperstrip, 1))
    if len(offsets) < expected:
        raise ValueError("the header describes only a part of the pixels")


def _decode(page: TiffPage, storage: _Storage) -> Pixels:
    stored = page.asarray(maxworkers=1)
    if page.axes == "SYX":  # a plane for each channel
        stored = np.moveaxis(stored, 0, 2)
    elif page.axes == "YX":
        stored = stored[..., None]
    elif page.axes != "YXS":
        raise ValueError(f"its axes are {page.axes}: only single pictures are read")
    samples: Pixels = np.ascontiguousarray(stored)
    colour = _colour(page, storage, samples[..., : storage.colours])
    if storage.alpha is None:
        return colour
    alpha = samples[..., storage.alpha, None]
    if storage.is_multiplied:
        colour = _divided(colour, alpha)
    return np.concatenate([colour, alpha], axis=2)


def _colour(page: TiffPage, storage: _Storage, samples: Pixels) -> Pixels:
    if storage.photometric == _PALETTE:
        return _looked_up(page, samples[..., 0])
    if samples.dtype != np.uint16 and page.bitspersample < 8:
        samples = samples.astype(np.uint8) * np.uint8(255 // (2**page.bitspersample - 1))
    if storage.photometric == _WHITE_IS_ZERO:
        return np.iinfo(samples.dtype).max - samples
    if storage.photometric == _SEPARATED:
        return rgb_of_cmyk(Pillow.fromarray(samples, "CMYK"), _profile(page))
    if storage.photometric == _YCBCR and page.compression not in _JPEG:
        return np.array(Pillow.fromarray(samples, "YCbCr").convert("RGB"))
    return samples


def _looked_up(page: TiffPage, indices: Pixels) -> Pixels:
    """RGB by the palette, in 8 bits where these say all that it says."""
    palette = np.asarray(page.colormap, np.uint16)
    if palette.shape != (3, 2**page.bitspersample):
        count, bits = palette.size, page.bitspersample
        raise ValueError(f"its palette of {count} numbers is not one of 3 for each of {bits} bits")
    if palette.max() < 256:  # written so by some, and read so by libtiff
        return palette.astype(np.uint8).T[indices]
    high = (palette >> 8).astype(np.uint8)
    is_short = ((palette & 255) == 0).all() or (palette == high.astype(np.uint16) * 257).all()
    return (high if is_short else palette).T[indices]


def _divided(colour: Pixels, alpha: Pixels) -> Pixels:
    """Colours that were multiplied by alpha, as they were before; black under alpha 0."""
    largest = int(np.iinfo(colour.dtype).max)
    exact = colour.astype(np.uint64) * largest + alpha // 2
    divided = np.minimum(exact // np.maximum(alpha, 1), largest)
    return cast("Pixels", np.where(alpha == 0, 0, divided).astype(colour.dtype))


def _has_raw(page: TiffPage) -> bool:
    """Whether what a camera's sensor saw lies below a preview."""
    below = [p for p in page.pages or () if isinstance(p, TiffPage)] if page.subifds else []
    return any(int(p.photometric) in (32803, 34892) for p in below)


def _orientation(page: TiffPage) -> int:
    (value, *_) = (*_values(page, 274, (1,)), 1)
    return value if value in range(1, 9) else 1


def _dpi(page: TiffPage) -> tuple[float, float] | None:
    across, down = _values(page, 282, ()), _values(page, 283, ())
    (kind, *_) = (*_values(page, 296, (2,)), 2)
    unit = {2: 1.0, 3: 2.54}.get(kind)  # inches, centimetres; 1: none
    if unit is None or len(across) != 2 or len(down) != 2 or not all((*across, *down)):
        return None
    return unit * across[0] / across[1], unit * down[0] / down[1]


def _ignored(page: TiffPage) -> list[int]:
    has_profile = 34675 in page.tags
    return [tag for tag in _IGNORED if tag in page.tags and not has_profile]


def _profile(page: TiffPage) -> bytes | None:
    found = page.tags.get(34675)
    return found.value if found and isinstance(found.value, bytes) else None


def _values(page: TiffPage, tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """Numbers, two for each fraction."""
    found = page.tags.get(tag)
    if found is None:
        return default
    value = found.value
    return tuple(map(int, value)) if isinstance(value, tuple) else (int(value),)
