"""What a file is, by its content: the formats that are read, and names for those that are not."""

from collections.abc import Callable
from typing import IO

from esrgan.data.box_formats import open_avif, open_jpeg2000
from esrgan.data.header import Header
from esrgan.data.pillow_formats import open_bmp, open_gif, open_jpeg, open_ppm, open_webp
from esrgan.data.png_format import SIGNATURE, open_png
from esrgan.data.tiff_format import open_tiff

_MAX_PIXELS = 2**28
_PLAUSIBLE_PIXELS = 2**24
_PLAUSIBLE_PIXELS_PER_BYTE = 4096  # deflate, the densest of the usual codings, ends at about 1000
READ = "PNG, JPEG, WebP, BMP, TIFF, GIF, AVIF, JPEG 2000 or PPM"
START = 32  # bytes of a file that tell what it is

_Open = Callable[[IO[bytes]], Header]

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # with 32 bits, and with 64 (BigTIFF)
_OPENERS: dict[tuple[bytes, ...], _Open] = {
    (SIGNATURE,): open_png,
    (b"\xff\xd8\xff",): open_jpeg,
    (b"BM",): open_bmp,
    (b"GIF8",): open_gif,
    (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"): open_jpeg2000,
    tuple(
        b"P%d" % number + space for number in range(1, 7) for space in (b" ", b"\n", b"\r", b"\t")
    ): open_ppm,
    _TIFF_STARTS: open_tiff,
}

_DEVELOP = "develop it by the program of its camera, and save PNG or TIFF"
_CONVERT = "convert it to PNG or JPEG"
_FOREIGN: dict[tuple[bytes, ...], tuple[str, str]] = {
    (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM"): (
        "a camera's RAW file",
        _DEVELOP,
    ),
    (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"): ("JPEG XL", _CONVERT),
    (b"8BPS",): ("a Photoshop file (PSD)", "save it as PNG or TIFF"),
    (b"gimp xcf",): ("a GIMP file (XCF)", "export it as PNG or TIFF"),
    (b"v/1\x01",): ("OpenEXR", "convert it to PNG of 16 bits"),
    (b"#?RADIANCE", b"#?RGBE"): ("Radiance HDR", "convert it to PNG of 16 bits"),
    (b"Pf", b"PF"): ("PFM, floating-point numbers", "convert it to PNG of 16 bits"),
    (b"P7",): ("PAM", "convert it to PNG"),
    (b"II\xbc",): ("JPEG XR", _CONVERT),
    (b"%PDF",): ("a PDF", "export its pages as PNG"),
    (b"<?xml", b"<svg"): ("SVG or XML", "export it as PNG of the size that is wanted"),
    (b"<!doctype html", b"<html", b"<!DOCTYPE html", b"<!DOCTYPE HTML", b"<HTML"): (
        "a web page, most often of a download that failed",
        "download it again",
    ),
    (b"version https://git-lfs",): ("a pointer of Git LFS", "fetch the file by git lfs pull"),
    (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!"): ("an archive", "unpack it"),
    (b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"FLV"): ("a video", "extract its pictures"),
}
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF"}
_HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


def open_image(stream: IO[bytes]) -> Header:
    """Opens an image without decoding it; a ValueError for other formats, and too many pixels."""
    start = stream.read(START)
    stream.seek(0)
    opener = _opener(start)
    if opener is None:
        raise ValueError(_refusal(start))
    header = opener(stream)
    if header.width * header.height > _MAX_PIXELS:
        size = f"{header.width} x {header.height}"
        raise ValueError(f"{size} pixels are more than the limit of {_MAX_PIXELS:,}: cut it up")
    return header


def check_plausible(header: Header, num_bytes: int) -> None:
    """Refuses headers that would make the decoders reserve gigabytes, or leave pixels black."""
    num_pixels = header.width * header.height
    if num_pixels > max(_PLAUSIBLE_PIXELS, num_bytes * _PLAUSIBLE_PIXELS_PER_BYTE):
        raise ValueError(f"{num_bytes} bytes cannot hold {header.width} x {header.height} pixels")


def is_read(start: bytes) -> bool:
    """Whether a file that begins so is of a format that is read."""
    return _opener(start) is not None


def foreign_name(start: bytes) -> tuple[str, str] | None:
    """What a file is that begins so and is not read, and what to do; None: nothing known."""
    for starts, named in _FOREIGN.items():
        if start.startswith(starts):
            return named
    if start[4:8] == b"ftyp":
        if start[8:12] in _HEIC:
            return "HEIC", "convert it to JPEG or PNG (heif-convert does, or the telephone itself)"
        if start[8:12] == b"crx ":
            return "a camera's RAW file", _DEVELOP
        return "a video", "extract its pictures"
    if start.startswith(b"RIFF"):
        return "sound or video", "extract its pictures"
    return None


def _opener(start: bytes) -> _Open | None:
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return open_webp
    if start[4:8] == b"ftyp":
        brands = {start[at : at + 4] for at in (8, *range(16, START, 4))}
        return open_avif if brands & {b"avif", b"avis"} else None
    if start.startswith(_TIFF_STARTS) and start[8:10] == b"CR":  # Canon's RAW
        return None
    return next((one for starts, one in _OPENERS.items() if start.startswith(starts)), None)


def _refusal(start: bytes) -> str:
    if not start:
        return "empty file"
    if start.startswith(_TIFF_STARTS):
        return f"a camera's RAW file: {_DEVELOP}"
    if named := foreign_name(start):
        return f"is {named[0]}, which is not read: {named[1]}"
    return f"not a {READ} image"
