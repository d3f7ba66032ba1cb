"""A folder of every kind of file, five of them broken, against plain computations."""

import hashlib
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms
from small_upscaler import by_network, noise, tiny_network

from esrgan.commands.upscale import main
from esrgan.upscaling.enlarge import extend_colours
from esrgan.weights import save_release

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SIZE = (10, 14)


def smooth(channels, dtype=np.uint8):
    """Values from a quarter to three quarters of the range."""
    pixels = cv2.GaussianBlur(noise(*SIZE, channels).astype(np.float32), (0, 0), 1).reshape(
        *SIZE, -1
    )
    largest = np.iinfo(dtype).max
    return (largest / 4 + pixels / pixels.max() * largest / 2).astype(dtype)


def grey(pixels):
    return np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)


def by_pillow(path):
    with Pillow.open(path) as image:
        return np.asarray(image.convert("RGB"))


def deep_grey_and_alpha(pixels):
    """Section 11.2 of the PNG specification, without filters."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    ihdr = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, 4, 0, 0, 0)
    parts = {b"IHDR": ihdr, b"IDAT": zlib.compress(rows), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts.items()
    )


def make_lossless(folder):
    """What is in each: colour and alpha."""
    rgb, rgba, deep = smooth(3), smooth(4), smooth(4, np.uint16)
    opaque = np.dstack([rgb, np.full(SIZE, 255, np.uint8)])
    key = rgb.copy()
    key[4:6, 3:9] = 7
    palette = Pillow.fromarray(rgb).quantize(16)
    coloured = np.asarray(palette.convert("RGB"))
    index = np.asarray(palette)
    bits = rgb[..., 0] > 127
    kinds = {
        "rgb.png": (rgb, None, {}),
        "rgb.bmp": (rgb, None, {}),
        "rgb.tiff": (rgb, None, {}),
        "lzw.TIF": (rgb, None, {"compression": "tiff_lzw"}),
        "sub/rgb.webp": (rgb, None, {"lossless": True}),
        "sub/deeper/rgba.webp": (rgba[..., :3], rgba[..., 3], {"lossless": True, "exact": True}),
        "rgba.png": (rgba[..., :3], rgba[..., 3], {}),
        "opaque.png": (rgb, opaque[..., 3], {}),
        "profile.png": (rgb, None, {"icc_profile": SRGB}),
    }
    for name, (colour, alpha, options) in kinds.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image = colour if alpha is None else np.dstack([colour, alpha])
        Pillow.fromarray(image).save(folder / name, **options)
    Pillow.fromarray(rgb[..., 0]).save(folder / "grey.png")
    Pillow.fromarray(rgba[..., :2], "LA").save(folder / "grey_alpha.png")
    Pillow.fromarray(bits).save(folder / "bits.png")
    palette.save(folder / "palette.png")
    palette.save(folder / "transparent_palette.png", transparency=int(index[0, 0]))
    Pillow.fromarray(key).save(folder / "key.png", transparency=(7, 7, 7))
    Pillow.fromarray(key[..., 0]).save(folder / "grey_key.png", transparency=7)
    (folder / "deep_grey_alpha.png").write_bytes(deep_grey_and_alpha(deep[..., :2]))
    for suffix in ("png", "tif"):
        cv2.imwrite(str(folder / f"deep_{suffix}.{suffix}"), deep[..., 2::-1])
    cv2.imwrite(str(folder / "deep_grey.png"), deep[..., 0])
    cv2.imwrite(str(folder / "deep_rgba.png"), deep[..., [2, 1, 0, 3]])
    holes = np.where((key == 7).all(axis=2), 0, 255).astype(np.uint8)
    return {name: (colour, alpha) for name, (colour, alpha, _) in kinds.items()} | {
        "grey.png": (grey(rgb[..., 0]), None),
        "grey_alpha.png": (grey(rgba[..., 0]), rgba[..., 1]),
        "bits.png": (grey(bits * np.uint8(255)), None),
        "palette.png": (coloured, None),
        "transparent_palette.png": (
            coloured,
            np.where(index == index[0, 0], 0, 255).astype(np.uint8),
        ),
        "key.png": (key, holes),
        "grey_key.png": (grey(key[..., 0]), holes),
        "deep_grey_alpha.png": (grey(deep[..., 0]), deep[..., 1]),
        "deep_png.png": (deep[..., :3], None),
        "deep_tif.tif": (deep[..., :3], None),
        "deep_grey.png": (grey(deep[..., 0]), None),
        "deep_rgba.png": (deep[..., :3], deep[..., 3]),
    }


def make_jpegs(folder):
    rgb = smooth(3)
    exif = Pillow.Exif()
    exif[274] = 6
    Pillow.fromarray(rgb).save(folder / "photo.jpg", progressive=True, icc_profile=SRGB)
    Pillow.fromarray(rgb).save(folder / "turned.JPEG", exif=exif)
    Pillow.fromarray(rgb).convert("CMYK").save(folder / "cmyk.jpg")
    Pillow.fromarray(rgb[..., 0]).save(folder / "grey.jpg")
    found = {
        name: (by_pillow(folder / name), None) for name in ("photo.jpg", "cmyk.jpg", "grey.jpg")
    }
    return found | {"turned.JPEG": (np.rot90(by_pillow(folder / "turned.JPEG"), -1), None)}


def make_broken(folder):
    png = (folder / "rgb.png").read_bytes()
    header = b"IHDR" + struct.pack(">IIBBBBB", 2**15, 2**15, 8, 2, 0, 0, 0)
    contents = {
        "empty.png": (b"", "empty file"),
        "text.jpg": (b"no image", "not a PNG, JPEG, WebP, BMP, TIFF, GIF"),
        "cut.png": (png[:-30], "the file is cut short"),
        "sub/cut.jpg": ((folder / "photo.jpg").read_bytes()[:-20], "damaged or cut short"),
        "bomb.png": (
            png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:],
            "more than the limit",
        ),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    return {name: reason for name, (_, reason) in contents.items()}


def digests(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def expected_alpha(network, alpha):
    """By the plain computation, between the smallest and largest of the neighbours."""
    window, footprint = np.ones((3, 3), np.uint8), np.ones((4, 4), alpha.dtype)
    lowest, highest = (np.kron(f(alpha, window), footprint) for f in (cv2.erode, cv2.dilate))
    plain = by_network(network, grey(alpha)).astype(float).mean(axis=2)
    return np.clip(plain, lowest, highest)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def test_twenty_five_results_are_right_and_five_errors_are_named(call, folder, tmp_path):
    network, weights = tiny_network(0), tmp_path / "tiny.pth"
    save_release(weights, network, metadata={})
    contents = make_lossless(folder) | make_jpegs(folder)
    reasons = make_broken(folder)
    assert (len(contents), len(reasons)) == (25, 5)
    before = digests(folder)
    output = tmp_path / "results"
    options = ("--output", output, "--precision", "fp32")
    code, printed, errors = call("upscale.py", main, weights, folder, *options)
    assert code == 2
    assert "25 of 30 written" in printed
    for name, reason in reasons.items():
        assert sum(reason in line for line in errors.splitlines()) == 1
        assert any(line.startswith(f"{folder / name}: ") for line in errors.splitlines())
    assert len(errors.splitlines()) == 5
    assert digests(folder) == before
    shared = ("rgb.png", "rgb.bmp", "rgb.tiff", "grey.png", "grey.jpg")  # but for the suffix
    written = {
        name: f"{name.replace('.', '_') if name in shared else name.rsplit('.', 1)[0]}.png"
        for name in contents
    }
    assert set(digests(output)) == {output / name for name in written.values()}
    for name, (colour, alpha) in contents.items():
        found = cv2.imread(str(output / written[name]), cv2.IMREAD_UNCHANGED)
        assert found.dtype == colour.dtype, name
        tolerance = 1 if colour.dtype == np.uint8 else 3
        if alpha is not None:
            expected = expected_alpha(network, alpha)
            np.testing.assert_allclose(found[..., 3], expected, atol=tolerance, err_msg=name)
            colour = extend_colours(colour, alpha)
            found = found[..., :3]
        expected = by_network(network, np.ascontiguousarray(colour)).astype(float)
        if "grey" in name or name == "bits.png":
            expected = expected.mean(axis=2, keepdims=True)
            assert found.ndim == 2 or alpha is not None
        found = found.reshape(*found.shape[:2], -1)[..., ::-1]
        assert found.shape[:2] == expected.shape[:2]
        np.testing.assert_allclose(
            found, np.broadcast_to(expected, found.shape), atol=tolerance, err_msg=name
        )
    for name in ("photo.png", "profile.png"):
        with Pillow.open(output / name) as image:
            assert image.info["icc_profile"] == SRGB
