import numpy as np
import pytest
from PIL import Image

from esrgan.data.images import read_image
from esrgan.data.versions import REDUCED, Version, versions


def test_a_photograph_of_div2k_has_the_versions_of_real_esrgan():
    # generate_multiscale_DF2K.py: int(w * s), int(h * s); the shorter side 400, int(400 * ratio)
    assert list(versions(1356, 2040, multi_scale=True)) == [
        Version("", 1356, 2040),
        Version("T0", 1017, 1530),
        Version("T1", 678, 1020),
        Version("T2", 452, 680),
        Version("T3", 400, 601),
    ]
    assert list(versions(2040, 1356, multi_scale=True))[-1] == Version("T3", 601, 400)


def test_sides_are_rounded_down():
    reduced = list(versions(403, 419, multi_scale=True))[1:]
    assert [size for _, *size in reduced] == [[302, 314], [201, 209], [134, 139], [400, 415]]


def test_only_the_image_itself_unless_asked_for_more():
    assert list(versions(30, 20, multi_scale=False)) == [Version("", 30, 20)]


@pytest.mark.parametrize(
    ("size", "suffixes"),
    [
        ((400, 600), ["", "T0", "T1", "T2"]),  # T3 would be a copy
        ((300, 600), ["", "T0", "T1", "T2"]),  # T3 would be an enlargement
        ((401, 600), ["", *REDUCED]),
        ((2, 600), ["", "T0", "T1"]),  # T2 would have no rows
        ((1, 1), [""]),
    ],
)
def test_a_version_that_would_not_be_a_smaller_image_there_is_none_of(size, suffixes):
    assert [version.suffix for version in versions(*size, multi_scale=True)] == suffixes


def test_versions_are_reduced_by_lanczos(reference_data):
    path = reference_data / "set5" / "HR" / "baby.png"
    image = read_image(path)
    *_, reduced = versions(*image.shape[:2], multi_scale=True)
    expected = Image.open(path).convert("RGB").resize((400, 400), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(reduced.make(image), np.asarray(expected))


def test_the_image_itself_is_as_it_is():
    image = np.zeros((4, 5, 3), np.uint8)
    assert Version("", 4, 5).make(image) is image
