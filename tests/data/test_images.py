import pickle
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image as Pillow

from esrgan.data.images import ImageError, image_size, list_images, read_image, write_png


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


def tiff_turned_by_xmp() -> bytes:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6"/></x:xmpmeta>'
    return encode(noise(4, 8, 3), "TIFF", tiffinfo={700: xmp})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"no image at all", "not a PNG, JPEG, WebP, BMP or TIFF image"),
        (encode(noise(4, 4, 3), "GIF"), "not a PNG"),
        (encode(noise(64, 64, 3), "PNG")[:-100], "png: the file is cut short"),
        (encode(noise(64, 64, 3), "JPEG")[:-100], "damaged or cut short"),
        (encode(noise(64, 64, 3), "BMP")[:-100], "truncated"),
        (encode(Pillow.new("F", (4, 4)), "TIFF"), "only 16-bit unsigned"),
        (huge_png(2**15, 2**15), "more than the limit"),
        (huge_png(2**13, 2**13), "cannot hold 8192 x 8192 pixels"),
        (huge_png(200, 200), "damaged"),
        (tiff_with_rows(100), "describes only a part"),
        (tiff_turned_by_xmp(), "the header says 8 x 4 pixels"),
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


def test_images_are_listed_sorted_from_all_subfolders(tmp_path):
    names = ["b.PNG", "a.jpg", "sub/c.tif", ".hidden.png", ".cache/d.png", "notes.txt", "e.gif"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_images(tmp_path) == [tmp_path / name for name in ("a.jpg", "b.PNG", "sub/c.tif")]


def test_a_folder_without_images_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"holds no images: supported are .*\.png"):
        list_images(tmp_path)
    with pytest.raises(ValueError, match="absent is not a folder"):
        list_images(tmp_path / "absent")
