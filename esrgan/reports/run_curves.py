"""How validation and losses of runs went, over the iterations."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from esrgan.reports.plot import Curve, Panel
from esrgan.reports.run_table import common_baseline
from esrgan.runs import Line, RunRecord

MOST_POINTS = 100
_NOT_LOSSES = ("iteration", "learning_rate", "gradient_norm", "skipped")
_LARGE_FACTOR = 4  # between the values of a loss: from here on their axis is logarithmic


def curve_panels(runs: Sequence[RunRecord], metrics: Sequence[str]) -> list[Panel]:
    """One for each metric, one for each figure of the training that several of the runs have."""
    columns = dict.fromkeys(column for run in runs for line in run.train for column in line)
    losses = [c for c in columns if not any(word in c for word in _NOT_LOSSES)]
    of_losses = [_loss_panel(runs, name) for name in losses]
    of_metrics = [_metric_panel(runs, name) for name in metrics]
    return [
        *(panel for panel in of_metrics if panel.curves),
        *(panel for panel in of_losses if len(panel.curves) >= min(2, len(runs))),
    ]


def smoothed(curve: Curve) -> Curve:
    """Means of neighbouring points, equally many for each, if there are more than can be seen."""
    count = -(-len(curve) // MOST_POINTS)
    groups = [curve[start : start + count] for start in range(0, len(curve), max(count, 1))]
    return [(fmean(x for x, _ in group), fmean(y for _, y in group)) for group in groups]


def _metric_panel(runs: Sequence[RunRecord], name: str) -> Panel:
    baseline = common_baseline(runs) or {}
    curves = _curves({run.name: run.validation for run in runs}, name)
    levels = {"bicubic": baseline[name]} if name in baseline else {}
    return Panel(name, "iteration", "", curves, levels)


def _loss_panel(runs: Sequence[RunRecord], name: str) -> Panel:
    whole = _curves({run.name: run.train for run in runs}, name)
    curves = {run: smoothed(curve) for run, curve in whole.items()}
    values = [value for curve in curves.values() for _, value in curve]
    title = f"training: {name.replace('_', ' ')}"
    is_wide = 0 < _LARGE_FACTOR * min(values) < max(values)
    return Panel(title, "iteration", "", curves, logarithmic=is_wide)


def _curves(logs: Mapping[str, Sequence[Line]], column: str) -> dict[str, Curve]:
    """Of the runs that have the column."""
    curves = {
        run: [(line["iteration"], line[column]) for line in log if column in line]
        for run, log in logs.items()
    }
    return {run: curve for run, curve in curves.items() if curve}
