import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from small_upscaler import by_network, noise, tiny_network

from esrgan.data import Picture
from esrgan.inference import Upscaler
from esrgan.upscaling.enlarge import (
    enlarge,
    enlarge_alpha,
    extend_colours,
    mean_of_channels,
    resize,
)


@pytest.fixture(scope="module")
def network():
    return tiny_network(0)


def picture(colour, alpha=None, *, is_grey=False):
    return Picture(colour=colour, alpha=alpha, is_grey=is_grey, icc_profile=b"profile")


def disc(side, radius, *, finer=8):
    """Coverage of the pixels by a disc in the middle, as 8-bit alpha."""
    y, x = np.mgrid[: side * finer, : side * finer] / finer - (side - 1 / finer) / 2
    covered = (x**2 + y**2 < radius**2).astype(np.float32)
    return np.rint(255 * cv2.resize(covered, (side, side), interpolation=cv2.INTER_AREA))


class Bicubic:
    """An upscaler whose results over any background can be foretold: it is linear."""

    scale = 4

    def __init__(self):
        self.seen = []

    def __call__(self, pixels, *, progress=None):
        self.seen.append(pixels)
        if progress:
            progress(pixels.shape[0] * pixels.shape[1])
        height, width = pixels.shape[:2]
        return cv2.resize(pixels, (4 * width, 4 * height), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colour_goes_through_the_network_as_it_is(network, dtype):
    colour = noise(7, 9, 3, dtype=dtype)
    sr = enlarge(picture(colour), Upscaler(network))
    np.testing.assert_allclose(sr.colour, by_network(network, colour), atol=1, rtol=0)
    assert sr.colour.dtype == dtype
    assert (sr.alpha, sr.is_grey, sr.icc_profile) == (None, False, b"profile")


def test_grey_is_the_rounded_mean_of_the_channels(network):
    grey = np.repeat(noise(7, 9, 1), 3, axis=2)
    sr = enlarge(picture(grey, is_grey=True), Upscaler(network))
    mean = np.rint(by_network(network, grey).mean(axis=2))
    for channel in range(3):
        np.testing.assert_allclose(sr.colour[..., channel], mean, atol=1, rtol=0)
    assert sr.is_grey
    assert (sr.colour == sr.colour[..., :1]).all()
    assert np.abs(mean - by_network(network, grey)[..., 0]).max() > 5  # what tells them apart


@pytest.mark.parametrize("hidden", [0, 255, "noise"])
def test_hidden_colours_do_not_show(hidden):
    alpha = disc(32, 10).astype(np.uint8)
    y, x = np.mgrid[:32, :32]
    visible = np.stack([200 - 3 * y, 100 + 3 * x, np.full_like(x, 60)], axis=2).astype(np.uint8)
    stored = visible.copy()
    stored[alpha == 0] = noise(int((alpha == 0).sum()), 3) if hidden == "noise" else hidden
    sr = enlarge(picture(stored, alpha), Bicubic())
    weight = sr.alpha[..., None] / 255
    truth = Bicubic()(visible)
    for background in (0, 128, 255):
        composed = weight * sr.colour + (1 - weight) * background
        expected = weight * truth + (1 - weight) * background
        assert np.abs(composed - expected).max() < 8  # of 255; as stored, up to 100 and more
    naive = weight * Bicubic()(stored) + (1 - weight) * 128
    if hidden != "noise":
        assert np.abs(naive - (weight * truth + (1 - weight) * 128)).max() > 25


def test_colours_are_continued_from_the_nearest_and_visible_ones_stay():
    colour = noise(9, 64, 3)
    alpha = np.zeros((9, 64), np.uint8)
    colour[:, :2], alpha[:, :2] = (10, 20, 30), 255
    colour[:, -2:], alpha[:, -2:] = (200, 100, 50), 1
    continued = extend_colours(colour, alpha)
    np.testing.assert_array_equal(continued[alpha > 0], colour[alpha > 0])
    assert np.abs(continued[:, :6].astype(int) - (10, 20, 30)).max() <= 3
    assert np.abs(continued[:, -6:].astype(int) - (200, 100, 50)).max() <= 3
    assert (np.diff(continued[4, :, 0].astype(int)) >= 0).all()
    nothing = np.zeros((9, 64), np.uint16)
    deep = noise(9, 64, 3, dtype=np.uint16)
    np.testing.assert_array_equal(extend_colours(deep, nothing), deep)
    nothing[8, 63] = 1  # the least there is
    np.testing.assert_array_equal(extend_colours(deep, nothing), np.full_like(deep, deep[8, 63]))


def test_what_is_seen_more_counts_more_in_the_continuation():
    colour = np.full((1, 4, 3), 200, np.uint8)
    colour[0, 0] = 100
    alpha = np.array([[255, 1, 0, 0]], np.uint8)
    assert np.abs(extend_colours(colour, alpha)[0, 2:].astype(int) - 100).max() <= 3


def test_visible_colours_of_sixteen_bits_stay_to_the_last_bit():
    colour, alpha = noise(40, 40, 3, dtype=np.uint16), noise(40, 40, dtype=np.uint16)
    alpha[:20] = 0
    continued = extend_colours(colour, alpha)
    np.testing.assert_array_equal(continued[alpha > 0], colour[alpha > 0])


def test_the_mean_of_channels_is_rounded():
    colour = np.array([[[0, 0, 1], [0, 0, 2], [255, 255, 255]]], np.uint8)
    assert mean_of_channels(colour).tolist() == [[0, 1, 255]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_is_the_networks_but_stays_between_its_neighbours(network, dtype):
    largest = np.iinfo(dtype).max
    alpha = (disc(24, 7) / 255 * largest).astype(dtype)
    sr = enlarge_alpha(alpha, Upscaler(network))
    window = np.ones((3, 3), np.uint8)
    lowest, highest = (
        extreme(alpha, window).repeat(4, axis=0).repeat(4, axis=1)
        for extreme in (cv2.erode, cv2.dilate)
    )
    plain = by_network(network, np.repeat(alpha[..., None], 3, axis=2)).astype(float).mean(axis=2)
    np.testing.assert_allclose(sr, np.clip(plain, lowest, highest), atol=2, rtol=0)
    assert (sr[highest == 0] == 0).all()
    assert (sr[lowest == largest] == largest).all()
    assert sr.dtype == dtype
    assert len(np.unique(sr)) > 20


@pytest.mark.parametrize("value", [0, 100, 255])
def test_alpha_that_is_the_same_everywhere_needs_no_network(value):
    upscaler = Bicubic()
    colour = noise(6, 8, 3)
    sr = enlarge(picture(colour, np.full((6, 8), value, np.uint8)), upscaler)
    np.testing.assert_array_equal(sr.alpha, np.full((24, 32), value))
    np.testing.assert_array_equal(sr.colour, Bicubic()(colour))
    assert len(upscaler.seen) == 1


def test_progress_counts_a_picture_once():
    told = []
    enlarge(picture(noise(6, 8, 3), noise(6, 8)), Bicubic(), progress=told.append)
    assert told == [48]


@pytest.mark.parametrize(("height", "width"), [(13, 17), (40, 60), (1, 1)])
def test_resizing_is_pillows_lanczos(height, width):
    rgba = cv2.GaussianBlur(noise(26, 34, 4), (0, 0), 1)  # Pillow clips between its two passes
    colour, alpha = rgba[..., :3], rgba[..., 3]
    resized = resize(picture(colour, alpha), height=height, width=width)
    lanczos = Pillow.Resampling.LANCZOS
    for found, given in ((resized.colour, colour), (resized.alpha, alpha)):
        expected = np.asarray(Pillow.fromarray(given).resize((width, height), lanczos))
        np.testing.assert_allclose(found, expected, atol=1, rtol=0)
        assert found.dtype == np.uint8
    deep = resize(picture(colour * np.uint16(257)), height=height, width=width)
    assert deep.colour.dtype == np.uint16
    assert np.abs(deep.colour / 257 - resized.colour).max() <= 0.51


def test_what_overshoots_at_an_edge_is_clipped():
    edge = np.zeros((6, 10, 3), np.uint8)
    edge[:, 5:] = 255
    resized = resize(picture(edge), height=6, width=23).colour
    expected = Pillow.fromarray(edge).resize((23, 6), Pillow.Resampling.LANCZOS)
    np.testing.assert_allclose(resized, np.asarray(expected), atol=1, rtol=0)


def test_the_size_of_the_network_is_left_alone():
    given = picture(noise(4, 6, 3))
    assert resize(given, height=4, width=6) is given
    assert resize(given, height=6, width=4).colour.shape == (6, 4, 3)


def test_other_scales_of_networks():
    sr = enlarge(picture(noise(6, 8, 3), noise(6, 8)), Upscaler(tiny_network(1, scale=2)))
    assert (sr.colour.shape, sr.alpha.shape) == ((12, 16, 3), (12, 16))
