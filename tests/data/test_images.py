import pickle
import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
import tifffile  # installed with scikit-image
from damage import check_mutated_images
from PIL import Image as Pillow
from PIL import ImageOps

from esrgan.data.images import (
    ImageError,
    decode_image,
    image_size,
    read_image,
    write_png,
)


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def encode(image: np.ndarray | Pillow.Image, file_format: str, **options: object) -> bytes:
    stream = BytesIO()
    picture = image if isinstance(image, Pillow.Image) else Pillow.fromarray(image)
    picture.save(stream, file_format, **options)
    return stream.getvalue()


def test_the_content_counts_and_not_the_suffix(tmp_path):
    image = noise(8, 9, 3)
    (tmp_path / "photo.jpg").write_bytes(encode(image, "PNG"))
    np.testing.assert_array_equal(read_image(tmp_path / "photo.jpg"), image)


def huge_png(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = encode(noise(2, 2, 3), "PNG")
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


def tiff_with_rows(height: int) -> bytes:
    data = encode(noise(4, 8, 3), "TIFF")
    tag = struct.pack("<HHII", 257, 4, 1, 4)
    assert tag in data
    return data.replace(tag, struct.pack("<HHII", 257, 4, 1, height))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"no image at all", "not a PNG, JPEG, WebP, BMP, TIFF, GIF"),
        (encode(noise(4, 4, 3), "SGI"), "not a PNG"),
        (encode(noise(64, 64, 3), "PNG")[:-100], "png: the file is cut short"),
        (encode(noise(64, 64, 3), "JPEG")[:-100], "damaged or cut short"),
        (encode(noise(64, 64, 3), "BMP")[:-100], "truncated"),
        (encode(Pillow.new("F", (4, 4)), "TIFF"), r"floating-point numbers \(tag 339\)"),
        (huge_png(2**15, 2**15), "more than the limit"),
        (huge_png(2**13, 2**13), "cannot hold 8192 x 8192 pixels"),
        (huge_png(200, 200), "damaged"),
        (tiff_with_rows(100), "describes only a part"),
    ],
)
def test_a_bad_file_is_named_with_the_reason(tmp_path, data, reason):
    (tmp_path / "bad.png").write_bytes(data)
    with pytest.raises(ImageError, match=reason) as caught:
        read_image(tmp_path / "bad.png")
    assert str(caught.value).startswith(f"{tmp_path / 'bad.png'}: ")


def test_a_missing_file_is_named(tmp_path):
    for function in (read_image, image_size):
        with pytest.raises(ImageError, match=r"absent\.png: No such file"):
            function(tmp_path / "absent.png")


def test_an_error_survives_the_way_back_from_another_process():
    error = pickle.loads(pickle.dumps(ImageError("a.png", "too dark")))
    assert str(error) == "a.png: too dark"


def test_a_written_png_is_read_back_and_leaves_nothing_else(tmp_path):
    image = noise(11, 13, 3)
    write_png(tmp_path / "x.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "x.png"), image)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_a_file_is_overwritten_only_on_demand(tmp_path):
    write_png(tmp_path / "x.png", noise(4, 4, 3))
    with pytest.raises(ValueError, match="exists and is not overwritten"):
        write_png(tmp_path / "x.png", noise(5, 5, 3))
    assert image_size(tmp_path / "x.png") == (4, 4)
    write_png(tmp_path / "x.png", noise(5, 5, 3), overwrite=True)
    assert image_size(tmp_path / "x.png") == (5, 5)


@pytest.mark.parametrize("image", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8)])
def test_only_uint8_rgb_is_written(tmp_path, image):
    with pytest.raises(ValueError, match="must be uint8"):
        write_png(tmp_path / "x.png", image)


def encode_opencv(suffix: str, rgb: np.ndarray) -> bytes:
    order = [2, 1, 0, 3][: rgb.shape[2]]
    return cv2.imencode(suffix, np.ascontiguousarray(rgb[..., order]))[1].tobytes()


LOSSLESS = {
    "PNG": {},
    "BMP": {},
    "TIFF": {},
    "TIFF lzw": {"compression": "tiff_lzw"},
    "TIFF deflate": {"compression": "tiff_adobe_deflate"},
    "WEBP": {"lossless": True},
}
lossless = pytest.mark.parametrize(
    ("file_format", "options"), [(key.split()[0], value) for key, value in LOSSLESS.items()]
)


@lossless
def test_lossless_formats_return_the_pixels_that_went_in(file_format, options):
    image = noise(13, 17, 3)
    decoded = decode_image(encode(image, file_format, **options), "x")
    np.testing.assert_array_equal(decoded, image)
    assert decoded.flags.c_contiguous
    assert decoded.flags.writeable


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg_pixels_are_the_same_from_opencv_and_pillow(options):
    data = encode(cv2.GaussianBlur(noise(40, 56, 3), (0, 0), 2), "JPEG", **options)
    np.testing.assert_array_equal(decode_image(data, "x"), np.asarray(Pillow.open(BytesIO(data))))


@pytest.mark.parametrize(
    ("file_format", "mode"),
    [
        *[("PNG", "1"), ("PNG", "L"), ("PNG", "P"), ("BMP", "1"), ("BMP", "L"), ("BMP", "P")],
        *[("TIFF", "1"), ("TIFF", "L"), ("TIFF", "P"), ("TIFF", "CMYK")],
        *[("JPEG", "L"), ("JPEG", "CMYK")],
    ],
)
def test_other_colour_modes_become_rgb(file_format, mode):
    data = encode(Pillow.fromarray(noise(12, 16, 3)).convert(mode), file_format)
    expected = np.asarray(Pillow.open(BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decode_image(data, "x"), expected)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_rounded_to_the_nearest_of_eight(suffix, channels):
    every = np.arange(2**16, dtype=np.uint16).reshape(256, 256, 1)
    image = np.repeat(every, channels, axis=2)
    data = cv2.imencode(suffix, image)[1].tobytes()
    expected = np.floor(every.astype(float) * 255 / 65535 + 0.5)
    np.testing.assert_array_equal(decode_image(data, "x"), np.repeat(expected, 3, axis=2))


def test_sixteen_bit_channels_keep_their_order():
    image = noise(5, 7, 3, dtype=np.uint16)
    for suffix in (".png", ".tiff"):
        decoded = decode_image(encode_opencv(suffix, image), "x")
        assert np.abs(decoded - image / 257).max() <= 0.5


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
def test_opaque_alpha_is_dropped_and_transparent_refused(file_format):
    rgba = np.dstack([noise(6, 8, 3), np.full((6, 8), 255, np.uint8)])
    options = {"lossless": True} if file_format == "WEBP" else {}
    decoded = decode_image(encode(rgba, file_format, **options), "x")
    np.testing.assert_array_equal(decoded, rgba[..., :3])
    rgba[2, 3, 3] = 254
    with pytest.raises(ImageError, match="transparent pixels"):
        decode_image(encode(rgba, file_format, **options), "x")


def test_transparency_is_refused_in_every_kind_of_png():
    levels = noise(6, 8)
    levels[1, 2] = 7
    grey = Pillow.fromarray(levels)
    pixels = noise(6, 8, 3)
    pixels[3, 3] = 9
    colour = Pillow.fromarray(pixels)
    deep = np.dstack([noise(6, 8, 3, dtype=np.uint16), np.full((6, 8), 65534, np.uint16)])
    for data in (
        encode(grey, "PNG", transparency=7),
        encode(colour, "PNG", transparency=(9, 9, 9)),
        encode(colour.quantize(8), "PNG", transparency=0),
        encode(Pillow.merge("LA", [grey, grey]), "PNG"),
        encode_opencv(".png", deep),
    ):
        with pytest.raises(ImageError, match="transparent pixels"):
            decode_image(data, "x")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "TIFF lzw", "TIFF16"])
def test_exif_orientation_is_applied(tmp_path, orientation, file_format):
    picture = Pillow.fromarray(noise(8, 24, 3))
    exif = Pillow.Exif()
    exif[274] = orientation
    kind = file_format[:4]
    options = LOSSLESS.get(file_format, {})
    data = encode(picture, kind, **options, **({} if kind == "TIFF" else {"exif": exif}))
    if kind == "TIFF":
        data = encode(picture, kind, **options, tiffinfo={274: orientation})
    if file_format == "TIFF16":
        deep = np.asarray(picture).astype(np.uint16) * 257
        stream = BytesIO()
        tag = (274, "H", 1, orientation, True)
        tifffile.imwrite(stream, deep, photometric="rgb", extratags=[tag])
        data = stream.getvalue()
    opened = Pillow.open(BytesIO(data))
    expected = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    (tmp_path / "x").write_bytes(data)
    image = read_image(tmp_path / "x")
    np.testing.assert_array_equal(image, expected)
    assert image.flags.c_contiguous
    assert image_size(tmp_path / "x") == expected.shape[:2]
    assert expected.shape[0] == (24 if orientation > 4 else 8)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_counts_as_absent():
    image = noise(8, 24, 3)
    data = encode(image, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    np.testing.assert_array_equal(decode_image(data, "x"), image)


def test_every_flipped_bit_of_png_pixels_is_noticed():
    image = noise(8, 8, 3)
    data = encode(image, "PNG")
    for position in range(41, len(data) - 12):
        damaged = bytearray(data)
        damaged[position] ^= 1
        with pytest.raises(ImageError):
            decode_image(bytes(damaged), "x")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow comments on damaged TIFFs
def test_damaged_bytes_are_either_an_image_or_an_image_error(tmp_path):
    outcomes = check_mutated_images(tmp_path, 1000)
    assert outcomes["read"] > 100
    assert outcomes["refused"] > 500
