import re

import numpy as np
import pytest

from esrgan.reports.grid import Cell, draw_grid, enlarge_pixels
from esrgan.reports.preview_page import (
    PreviewSample,
    preview_sheet,
    steps_sheet,
    strength_lines,
    write_preview_page,
)

RED = np.full((64, 64, 3), (255, 0, 0), np.uint8)
SMALL = np.full((16, 16, 3), (0, 0, 255), np.uint8)


def has(image, colour):
    return (image == colour).all(axis=2)


def test_a_grid_has_its_pictures_in_rows():
    cells = [Cell(np.full((20, 30, 3), 10 * n, np.uint8), f"{n}\nsecond line") for n in range(5)]
    grid = draw_grid(cells, columns=2)
    places = [np.argwhere(has(grid, (10 * n,) * 3)) for n in range(1, 5)]
    tops, lefts = ([int(place[:, axis].min()) for place in places] for axis in (0, 1))
    assert lefts[0] == lefts[2] > lefts[1] == lefts[3]
    assert tops[0] < tops[1] == tops[2] < tops[3]
    with pytest.raises(ValueError, match="at least one"):
        draw_grid([], columns=2)


def test_a_sheet_shows_both_images_in_one_size():
    sheet = preview_sheet([PreviewSample("0: a", RED, SMALL, ["blur", "JPEG"])])
    assert has(sheet, (255, 0, 0)).sum() == has(sheet, (0, 0, 255)).sum() == 384**2


def test_images_between_the_steps_are_shown_in_the_size_of_the_first():
    large = np.full((90, 90, 3), (0, 255, 0), np.uint8)
    sheet = steps_sheet([("ground truth", RED), ("up", large), ("down", SMALL)])
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255)):
        assert has(sheet, colour).sum() == 64**2


def test_pixels_become_squares():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    large = enlarge_pixels(image, 3)
    assert large.shape == (6, 6, 3)
    assert np.array_equal(large[::3, ::3], image)


def test_strength_is_told_beside_what_is_known():
    text = strength_lines([20.0, 22.0, 24.0, 26.0, 28.0])
    assert re.search(r"\(5 samples\):\n  this +24.0 dB, a tenth below 20.8 dB\n  published", text)


def test_a_page_has_the_images_the_steps_and_the_strength(tmp_path):
    path = tmp_path / "page.html"
    samples = [PreviewSample("3: <b>", RED, SMALL, ["blur iso", "JPEG q 30"])]
    write_preview_page(path, title="a & b", samples=samples, strength=[20.0, 30.0])
    page = path.read_text()
    assert "a &amp; b" in page
    assert "3: &lt;b&gt;" in page
    assert page.count("data:image/webp;base64,") == 2
    assert "<li>JPEG q 30</li>" in page
    assert "25.0 dB" in page
    write_preview_page(tmp_path / "plain.html", title="t", samples=samples, strength=None)
    assert "How strong" not in (tmp_path / "plain.html").read_text()
    with pytest.raises(ValueError, match="not overwritten"):
        write_preview_page(path, title="t", samples=samples, strength=None)
