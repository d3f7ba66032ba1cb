"""Content that is not whole is never taken for an image, and what is left of it is shown if asked.

libjpeg fills what is missing with grey, and says so on stderr alone, whoever calls it.
"""

import struct
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from esrgan.data import ImageError, read_image, read_picture

HEIGHT, WIDTH = 96, 128
SMOOTH = cv2.GaussianBlur(
    np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 2
)


def encoded(kind, mode="RGB", **options):
    stream = BytesIO()
    Pillow.fromarray(SMOOTH).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


JPEGS = {
    "baseline": encoded("JPEG"),
    "progressive": encoded("JPEG", progressive=True),
    "grey": encoded("JPEG", "L"),
    "cmyk": encoded("JPEG", "CMYK"),
    "rgb": encoded("JPEG", keep_rgb=True),
    "restarts": encoded("JPEG", restart_marker_blocks=4),
}
OTHERS = {
    "png": encoded("PNG"),
    "webp": encoded("WEBP"),
    "webp_lossless": encoded("WEBP", lossless=True),
    "tiff": encoded("TIFF"),
    "tiff_lzw": encoded("TIFF", compression="tiff_lzw"),
    "tiff_deflate": encoded("TIFF", compression="tiff_deflate"),
    "bmp": encoded("BMP"),
    "gif": encoded("GIF", "P"),
    "ppm": encoded("PPM"),
}


def enlarged(jpeg, height, width):
    """With another size in its header, and nothing else."""
    at = next(jpeg.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in jpeg)
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def cut_and_closed(jpeg):
    """Cut short, with the marker of the end in its place."""
    return jpeg[: len(jpeg) * 3 // 4] + b"\xff\xd9"


def overwritten(jpeg):
    middle = len(jpeg) * 2 // 3
    return jpeg[:middle] + bytes(range(1, 41)) + jpeg[middle + 40 :]


DAMAGES = {
    "enlarged": lambda jpeg: enlarged(jpeg, 4000, 4000),
    "cut": lambda jpeg: jpeg[: len(jpeg) * 3 // 4],
    "cut_and_closed": cut_and_closed,
}


@pytest.fixture(params=[f"{name} {damage}" for name in JPEGS for damage in DAMAGES])
def damaged(request, tmp_path):
    name, damage = request.param.split()
    (tmp_path / "a.jpg").write_bytes(DAMAGES[damage](JPEGS[name]))
    return tmp_path / "a.jpg"


def test_a_jpeg_that_ends_too_early_is_refused_by_name(damaged):
    for read in (read_image, read_picture):
        with pytest.raises(ImageError, match=r"a\.jpg: .*(remature end|Corrupt)"):
            read(damaged)


def test_if_asked_for_the_rest_is_read_and_a_warning_names_it(damaged, caplog):
    picture = read_picture(damaged, tolerant=True)
    (said,) = caplog.messages
    assert said.startswith(f"{damaged} is damaged (the content is damaged or cut short: ")
    height, width = picture.colour.shape[:2]
    assert (height, width) in ((HEIGHT, WIDTH), (4000, 4000))
    if height == HEIGHT:  # the upper part is what it was
        (damaged.parent / "whole.jpg").write_bytes(JPEGS["baseline"])
        whole = read_picture(damaged.parent / "whole.jpg").colour[:16].astype(int)
        assert np.abs(picture.colour[:16].mean(axis=(0, 1)) - whole.mean(axis=(0, 1))).max() < 20


def test_corrupt_codes_inside_are_refused(tmp_path):
    (tmp_path / "a.jpg").write_bytes(overwritten(JPEGS["restarts"]))
    with pytest.raises(ImageError, match=r"damaged or cut short: .*[Cc]orrupt"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", OTHERS)
def test_so_is_every_other_format_cut_short(tmp_path, name, share):
    data = OTHERS[name]
    (tmp_path / "a").write_bytes(data[: int(len(data) * share)])
    for read in (read_image, read_picture):
        with pytest.raises(ImageError):
            read(tmp_path / "a")


@pytest.mark.parametrize("name", ["png", "bmp", "gif", "tiff"])
def test_of_some_of_these_too_the_rest_is_read_if_asked_for(tmp_path, caplog, name):
    data = OTHERS[name]
    (tmp_path / "whole").write_bytes(data)
    (tmp_path / "a").write_bytes(data[: int(len(data) * 0.7)])
    whole, rest = read_picture(tmp_path / "whole"), read_picture(tmp_path / "a", tolerant=True)
    assert f"{tmp_path}/a is damaged (" in caplog.text
    rows = slice(-20, None) if name == "bmp" else slice(0, 20)  # it begins at the bottom
    np.testing.assert_array_equal(rest.colour[rows], whole.colour[rows])


@pytest.mark.parametrize("data", [b"", b"some words", OTHERS["webp"][:200]])
def test_where_nothing_can_be_read_the_error_is_the_same(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    reasons = []
    for tolerant in (False, True):
        with pytest.raises(ImageError) as raised:
            read_picture(tmp_path / "a", tolerant=tolerant)
        reasons.append(raised.value.reason)
    assert reasons[0] == reasons[1]


def test_a_palette_of_another_length_is_refused(tmp_path):
    """By its tag, which says how many numbers it has: one more than three for each of 8 bits."""
    data = encoded("TIFF", "P")
    tag = struct.pack("<HHI", 320, 3, 3 * 256)
    assert data.count(tag) == 1
    (tmp_path / "a.tiff").write_bytes(data.replace(tag, struct.pack("<HHI", 320, 3, 769)))
    for read in (read_image, read_picture):
        with pytest.raises(ImageError, match="its palette of 769 numbers is not one of 3 for each"):
            read(tmp_path / "a.tiff")


def test_what_is_refused_for_another_reason_stays_refused(tmp_path):
    data = JPEGS["cmyk"]
    marker = data.index(b"\xff\xee")
    (length,) = struct.unpack_from(">H", data, marker + 2)
    (tmp_path / "a.jpg").write_bytes(data[:marker] + data[marker + 2 + length :])
    with pytest.raises(ImageError, match="APP14"):
        read_picture(tmp_path / "a.jpg", tolerant=True)


def test_a_subsampling_of_which_only_opencv_knows_is_read(tmp_path):
    """4:1:0, made by hand of another: it has too few blocks, of which OpenCV says nothing."""
    data = bytearray(encoded("JPEG", subsampling=2))
    at = data.index(b"\xff\xc0")
    assert data[at + 11] == 0x22
    data[at + 11] = 0x24
    (tmp_path / "a.jpg").write_bytes(data)
    assert read_image(tmp_path / "a.jpg").shape == (HEIGHT, WIDTH, 3)
