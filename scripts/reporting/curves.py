"""How validation and losses went, over the iterations."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from esrgan.evaluation import Panel
from reporting.logs import Line
from reporting.metrics import common_baseline, metric_label
from reporting.runs import Run

NOT_LOSSES = ("iteration", "learning_rate", "gradient_norm")
MOST_POINTS = 100
LARGE_FACTOR = 4  # between the values of one figure: from here on their axis is logarithmic

Curve = list[tuple[float, float]]


def curve_panels(runs: Sequence[Run], metrics: Sequence[str]) -> list[Panel]:
    """One for each metric, one for each figure of the training that several of the runs have."""
    columns = dict.fromkeys(column for run in runs for line in run.train for column in line)
    losses = [c for c in columns if not any(word in c for word in NOT_LOSSES)]
    shared = [
        panel
        for panel in (_loss_panel(runs, name) for name in losses)
        if len(panel.curves) >= min(2, len(runs))
    ]
    validation = [
        panel for panel in (_metric_panel(runs, name) for name in metrics) if panel.curves
    ]
    return [*validation, *shared]


def smoothed(curve: Curve) -> Curve:
    """Means of neighbouring points, equally many for each, if there are more than can be seen."""
    count = -(-len(curve) // MOST_POINTS)
    groups = [curve[start : start + count] for start in range(0, len(curve), max(count, 1))]
    return [(fmean(x for x, _ in group), fmean(y for _, y in group)) for group in groups]


def _metric_panel(runs: Sequence[Run], name: str) -> Panel:
    baseline = common_baseline(runs) or {}
    curves = {run.name: _curve(run.validation, name) for run in runs}
    levels = {"bicubic": baseline[name]} if name in baseline else {}
    return Panel(metric_label(name), "iteration", "", _drawn(curves), levels)


def _loss_panel(runs: Sequence[Run], name: str) -> Panel:
    curves = _drawn({run.name: smoothed(_curve(run.train, name)) for run in runs})
    values = [value for curve in curves.values() for _, value in curve]
    title = f"training: {name.replace('_', ' ')}"
    is_wide = 0 < LARGE_FACTOR * min(values) < max(values)
    return Panel(title, "iteration", "", curves, logarithmic=is_wide)


def _curve(log: Sequence[Line], name: str) -> Curve:
    return [(line["iteration"], line[name]) for line in log if name in line]


def _drawn(curves: Mapping[str, Curve]) -> dict[str, Curve]:
    return {name: curve for name, curve in curves.items() if curve}
