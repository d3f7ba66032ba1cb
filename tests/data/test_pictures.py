import itertools
import struct
import zlib
from io import BytesIO

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile  # installed with scikit-image
from PIL import Image as Pillow
from PIL import ImageCms

from esrgan.data import ImageError, read_image, read_picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY = SRGB[:16] + b"GRAY" + SRGB[20:]  # as far as anything here looks into it


def noise(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def read(tmp_path, image, file_format="PNG", **options):
    picture = image if isinstance(image, Pillow.Image) else Pillow.fromarray(image)
    picture.save(tmp_path / "x", file_format, **options)
    return read_picture(tmp_path / "x")


def grey(pixels):
    return np.repeat(pixels[..., None], 3, axis=2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_depth_colour_and_alpha_are_kept(tmp_path, dtype, suffix, channels):
    pixels = noise(6, 8, channels, dtype=dtype)
    path = tmp_path / f"x{suffix}"
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    cv2.imwrite(str(path), pixels[..., order])
    found = read_picture(path)
    colour = grey(pixels[..., 0]) if channels == 1 else pixels[..., :3]
    np.testing.assert_array_equal(found.colour, colour)
    assert found.colour.dtype == dtype
    assert found.is_grey == (channels == 1)
    assert found.icc_profile is None
    if channels == 4:
        np.testing.assert_array_equal(found.alpha, pixels[..., 3])
        assert found.alpha.dtype == dtype
    else:
        assert found.alpha is None


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_what_the_other_reader_accepts_is_read_alike(tmp_path, file_format):
    found = read(tmp_path, noise(6, 8, 3), file_format)
    np.testing.assert_array_equal(found.colour, read_image(tmp_path / "x"))
    assert (found.alpha, found.is_grey) == (None, False)


def test_grey_with_alpha_and_palettes_with_transparency(tmp_path):
    pixels = noise(6, 8, 2)
    found = read(tmp_path, Pillow.fromarray(pixels, "LA"))
    np.testing.assert_array_equal(found.colour, grey(pixels[..., 0]))
    np.testing.assert_array_equal(found.alpha, pixels[..., 1])
    assert found.is_grey
    palette = Pillow.fromarray(noise(6, 8, 3)).quantize(8)
    found = read(tmp_path, palette, transparency=bytes([0, 100, 255, 3, 4, 5, 6, 7]))
    rgba = np.asarray(Pillow.open(tmp_path / "x").convert("RGBA"))
    np.testing.assert_array_equal(found.colour, rgba[..., :3])
    np.testing.assert_array_equal(found.alpha, rgba[..., 3])
    assert not found.is_grey
    assert read(tmp_path, palette).alpha is None
    assert read(tmp_path, Pillow.fromarray(noise(6, 8) > 99)).is_grey


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_colour_becomes_alpha(tmp_path, dtype, channels):
    shape = (6, 8, 3)[: 3 if channels == 3 else 2]
    pixels = noise(*shape, dtype=dtype)
    pixels[2, 3], key = 77, (77, 77, 77)
    if dtype == np.uint8:
        Pillow.fromarray(pixels).save(
            tmp_path / "x", "PNG", transparency=key if channels == 3 else 77
        )
    else:
        png = cv2.imencode(".png", pixels)[1].tobytes()
        trns = np.array(key[:channels], ">u2").tobytes()
        (tmp_path / "x").write_bytes(png[:33] + chunk(b"tRNS", trns) + png[33:])
    found = read_picture(tmp_path / "x")
    expected = np.full((6, 8), np.iinfo(dtype).max)
    expected[(found.colour == 77).all(axis=2)] = 0
    assert expected[2, 3] == 0
    np.testing.assert_array_equal(found.alpha, expected)
    assert found.is_grey == (channels == 1)
    assert found.alpha.dtype == dtype


def test_of_black_and_white_one_can_be_transparent(tmp_path):
    bits = noise(6, 8) > 99
    for number, key in enumerate((0, 255)):
        found = read(tmp_path, Pillow.fromarray(bits), transparency=key)
        np.testing.assert_array_equal(found.alpha, np.where(bits == number, 0, 255))
        np.testing.assert_array_equal(found.colour, grey(bits * np.uint8(255)))


def chunk(kind, content):

    length, checksum = (
        struct.pack(">I", len(content)),
        struct.pack(">I", zlib.crc32(kind + content)),
    )
    return length + kind + content + checksum


def test_the_transparent_grey_of_few_bits_is_in_their_range(tmp_path):

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 1, 2, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes([0, 0b00011011])))  # four pixels: 0, 1, 2, 3
    parts = (b"\x89PNG\r\n\x1a\n", header, chunk(b"tRNS", b"\0\x02"), data, chunk(b"IEND", b""))
    (tmp_path / "x").write_bytes(b"".join(parts))
    found = read_picture(tmp_path / "x")
    assert found.colour[0, :, 0].tolist() == [0, 85, 170, 255]
    assert found.alpha[0].tolist() == [255, 255, 0, 255]


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_the_orientation_is_applied_to_alpha_too(tmp_path, file_format):
    exif = Pillow.Exif()
    exif[274] = 6
    channels = 3 if file_format == "JPEG" else 4
    options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
    turn = {"tiffinfo": {274: 6}} if file_format == "TIFF" else {"exif": exif}
    found = read(tmp_path, noise(4, 8, channels), file_format, **turn, **options)
    assert found.colour.shape == (8, 4, 3)
    if channels == 4:
        np.testing.assert_array_equal(found.alpha, np.rot90(noise(4, 8, 4)[..., 3], -1))
        np.testing.assert_array_equal(found.colour, np.rot90(noise(4, 8, 4)[..., :3], -1))


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_profile_is_kept_where_it_is_of_the_colour_space(tmp_path, file_format):
    assert read(tmp_path, noise(6, 8, 3), file_format, icc_profile=SRGB).icc_profile == SRGB
    assert read(tmp_path, noise(6, 8, 3), file_format, icc_profile=GREY).icc_profile is None
    if file_format != "WEBP":
        assert read(tmp_path, noise(6, 8), file_format, icc_profile=GREY).icc_profile == GREY
        assert read(tmp_path, noise(6, 8), file_format, icc_profile=SRGB).icc_profile is None


def cmyk_profile():
    """Cyan, magenta, yellow and black are sRGB's paper white less 10, 20, 30 and 40 in L* only."""

    lab = []
    for ink in itertools.product((0, 1), repeat=4):  # 16 corners, the first channel slowest
        lightness = 100 - sum(i * step for i, step in zip(ink, (10, 20, 30, 40), strict=True))
        lab += [round(lightness * 255 / 100), 128, 128]
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + ramp * 4 + bytes(lab) + ramp * 3
    lut += bytes(-len(lut) % 4)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    text = b"text" + bytes(4) + b"none\0" + bytes(3)
    name = b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(78)
    name += bytes(-len(name) % 4)
    tags = {b"desc": name, b"cprt": text, b"wtpt": white, b"A2B0": lut}
    offset, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for key, content in tags.items():
        table += key + struct.pack(">II", offset + len(body), len(content))
        body += content
    size = offset + len(body)
    header = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02400000, b"prtr", b"CMYK", b"Lab ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def test_cmyk_becomes_srgb_by_its_profile(tmp_path):
    inks = np.zeros((8, 8, 4), np.uint8)
    inks[:, 4:, 1] = 255  # magenta, which this profile prints as a grey of L* = 80
    plain = Pillow.fromarray(inks, "CMYK")
    found = read(tmp_path, plain, "JPEG", icc_profile=cmyk_profile(), quality=100)
    assert found.icc_profile is None
    # L* = 80: Y = ((80 + 16) / 116)^3 = 0.5668, and sRGB's 1.055 Y^(1/2.4) - 0.055 = 0.7771
    np.testing.assert_allclose(found.colour[:, :4], 255, atol=3)
    np.testing.assert_allclose(found.colour[:, 4:], 0.7771 * 255, atol=3)
    for broken in ({}, {"icc_profile": SRGB}, {"icc_profile": cmyk_profile()[:300]}):
        found = read(tmp_path, plain, "JPEG", quality=100, **broken)
        np.testing.assert_allclose(
            found.colour[:, 4:], np.broadcast_to([255, 0, 255], (8, 4, 3)), atol=3
        )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"no image", "not a PNG"),
        (cv2.imencode(".png", noise(64, 64, 3))[1].tobytes()[:-100], "cut short"),
        (cv2.imencode(".jpg", noise(64, 64, 3))[1].tobytes()[:-100], "damaged or cut short"),
    ],
)
def test_a_bad_file_is_named_with_the_reason(tmp_path, data, reason):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(ImageError, match=reason) as caught:
        read_picture(tmp_path / "x")
    assert caught.value.name == str(tmp_path / "x")


def test_deep_tiffs_turned_by_a_tag(tmp_path):
    deep = noise(4, 8, 3, dtype=np.uint16)
    stream = BytesIO()
    tifffile.imwrite(stream, deep, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    (tmp_path / "x").write_bytes(stream.getvalue())
    np.testing.assert_array_equal(read_picture(tmp_path / "x").colour, np.rot90(deep, -1))


def test_the_profile_of_a_bmp_is_kept_where_it_is_inside(tmp_path):
    """The header of version 5: what kind of colour space, and where the profile is."""
    pixels = noise(4, 8, 3)
    body = np.ascontiguousarray(pixels[::-1, :, ::-1]).tobytes()
    for kind, place, found in (
        (b"DEBM", (124 + len(body), len(SRGB)), SRGB),
        (b"KNIL", (124 + len(body), len(SRGB)), None),
        (b"BGRs", (0, 0), None),
    ):
        header = struct.pack("<IiiHHIIiiII", 124, 8, 4, 1, 24, 0, len(body), 0, 0, 0, 0)
        header += bytes(16) + kind + bytes(36 + 12) + struct.pack("<IIII", 4, *place, 0)
        assert len(header) == 124
        start = b"BM" + struct.pack("<IHHI", 138 + len(body) + len(SRGB), 0, 0, 138)
        (tmp_path / "x.bmp").write_bytes(start + header + body + SRGB)
        picture = read_picture(tmp_path / "x.bmp")
        assert picture.icc_profile == found
        np.testing.assert_array_equal(picture.colour, pixels)


def test_hdr_colours_of_an_avif_are_kept_as_a_png_says_them(tmp_path):
    data = imagecodecs.avif_encode(noise(16, 16, 3), level=100, primaries=9, transfer=16, matrix=9)
    (tmp_path / "x.avif").write_bytes(data)
    assert read_picture(tmp_path / "x.avif").about.colour_chunks == {b"cICP": bytes([9, 16, 0, 1])}


def test_the_profile_of_a_jpeg_2000_is_kept(tmp_path):
    Pillow.fromarray(noise(16, 16, 3)).save(tmp_path / "x.jp2", "JPEG2000", irreversible=False)
    data = (tmp_path / "x.jp2").read_bytes()
    named = struct.pack(">I4sBBBI", 15, b"colr", 1, 0, 0, 16)
    (outer,) = struct.unpack_from(">I", data, data.index(b"jp2h") - 4)
    inside = struct.pack(">I4sBBB", 11 + len(SRGB), b"colr", 2, 0, 0) + SRGB
    longer = struct.pack(">I", outer - len(named) + len(inside)) + b"jp2h"
    data = data.replace(struct.pack(">I", outer) + b"jp2h", longer).replace(named, inside)
    (tmp_path / "x.jp2").write_bytes(data)
    found = read_picture(tmp_path / "x.jp2")
    assert found.icc_profile == SRGB
    np.testing.assert_array_equal(found.colour, noise(16, 16, 3))
