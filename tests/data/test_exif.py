import struct
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from esrgan.data import read_picture, write_picture
from esrgan.data.exif import made_upright, orientation_of, tiff_structure


def with_thumbnail(order: str) -> bytes:
    """By hand: orientation 8, a pointer to Exif's own directory, and a second directory."""
    first = struct.pack(f"{order}H", 2)
    first += struct.pack(f"{order}HHIHH", 274, 3, 1, 8, 0)
    first += struct.pack(f"{order}HHII", 34665, 4, 1, 8 + 30)
    first += struct.pack(f"{order}I", 99)
    inside = struct.pack(f"{order}H", 1) + struct.pack(f"{order}HHII", 40962, 4, 1, 70_000)
    mark = {"<": b"II", ">": b"MM"}[order]
    start = mark + struct.pack(f"{order}HI", 42, 8)
    return start + first + inside + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
def test_only_the_numbers_change_that_turning_made_wrong(order):
    data = with_thumbnail(order)
    assert orientation_of(data) == 8
    upright = made_upright(data, height=5, width=123_456)
    assert orientation_of(upright) == 1
    changed = [at for at, (a, b) in enumerate(zip(data, upright, strict=True)) if a != b]
    places = [*range(18, 20), *range(34, 38), *range(48, 52)]
    assert set(changed) <= set(places)
    assert upright[34:38] == bytes(4)  # no second directory, which is the thumbnail's
    assert struct.unpack(f"{order}I", upright[48:52]) == (123_456,)


@pytest.mark.parametrize(
    "damaged",
    [None, b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\x09\0", b"words"],
)
def test_what_cannot_be_read_counts_as_absent(damaged):
    assert tiff_structure(damaged) is None
    assert orientation_of(tiff_structure(damaged)) == 1


def test_orientations_that_do_not_exist_are_none():
    data = with_thumbnail("<").replace(
        struct.pack("<HHIHH", 274, 3, 1, 8, 0), struct.pack("<HHIHH", 274, 3, 1, 9, 0)
    )
    assert orientation_of(data) == 1


@pytest.mark.parametrize("big", [False, True])
def test_what_a_tiff_says_becomes_exif_data(tmp_path, big):
    stream = BytesIO()
    tags = [(274, "H", 1, 3, True), (271, "s", 0, "Scanner", True), (315, "s", 0, "Me", True)]
    pixels = np.zeros((4, 6, 3), np.uint8)
    tifffile.imwrite(
        stream,
        pixels,
        photometric="rgb",
        extratags=tags,
        datetime="2020:02:03 04:05:06",
        resolution=(118.11, 118.11),
        resolutionunit=3,
        bigtiff=big,
        metadata=None,
    )
    (tmp_path / "x.tif").write_bytes(stream.getvalue())
    write_picture(tmp_path / "x.png", read_picture(tmp_path / "x.tif"))
    with Pillow.open(tmp_path / "x.png") as written:
        said = written.getexif()
        assert (said[271], said[315], said[306]) == ("Scanner", "Me", "2020:02:03 04:05:06")
        assert said.get(274, 1) == 1
        np.testing.assert_allclose(written.info["dpi"], 300, atol=0.1)


def test_the_directories_below_it_are_found_too(tmp_path):
    tags = ImageFileDirectory_v2()
    tags[271], tags[34665], tags[34853] = "Camera", {36867: "2019:01:02 03:04:05"}, {1: "N"}
    Pillow.new("RGB", (6, 4)).save(tmp_path / "x.tif", tiffinfo=tags)
    write_picture(tmp_path / "x.png", read_picture(tmp_path / "x.tif"))
    with Pillow.open(tmp_path / "x.png") as written:
        said = written.getexif()
        assert (said[271], said.get_ifd(34665)[36867]) == ("Camera", "2019:01:02 03:04:05")
        assert said.get_ifd(34853) == {1: "N"}
