import struct
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from esrgan.data import Picture, read_picture, refuse_losses, write_picture
from esrgan.data.header import About

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY = SRGB[:16] + b"GRAY" + SRGB[20:]  # as far as anything here looks into it


def noise(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def picture(colour, alpha=None, *, is_grey=False, icc_profile=None):
    return Picture(colour=colour, alpha=alpha, is_grey=is_grey, icc_profile=icc_profile)


def grey(pixels):
    return np.repeat(pixels[..., None], 3, axis=2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("is_grey", [False, True])
@pytest.mark.parametrize("has_alpha", [False, True])
@pytest.mark.parametrize("has_profile", [False, True])
def test_a_png_holds_everything(tmp_path, dtype, is_grey, has_alpha, has_profile):
    pixels = noise(6, 9, 4, dtype=dtype)
    colour = grey(pixels[..., 0]) if is_grey else pixels[..., :3]
    profile = (GREY if is_grey else SRGB) if has_profile else None
    alpha = pixels[..., 3] if has_alpha else None
    write_picture(tmp_path / "x.png", picture(colour, alpha, is_grey=is_grey, icc_profile=profile))
    found = read_picture(tmp_path / "x.png")
    np.testing.assert_array_equal(found.colour, colour)
    assert found.colour.dtype == dtype
    assert found.is_grey == is_grey
    assert found.icc_profile == profile
    if has_alpha:
        np.testing.assert_array_equal(found.alpha, alpha)
    else:
        assert found.alpha is None
    with Pillow.open(tmp_path / "x.png") as by_pillow:
        by_pillow.load()
        assert by_pillow.info.get("icc_profile") == profile
        # Pillow reads 16 bits of RGB and of alpha as 8, the more significant ones
        first = np.asarray(by_pillow).reshape(6, 9, -1)[..., 0]
        deep = dtype == np.uint16 and not by_pillow.mode.startswith("I;16")
        np.testing.assert_array_equal(first, colour[..., 0] >> 8 if deep else colour[..., 0])
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_an_independent_reader_finds_the_sixteen_bits(tmp_path):
    colour = noise(6, 9, 3, dtype=np.uint16)
    write_picture(tmp_path / "x.png", picture(colour, colour[..., 1], icc_profile=SRGB))
    found = cv2.imread(str(tmp_path / "x.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found, np.dstack([colour[..., ::-1], colour[..., 1]]))


def test_jpeg_and_webp_keep_what_they_can(tmp_path):
    smooth = cv2.GaussianBlur(noise(96, 96, 3), (0, 0), 1)
    opaque = picture(smooth, np.full((96, 96), 255, np.uint8), icc_profile=SRGB)
    write_picture(tmp_path / "x.jpg", opaque)
    found = read_picture(tmp_path / "x.jpg")
    assert (found.alpha, found.icc_profile) == (None, SRGB)
    assert np.abs(found.colour.astype(int) - smooth).mean() < 3
    with Pillow.open(tmp_path / "x.jpg") as jpeg:
        assert [component[1:3] for component in jpeg.layer] == [(1, 1)] * 3  # 4:4:4
    write_picture(tmp_path / "small.jpg", opaque, quality=10)
    assert 2 * (tmp_path / "small.jpg").stat().st_size < (tmp_path / "x.jpg").stat().st_size
    write_picture(tmp_path / "grey.jpg", picture(grey(smooth[..., 0]), is_grey=True))
    assert read_picture(tmp_path / "grey.jpg").is_grey
    hidden = picture(smooth, noise(96, 96) // 250, icc_profile=SRGB)
    write_picture(tmp_path / "x.webp", hidden)
    found = read_picture(tmp_path / "x.webp")
    np.testing.assert_array_equal(found.colour, smooth)
    np.testing.assert_array_equal(found.alpha, hidden.alpha)
    assert found.icc_profile == SRGB
    write_picture(tmp_path / "lossy.webp", hidden, quality=50)
    assert 2 * (tmp_path / "lossy.webp").stat().st_size < (tmp_path / "x.webp").stat().st_size


def test_what_a_format_cannot_hold_is_refused_and_nothing_is_written(tmp_path):
    plain = picture(noise(4, 4, 3))
    deep = picture(noise(4, 4, 3, dtype=np.uint16))
    with_alpha = replace(plain, alpha=np.full((4, 4), 254, np.uint8))
    cases = [
        ("x.jpg", deep, "16 bits, and JPEG cannot"),
        ("x.webp", deep, "16 bits, and WebP cannot"),
        ("x.jpeg", with_alpha, "transparent pixels, which JPEG cannot"),
        ("x.jpg", picture(noise(1, 65501, 3)), "JPEG cannot hold 65501 x 1 pixels"),
        ("x.webp", picture(noise(16384, 1, 3)), "WebP cannot hold 1 x 16384 pixels"),
        ("x.webp", replace(plain, is_grey=True, icc_profile=GREY), "grey profile, and WebP"),
    ]
    for name, content, reason in cases:
        with pytest.raises(ValueError, match=reason):
            write_picture(tmp_path / name, content)
    assert not list(tmp_path.iterdir())
    refuse_losses(plain, ".webp", height=16383, width=16383)
    refuse_losses(plain, ".jpg", height=65500, width=65500)


def test_grey_becomes_rgb_in_webp(tmp_path):
    pixels = noise(6, 8, 2)
    write_picture(tmp_path / "x.webp", picture(grey(pixels[..., 0]), pixels[..., 1], is_grey=True))
    found = read_picture(tmp_path / "x.webp")
    np.testing.assert_array_equal(found.colour, grey(pixels[..., 0]))
    np.testing.assert_array_equal(found.alpha, pixels[..., 1])
    assert not found.is_grey


def test_an_existing_file_is_replaced_only_on_demand(tmp_path):
    path = tmp_path / "x.png"
    path.write_text("mine")
    with pytest.raises(ValueError, match="exists and is not overwritten"):
        write_picture(path, picture(noise(4, 4, 3)))
    assert path.read_text() == "mine"
    write_picture(path, picture(noise(4, 4, 3)), overwrite=True)
    np.testing.assert_array_equal(read_picture(path).colour, noise(4, 4, 3))


def test_a_full_disk_leaves_the_earlier_file(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    path.write_text("mine")

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_picture(path, picture(noise(4, 4, 3)), overwrite=True)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["mine"]


def exif(**tags):
    """Of a camera; the orientation says that the stored pixels lie on their side."""
    made = Pillow.Exif()
    made[274], made[271], made[306] = 6, "Camera", "2020:02:03 04:05:06"
    made.get_ifd(34665).update({36867: "2019:01:02 03:04:05", 40962: 24, 40963: 8, 37500: b"maker"})
    return made


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_exif_data_resolution_and_date_survive(tmp_path, suffix):
    source = Pillow.fromarray(noise(8, 24, 3))
    source.save(tmp_path / "source.jpg", exif=exif(), dpi=(300, 300))
    found = read_picture(tmp_path / "source.jpg")
    assert found.colour.shape == (24, 8, 3)
    large = replace(found, colour=found.colour.repeat(2, axis=0).repeat(2, axis=1))
    write_picture(tmp_path / f"x{suffix}", large)
    with Pillow.open(tmp_path / f"x{suffix}") as written:
        said = written.getexif()
        assert (said[274], said[271], said[306]) == (1, "Camera", "2020:02:03 04:05:06")
        inside = said.get_ifd(34665)
        assert (inside[36867], inside[37500]) == ("2019:01:02 03:04:05", b"maker")
        assert (inside[40962], inside[40963]) == (16, 48)
        if suffix != ".webp":  # which has no place for it but in EXIF data
            np.testing.assert_allclose(written.info["dpi"], 300, atol=0.02)
    np.testing.assert_array_equal(read_picture(tmp_path / f"x{suffix}").colour.shape, (48, 16, 3))


def test_the_time_of_a_png_and_what_its_colours_mean_survive(tmp_path):
    chunks = {b"gAMA": struct.pack(">I", 100000), b"cHRM": bytes(32), b"cICP": bytes([9, 16, 0, 1])}
    about = About(colour_chunks=chunks, time=b"\x07\xe4\2\3\4\5\6", dpi=(72.009, 36))
    write_picture(tmp_path / "x.png", replace(picture(noise(4, 4, 3)), about=about))
    found = read_picture(tmp_path / "x.png").about
    assert found.colour_chunks == chunks
    assert found.time == about.time
    np.testing.assert_allclose(found.dpi, about.dpi, atol=0.02)
    for suffix in (".jpg", ".webp"):
        with pytest.raises(ValueError, match="says by gAMA, cHRM, cICP how its colours are meant"):
            refuse_losses(replace(picture(noise(4, 4, 3)), about=about), suffix, height=4, width=4)


@pytest.mark.parametrize(
    "chunks",
    [
        {b"sRGB": b"\0"},
        {b"sRGB": b"\0", b"gAMA": struct.pack(">I", 45455)},
        {b"gAMA": struct.pack(">I", 45455)},
        {b"cICP": bytes([1, 13, 0, 1])},
    ],
)
def test_srgb_needs_no_words(chunks):
    said = replace(picture(noise(4, 4, 3)), about=About(colour_chunks=chunks))
    for suffix in (".jpg", ".webp", ".png"):
        refuse_losses(said, suffix, height=4, width=4)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_resolution_and_time_have_a_place_without_exif_data_too(tmp_path, suffix):
    about = About(dpi=(300.0, 150.0), time=b"\x07\xe4\2\3\4\5\6")
    write_picture(tmp_path / f"x{suffix}", replace(picture(noise(4, 4, 3)), about=about))
    with Pillow.open(tmp_path / f"x{suffix}") as written:
        said = written.getexif()
    assert said[306] == "2020:02:03 04:05:06"
    assert (said[282], said[283], said[296]) == (300, 150, 2)


def test_a_png_has_a_profile_or_srgb_and_not_both(tmp_path):
    about = About(colour_chunks={b"sRGB": b"\0", b"gAMA": struct.pack(">I", 45455)})
    both = replace(picture(noise(4, 4, 3), icc_profile=SRGB), about=about)
    write_picture(tmp_path / "x.png", both)
    found = read_picture(tmp_path / "x.png")
    assert found.icc_profile == SRGB
    assert set(found.about.colour_chunks) == {b"gAMA"}
