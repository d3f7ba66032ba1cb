"""Curves as a picture."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Pillow

from esrgan.types import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL_INCHES = (6.4, 4.0)
_LEGEND_LINE_INCHES = 0.24
_LETTERS_PER_INCH = 12  # of a legend
_DOTS_PER_INCH = 150
_FEW_POINTS = 30  # each of so few is marked
_NUM_COLOURS = 10  # beyond these the lines are broken
_DASHES = ("-", "--", ":", "-.")

Curve = Sequence[tuple[float, float]]
"""Points (x, y)."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    x_label: str
    y_label: str
    curves: Mapping[str, Curve]
    levels: Mapping[str, float] = field(default_factory=dict)  # grey lines with their names
    logarithmic: bool = False  # for values of y, all above 0, that differ by a large factor


def plot_panels(panels: Sequence[Panel]) -> Image:
    """The panels, two in a row. A name has the same colour in all; one legend serves all.

    Raises:
        ValueError: there is no panel, or matplotlib, which is optional, is not installed.
    """
    if not panels:
        raise ValueError("there is nothing to plot: give at least one panel")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ValueError("curves need matplotlib: pip install 'esrgan[plots]'") from error
    names = list(dict.fromkeys(name for panel in panels for name in panel.curves))
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    width = columns * _PANEL_INCHES[0]
    in_a_line = max(1, int(width * _LETTERS_PER_INCH) // (6 + max(map(len, names), default=0)))
    height = rows * _PANEL_INCHES[1] + -(-len(names) // in_a_line) * _LEGEND_LINE_INCHES
    figure = Figure((width, height), dpi=_DOTS_PER_INCH, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for number, panel in enumerate(panels, start=1):
        _draw(figure.add_subplot(rows, columns, number), panel, names)
    lines = {line.get_label(): line for axes in figure.axes for line in axes.get_lines()}
    if len(names) > 1:
        figure.legend(
            [lines[name] for name in names], names, loc="outside lower center", ncols=in_a_line
        )
    buffer = io.BytesIO()
    canvas.print_png(buffer)  # type: ignore[no-untyped-call] # matplotlib's
    return np.asarray(Pillow.open(buffer).convert("RGB"), dtype=np.uint8)


def _draw(axes: "Axes", panel: Panel, names: Sequence[str]) -> None:
    from matplotlib import ticker

    for name, points in panel.curves.items():
        index = names.index(name)
        axes.plot(
            *zip(*points, strict=True),
            label=name,
            color=f"C{index % _NUM_COLOURS}",
            linestyle=_DASHES[index // _NUM_COLOURS % len(_DASHES)],
            marker="." if len(points) < _FEW_POINTS else "",
        )
    for name, level in panel.levels.items():
        axes.axhline(level, color="0.5", linestyle="--", linewidth=1)
        place = axes.get_yaxis_transform()
        axes.text(0.99, level, name, transform=place, ha="right", va="bottom", color="0.4")
    axes.set(title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    if panel.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
