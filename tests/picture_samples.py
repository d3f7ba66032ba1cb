"""Picture files of all formats, depths, channels and tags, with the pixels that they stand for."""

import struct
import zlib
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from itertools import cycle, product
from typing import NamedTuple

import cv2
import imagecodecs
import numpy as np
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms, PngImagePlugin

HEIGHT, WIDTH = 12, 16
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


class Sample(NamedTuple):
    """(H, W, C) that is right, or what is said when it is refused; and what is said besides."""

    name: str
    data: bytes
    pixels: np.ndarray | None = None
    refused: str | None = None
    note: str | None = None


def noise(*shape: int, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    numbers = np.random.default_rng(seed)
    return numbers.integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


@cache
def samples() -> list[Sample]:
    makers = (_tiffs, _tiffs_with_alpha, _tiff_colours, _refused_tiffs, _turned, _tiff_pages)
    makers += (_pngs, _jpegs, _others, _netpbm, _foreign)
    return [sample for make in makers for sample in make()]


def saved(image: np.ndarray | Pillow.Image, file_format: str, **options: object) -> bytes:
    stream = BytesIO()
    picture = image if isinstance(image, Pillow.Image) else Pillow.fromarray(image)
    picture.save(stream, file_format, **options)
    return stream.getvalue()


def tiff(*pages: np.ndarray, page_options: tuple[dict, ...] = (), **options: object) -> bytes:
    stream = BytesIO()
    form = {k: options.pop(k) for k in ("bigtiff", "byteorder") if k in options}
    with tifffile.TiffWriter(stream, **form) as writer:
        for page, more in zip(pages, page_options or [{}] * len(pages), strict=True):
            writer.write(page, **{"metadata": None, **options, **more})
    return stream.getvalue()


def by_pillow(data: bytes, mode: str) -> np.ndarray:
    pixels = np.asarray(Pillow.open(BytesIO(data)).convert(mode))
    return pixels.reshape(*pixels.shape[:2], -1)


def _tiffs() -> Iterator[Sample]:
    codings = [(None, False), ("lzw", True), ("lzw", False), ("deflate", True), ("packbits", False)]
    kinds = [(1, "contig"), (3, "contig"), (3, "separate")]
    forms = cycle(product(("<", ">"), (False, True)))
    for dtype, (channels, planar), coding, tile in product(
        (np.uint8, np.uint16), kinds, codings, (None, (16, 16))
    ):
        pixels = noise(HEIGHT, WIDTH, channels, dtype=dtype)
        stored = np.moveaxis(pixels, 2, 0) if planar == "separate" else pixels
        order, big = next(forms)
        options = {"compression": coding[0], "predictor": coding[1], "tile": tile}
        data = tiff(
            stored[..., 0] if channels == 1 else stored,
            photometric="minisblack" if channels == 1 else "rgb",
            planarconfig=None if channels == 1 else planar,
            rowsperstrip=None if tile else 5,
            byteorder=order,
            bigtiff=big,
            **options,
        )
        name = f"tiff_{pixels.dtype}_{channels}_{planar}_{coding[0]}{coding[1]:d}_{bool(tile):d}"
        yield Sample(name, data, pixels)


def _tiffs_with_alpha() -> Iterator[Sample]:
    for dtype, colours, planar, kind in product(
        (np.uint8, np.uint16), (1, 3), ("contig", "separate"), ("unassalpha", "unspecified")
    ):
        pixels = noise(HEIGHT, WIDTH, colours + 1, dtype=dtype)
        stored = np.moveaxis(pixels, 2, 0) if planar == "separate" else pixels
        photometric = "minisblack" if colours == 1 else "rgb"
        data = tiff(stored, photometric=photometric, planarconfig=planar, extrasamples=[kind])
        name = f"tiff_{kind}_{pixels.dtype}_{colours}_{planar}"
        if kind == "unassalpha":
            yield Sample(name, data, pixels)
        else:
            yield Sample(name, data, pixels[..., :colours], note="1 channels more than colours")
        if kind == "unassalpha" and planar == "contig":
            largest = np.iinfo(dtype).max
            plain = noise(HEIGHT, WIDTH, colours + 1, dtype=dtype)
            plain[..., -1] = largest // 5  # by which all multiples of 5 come back exactly
            plain[..., :-1] -= plain[..., :-1] % 5
            stored = plain.copy()
            stored[..., :-1] //= 5
            data = tiff(stored, photometric=photometric, extrasamples=["assocalpha"])
            yield Sample(f"tiff_multiplied_{pixels.dtype}_{colours}", data, plain)
    five = noise(HEIGHT, WIDTH, 5)
    kinds = ["unspecified", "unassalpha"]
    data = tiff(five, photometric="rgb", extrasamples=kinds)
    yield Sample("tiff_alpha_second", data, five[..., [0, 1, 2, 4]], note="1 channels more")


def _tiff_colours() -> Iterator[Sample]:
    for dtype, coding in product((np.uint8, np.uint16), (None, "lzw")):
        pixels = noise(HEIGHT, WIDTH, 1, dtype=dtype)
        data = tiff(pixels[..., 0], photometric="miniswhite", compression=coding)
        yield Sample(f"tiff_white_is_0_{pixels.dtype}_{coding}", data, np.iinfo(dtype).max - pixels)
    indices, colours = noise(HEIGHT, WIDTH), noise(3, 256).astype(np.uint16)
    for name, palette, expected in (
        ("times_257", colours * 257, colours.astype(np.uint8)),
        ("times_256", colours * 256, colours.astype(np.uint8)),
        ("of_16_bits", noise(3, 256, dtype=np.uint16), noise(3, 256, dtype=np.uint16)),
    ):
        data = tiff(indices, photometric="palette", colormap=palette)
        yield Sample(f"tiff_palette_{name}", data, expected.T[indices])
    wide = noise(HEIGHT, WIDTH, dtype=np.uint16)
    palette = noise(3, 2**16, dtype=np.uint16)
    data = tiff(wide, photometric="palette", colormap=palette)
    yield Sample("tiff_palette_of_65536", data, palette.T[wide])
    for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr"):
        picture = Pillow.fromarray(noise(HEIGHT, WIDTH, 3)).convert(mode)
        data = saved(picture, "TIFF")
        colour = {"1": "L", "L": "L", "LA": "LA", "RGBA": "RGBA"}.get(mode, "RGB")
        yield Sample(f"tiff_of_pillow_{mode}", data, by_pillow(data, colour))
    for bits in (1, 2, 4):
        levels = noise(HEIGHT, WIDTH) >> (8 - bits)
        stored = levels.astype(bool) if bits == 1 else levels
        data = tiff(stored, bitspersample=bits, photometric="minisblack")
        expected = (levels * (255 // (2**bits - 1)))[..., None]
        yield Sample(f"tiff_of_{bits}_bits", data, expected)
    smooth = cv2.GaussianBlur(noise(64, 64, 3), (0, 0), 3)[:HEIGHT, :WIDTH]
    data = saved(smooth, "TIFF", compression="jpeg", quality=95)
    yield Sample("tiff_jpeg", data, by_pillow(data, "RGB"))


def _refused_tiffs() -> Iterator[Sample]:
    colour, grey = noise(HEIGHT, WIDTH, 3), noise(HEIGHT, WIDTH)
    for dtype in (np.int8, np.int16, np.float16, np.float32, np.float64, np.complex64):
        data = tiff(grey.astype(dtype))
        kind = {"i": "signed", "f": "floating", "c": "complex"}[np.dtype(dtype).kind]
        yield Sample(f"tiff_{np.dtype(dtype)}", data, refused=f"{kind}.*tag 339")
    yield Sample("tiff_uint32", tiff(grey.astype(np.uint32)), refused="32 bits.*tag 258")
    deep = noise(HEIGHT, WIDTH, dtype=np.uint16) >> 4
    yield Sample("tiff_12_bits", tiff(deep, bitspersample=12), refused="12 bits.*tag 258")
    for photometric, name in ((8, "CIELab"), (9, "ICCLab"), (32803, "RAW"), (34892, "RAW")):
        for dtype in (np.uint8, np.uint16):
            pixels = grey.astype(dtype) if photometric == 32803 else colour.astype(dtype)
            data = tiff(pixels, photometric="minisblack" if pixels.ndim == 2 else "rgb")
            data = with_number(data, 262, photometric)
            what = f"{name}.*tag 262 is {photometric}"
            yield Sample(f"tiff_{photometric}_{pixels.dtype}", data, refused=what)
    inks = noise(HEIGHT, WIDTH, 4, dtype=np.uint16)
    yield Sample("tiff_cmyk_16", tiff(inks, photometric="separated"), refused="tag 262 is 5")
    data = tiff(inks.astype(np.uint8), photometric="separated", extratags=[(332, "H", 1, 2, True)])
    yield Sample("tiff_other_inks", data, refused="tag 262 is 5")
    data = tiff(colour, photometric="rgb", compression="deflate", predictor=True)
    yield Sample("tiff_predictor_9", with_number(data, 317, 9), refused="tag 317.* is 9")
    yield Sample(
        "tiff_predictor_of_nothing", with_number(data, 259, 1), refused="tag 317.* without"
    )
    data = tiff(colour, photometric="rgb", extratags=[(50706, "B", 4, (1, 4, 0, 0), True)])
    yield Sample("dng", data, refused="RAW file: develop")
    cut = tiff(colour, photometric="rgb", extratags=[(65000, "B", 1, 1, True)])
    yield Sample("tiff_cut_short", cut[:-300], refused="cut short")
    data = tiff(colour, photometric="rgb", rowsperstrip=HEIGHT)
    yield Sample("tiff_part_missing", with_number(data, 273, 0), refused="missing")


def with_number(data: bytes, tag: int, value: int) -> bytes:
    """A little-endian TIFF with another number in the first tag of this kind."""
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for position in range(start + 2, start + 2 + 12 * count, 12):
        found, kind = struct.unpack_from("<HH", data, position)
        if found == tag:
            number = struct.pack("<H" if kind == 3 else "<I", value)
            place = position + 8
            return data[:place] + number + data[place + len(number) :]
    raise AssertionError(f"no tag {tag}")


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Table of the EXIF standard: what the first row and the first column stored are."""
    down, right = [(1, 1), (1, -1), (-1, -1), (-1, 1)][(orientation - 1) % 4]
    if orientation < 5:
        return pixels[::down, ::right]
    return pixels.swapaxes(0, 1)[::down, ::right]


def _turned() -> Iterator[Sample]:
    for orientation, dtype in product(range(2, 9), (np.uint8, np.uint16)):
        pixels = noise(HEIGHT, WIDTH, 3, dtype=dtype)
        data = tiff(pixels, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
        name = f"tiff_turned_{orientation}_{pixels.dtype}"
        yield Sample(name, data, turned(pixels, orientation))
    exif = Pillow.Exif()
    exif[274] = 6
    pixels = noise(HEIGHT, WIDTH, 3)
    yield Sample("png_turned", saved(pixels, "PNG", exif=exif), turned(pixels, 6))
    png = saved(pixels, "PNG")
    late = png[:-12] + chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + png[-12:]
    yield Sample("png_turned_at_its_end", late, turned(pixels, 6))
    for kind, options in (("JPEG", {}), ("WEBP", {"lossless": True}), ("AVIF", {})):
        plain, data = saved(pixels, kind, **options), saved(pixels, kind, exif=exif, **options)
        yield Sample(f"{kind}_turned", data, turned(by_pillow(plain, "RGB"), 6))


def _tiff_pages() -> Iterator[Sample]:
    first, second = noise(HEIGHT, WIDTH, 3), noise(HEIGHT, WIDTH, 3, seed=1)
    small = noise(4, 4, 3)
    preview = {"subfiletype": 1}
    rgb = {"photometric": "rgb"}
    data = tiff(first, second, small, **rgb)
    yield Sample("tiff_3_pages", data, first, note="3 pages, of which the first is taken")
    data = tiff(small, first, page_options=(preview, {}), **rgb)
    yield Sample("tiff_preview_first", data, first)
    data = tiff(first, small, page_options=({}, preview), **rgb)
    yield Sample("tiff_preview_last", data, first)
    data = tiff(second, first, page_options=(preview, {}), **rgb)
    yield Sample("tiff_mask_first", with_number(data, 254, 4), first)


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def with_chunks(png: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    return png[:33] + b"".join(chunk(*one) for one in chunks) + png[33:]


def raw_png(colour_type: int, bits: int, channels: int) -> tuple[bytes, np.ndarray]:
    """Written by hand, and its samples."""
    samples = noise(HEIGHT, WIDTH, channels, dtype=np.uint16) >> (16 - bits)
    if bits < 8:
        packed = np.unpackbits(samples[..., 0].astype(np.uint8)[..., None], axis=2)[..., 8 - bits :]
        rows = np.packbits(packed.reshape(HEIGHT, -1), axis=1)
    else:
        rows = samples.astype(">u2" if bits == 16 else np.uint8).view(np.uint8).reshape(HEIGHT, -1)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, colour_type, 0, 0, 0)
    content = zlib.compress(np.insert(rows, 0, 0, axis=1).tobytes())
    parts = chunk(b"IHDR", header), chunk(b"IDAT", content), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts), samples


def _pngs() -> Iterator[Sample]:
    forms = [*((0, bits, 1) for bits in (1, 2, 4, 8, 16)), (2, 8, 3), (2, 16, 3)]
    for colour_type, bits, channels in [*forms, (4, 8, 2), (4, 16, 2), (6, 8, 4), (6, 16, 4)]:
        data, stored = raw_png(colour_type, bits, channels)
        largest = 65535 if bits == 16 else 255
        pixels = (stored.astype(int) * largest // (2**bits - 1)).astype(
            np.uint16 if bits == 16 else np.uint8
        )
        yield Sample(f"png_{colour_type}_{bits}", data, pixels)
        if colour_type in (0, 2):
            key = stored[3, 4].astype(">u2").tobytes()
            alpha = np.where((stored == stored[3, 4]).all(axis=2), 0, largest)
            expected = np.dstack([pixels, alpha.astype(pixels.dtype)])
            yield Sample(
                f"png_{colour_type}_{bits}_key", with_chunks(data, (b"tRNS", key)), expected
            )
    palette = noise(256, 3)
    for bits in (1, 2, 4, 8):
        data, stored = raw_png(3, bits, 1)
        expected = palette[stored[..., 0]]
        data = with_chunks(data, (b"PLTE", palette[: 2**bits].tobytes()))
        yield Sample(f"png_palette_{bits}", data, expected)
    rgb, stored = raw_png(2, 8, 3)
    pixels = stored.astype(np.uint8)
    frames = [Pillow.fromarray(noise(HEIGHT, WIDTH, 3, seed=seed)) for seed in range(5)]
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    yield Sample("apng", data, np.asarray(frames[0]), note="5 frames")
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 3_000_000, zip=True)
    yield Sample("png_long_text", saved(pixels, "PNG", pnginfo=text), pixels)
    profile = b"large\0\0" + zlib.compress(SRGB + bytes(5_000_000))
    yield Sample("png_large_profile", with_chunks(rgb, (b"iCCP", profile)), pixels)
    damaged = with_chunks(rgb, (b"iCCP", b"broken\0\0not deflated"))
    yield Sample("png_damaged_profile", damaged, pixels, note="profile is damaged")
    gamma = with_chunks(rgb, (b"gAMA", struct.pack(">I", 100000)))
    yield Sample("png_linear", gamma, pixels)
    apple = rgb[:8] + chunk(b"CgBI", bytes(4)) + rgb[8:]
    yield Sample("png_of_apple", apple, refused="CgBI")


def _jpegs() -> Iterator[Sample]:
    smooth = Pillow.fromarray(cv2.GaussianBlur(noise(64, 64, 3), (0, 0), 3)[:HEIGHT, :WIDTH])
    for name, options in (
        ("plain", {}),
        ("progressive", {"progressive": True}),
        ("4:4:4", {"subsampling": 0}),
        ("rgb", {"keep_rgb": True}),
        ("icc", {"icc_profile": SRGB + bytes(200_000)}),
        ("long_exif", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + bytes(60_000)}),
    ):
        data = saved(smooth, "JPEG", **options)
        yield Sample(f"jpeg_{name}", data, by_pillow(data, "RGB"))
    data = saved(smooth.convert("L"), "JPEG")
    yield Sample("jpeg_grey", data, by_pillow(data, "L"))
    inks = saved(smooth.convert("CMYK"), "JPEG", quality=95)
    yield Sample("jpeg_cmyk", inks, by_pillow(inks, "RGB"))
    marker = inks.index(b"\xff\xee")
    (length,) = struct.unpack_from(">H", inks, marker + 2)
    bare = inks[:marker] + inks[marker + 2 + length :]
    yield Sample("jpeg_cmyk_without_marker", bare, refused="APP14")
    two = saved(smooth, "MPO", save_all=True, append_images=[smooth.rotate(180)])
    yield Sample("mpo", two, by_pillow(two, "RGB"), note=r"2 pictures \(MPO\)")


def _others() -> Iterator[Sample]:
    rgb, rgba = noise(HEIGHT, WIDTH, 3), noise(HEIGHT, WIDTH, 4)
    exact = {"lossless": True, "exact": True}
    yield Sample("webp", saved(rgb, "WEBP", **exact), rgb)
    yield Sample("webp_alpha", saved(rgba, "WEBP", **exact), rgba)
    others = [Pillow.fromarray(rgb[::-1]), Pillow.fromarray(rgb[:, ::-1])]
    data = saved(rgb, "WEBP", save_all=True, append_images=others, **exact)
    yield Sample("webp_animated", data, rgb, note="3 frames")
    for mode in ("1", "L", "P", "RGB"):
        data = saved(Pillow.fromarray(rgb).convert(mode), "BMP")
        yield Sample(
            f"bmp_{mode}",
            data,
            by_pillow(data, mode if mode == "L" else "RGB" if mode != "1" else "L"),
        )
    yield Sample("bmp_of_32_bits", saved(rgba, "BMP"), rgba[..., :3])  # the fourth byte is reserved
    bmp = cv2.imencode(".bmp", np.ascontiguousarray(rgba[..., [2, 1, 0, 3]]))[1].tobytes()
    yield Sample("bmp_alpha", bmp, rgba)
    few = Pillow.fromarray(rgb).quantize(16)
    data = saved(few, "GIF")
    yield Sample("gif", data, by_pillow(data, "RGB"))
    data = saved(few, "GIF", transparency=3)
    yield Sample("gif_transparent", data, by_pillow(data, "RGBA"))
    data = saved(few, "GIF", save_all=True, append_images=[few.rotate(180), few.rotate(90)])
    yield Sample("gif_animated", data, by_pillow(data, "RGB"), note="3 frames")
    data = saved(rgb, "AVIF", quality=90)
    yield Sample("avif", data, by_pillow(data, "RGB"))
    deep = noise(HEIGHT, WIDTH, 3, dtype=np.uint16) >> 6
    sixteen = np.rint(deep * (65535 / 1023)).astype(np.uint16)
    options = {"level": 100, "bitspersample": 10, "pixelformat": "444"}
    yield Sample("avif_10", imagecodecs.avif_encode(deep, **options), sixteen)
    for bits, channels in product((8, 10, 16), (1, 3)):
        levels = noise(HEIGHT, WIDTH, channels, dtype=np.uint16) >> (16 - bits)
        stored = levels.astype(np.uint8) if bits == 8 else levels
        options = {"level": 0, "codecformat": "jp2", "reversible": True, "bitspersample": bits}
        data = imagecodecs.jpeg2k_encode(stored[..., 0] if channels == 1 else stored, **options)
        expected = stored if bits == 8 else np.rint(levels * (65535 / (2**bits - 1)))
        yield Sample(f"jp2_{bits}_{channels}", data, expected.astype(stored.dtype))


def _netpbm() -> Iterator[Sample]:
    size = f"{WIDTH} {HEIGHT}\n".encode()
    bits = noise(HEIGHT, WIDTH, 1) > 99
    ones = np.where(bits, 0, 255).astype(np.uint8)  # 1 is black
    yield Sample("pbm", b"P4\n" + size + np.packbits(bits[..., 0], axis=1).tobytes(), ones)
    text = b" ".join(b"%d" % bit for bit in bits.ravel())
    yield Sample("pbm_plain", b"P1\n# by hand\n" + size + text, ones)
    for channels, maximum in product((1, 3), (255, 1023, 65535)):
        levels = noise(HEIGHT, WIDTH, channels, dtype=np.uint16).astype(int) % (maximum + 1)
        deep = maximum > 255
        expected = np.rint(levels * ((65535 if deep else 255) / maximum))
        expected = expected.astype(np.uint16 if deep else np.uint8)
        head = size + b"%d\n" % maximum
        binary = levels.astype(">u2" if deep else np.uint8).tobytes()
        text = b" ".join(b"%d" % level for level in levels.ravel())
        raw, plain = (b"P5", b"P2") if channels == 1 else (b"P6", b"P3")
        yield Sample(f"pnm_{channels}_{maximum}", raw + b"\n" + head + binary, expected)
        yield Sample(f"pnm_plain_{channels}_{maximum}", plain + b"\n" + head + text, expected)


def _foreign() -> Iterator[Sample]:
    for name, start, said in (
        ("heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC.*convert"),
        ("cr3", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "RAW file.*develop"),
        ("cr2", b"II*\0\x10\0\0\0CR\2\0", "RAW file.*develop"),
        ("orf", b"IIRO\x08\0\0\0", "RAW file.*develop"),
        ("rw2", b"IIU\0\x18\0\0\0", "RAW file.*develop"),
        ("raf", b"FUJIFILMCCD-RAW 0201", "RAW file.*develop"),
        ("jxl", b"\xff\x0a\xfa\x1f", "JPEG XL"),
        ("psd", b"8BPS\0\1", "Photoshop"),
        ("exr", b"v/1\1\2\0\0\0", "OpenEXR"),
        ("html", b"<!DOCTYPE html><title>404</title>", "web page"),
        ("lfs", b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS"),
        ("pdf", b"%PDF-1.7", "PDF"),
        ("mp4", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "video"),
        ("text", b"some words", "not a PNG, JPEG"),
        ("empty", b"", "empty file"),
    ):
        yield Sample(name, start + bytes(100) if start else b"", refused=said)
