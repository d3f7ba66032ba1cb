import sys

import numpy as np
import pytest

from esrgan.reports.plot import Panel, plot_panels

BLUE, ORANGE = (31, 119, 180), (255, 127, 14)  # the first two of matplotlib's colours


def pixels(picture, colour):
    """Rows and columns of the pixels that have a colour."""
    return np.nonzero((picture == colour).all(axis=2))


def test_a_curve_keeps_its_colour_in_every_panel():
    one = Panel("one", "x", "y", {"a": [(0, 0), (1, 1)], "b": [(0, 1), (1, 0)]})
    other = Panel("other", "x", "y", {"b": [(0, 0), (1, 1)]})
    picture = plot_panels([one, other])
    right = picture[: int(picture.shape[0] * 0.85), picture.shape[1] // 2 :]  # without the legend
    assert len(pixels(right, ORANGE)[0]) > 100
    assert len(pixels(right, BLUE)[0]) == 0


def test_a_long_legend_makes_the_picture_higher_not_the_panels_smaller():
    few = {"a": [(0, 0), (1, 1)], "b": [(0, 1), (1, 0)]}
    many = few | {f"a long name of a run, number {n}": [(0, 0)] for n in range(30)}
    plain, high = (plot_panels([Panel("", "x", "y", curves)]) for curves in (few, many))
    assert high.shape[0] > plain.shape[0]
    heights = [np.ptp(pixels(picture, BLUE)[0]) for picture in (plain, high)]
    assert heights[1] > 0.9 * heights[0]


def test_on_a_logarithmic_axis_powers_lie_on_a_straight_line():
    points = [(x, 10.0**x) for x in range(40)]
    heights = []
    for logarithmic in (True, False):
        picture = plot_panels([Panel("", "x", "y", {"a": points}, logarithmic=logarithmic)])
        rows, columns = pixels(picture, BLUE)
        middle = rows[columns == (columns.min() + columns.max()) // 2].mean()
        heights.append((rows.max() - middle) / np.ptp(rows))
    assert heights[0] == pytest.approx(0.5, abs=0.02)
    assert heights[1] < 0.05


def test_a_level_lies_within_the_panel_even_beyond_the_curves():
    curves = {"a": [(0, 1.0), (1, 1.01)]}
    without = plot_panels([Panel("", "x", "y", curves)])
    below = plot_panels([Panel("", "x", "y", curves, levels={"bicubic": 0.0})])
    assert np.ptp(pixels(without, BLUE)[0]) > 10 * np.ptp(pixels(below, BLUE)[0])
    assert pixels(below, BLUE)[0].max() < below.shape[0] / 2


def test_nothing_to_plot_and_a_missing_matplotlib_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="nothing to plot"):
        plot_panels([])
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ValueError, match="pip install"):
        plot_panels([Panel("", "x", "y", {"a": [(0, 0)]})])
