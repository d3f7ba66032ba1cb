import numpy as np
import pytest

from esrgan.inference.windows import Window, side_for

RNG = np.random.default_rng(0)
CASES = [
    (*RNG.integers(1, 200, 2), RNG.integers(multiple, 20 * multiple), multiple)
    for multiple in (1, 2, 4)
    for _ in range(20)
]


@pytest.mark.parametrize(("height", "width", "side", "multiple"), CASES)
def test_the_parts_are_about_equal_and_cover_each_pixel_once(height, width, side, multiple):
    parts = Window(0, height, 0, width).split(side, multiple=multiple)
    covered = np.zeros((height, width), int)
    for part in parts:
        covered[part.slices] += 1
        assert not part.top % multiple and not part.left % multiple
    assert (covered == 1).all()
    for lengths in ({p.height for p in parts}, {p.width for p in parts}):
        assert max(lengths) <= side
        assert max(lengths) - min(lengths) < 2 * multiple  # whole multiples, and a rest at the end


def test_parts_are_no_more_than_needed_and_in_the_order_of_reading():
    assert Window(0, 10, 0, 21).split(10, multiple=1) == [
        Window(0, 10, 0, 7),
        Window(0, 10, 7, 14),
        Window(0, 10, 14, 21),
    ]
    assert Window(8, 16, 4, 12).split(4, multiple=4) == [
        Window(8, 12, 4, 8),
        Window(8, 12, 8, 12),
        Window(12, 16, 4, 8),
        Window(12, 16, 8, 12),
    ]


def test_a_window_grows_as_far_as_the_image_goes():
    image = Window(0, 100, 0, 50)
    assert Window(10, 20, 30, 40).grown(5, within=image) == Window(5, 25, 25, 45)
    assert Window(3, 98, 3, 48).grown(5, within=image) == image


def test_a_window_is_found_again_in_the_enlargement_of_another():
    inner, outer = Window(10, 20, 30, 41), Window(5, 25, 24, 50)
    pixels = np.arange(50 * 100).reshape(50, 100)
    expected = pixels[inner.slices].repeat(2, 0).repeat(2, 1)
    enlarged = pixels[outer.slices].repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(enlarged[inner.seen_from(outer).scaled(2).slices], expected)


def test_tiles_become_as_large_as_they_may_with_their_overlap():
    image = Window(0, 60, 0, 100)

    def side(pixels):
        return side_for(image, pixels, overlap=5, multiple=4, smallest=8)

    assert side(6000) == 100
    # Two columns of two rows: 52 and 5 more pixels wide, 32 and 5 more high
    assert side(57 * 37) == 52
    assert side(57 * 37 - 1) == 36
    assert side(1) == 8
