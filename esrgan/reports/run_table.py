"""A row for each run: the settings in which it differs, its metrics, its cost."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from esrgan.errors import suggestion
from esrgan.evaluation import METRICS, Metric
from esrgan.reports.differences import ABSENT, Difference, find_differences
from esrgan.reports.tables import markdown_table
from esrgan.runs import RunRecord, in_words


class Cell(NamedTuple):
    """What it says to a reader, and in full."""

    text: str
    exact: str


NOTHING = Cell("-", "")


class Column(NamedTuple):
    """A cell for each run, and one for bicubic interpolation; without a label only in the CSV."""

    key: str
    label: str
    cells: Sequence[Cell]
    baseline: Cell = NOTHING
    is_number: bool = True


def choose_metrics(runs: Sequence[RunRecord], asked: Sequence[str] | None) -> list[str]:
    """The metrics asked for, by default all; a ValueError where no run was validated by one."""
    known = {name.upper(): name for run in runs for name in run.metrics}
    for name in asked or ():
        if name.upper() not in known:
            hint = suggestion(name.upper(), known) if known else "none of them was validated yet"
            raise ValueError(f"--metrics: {name} is not a metric of these runs: {hint}")
    return list(dict.fromkeys(known[name.upper()] for name in asked or known))


def common_baseline(runs: Sequence[RunRecord]) -> Mapping[str, float] | None:
    """What bicubic interpolation reaches; None where it differs: so do the validation images."""
    baselines = [run.bicubic for run in runs if run.bicubic]
    merged = {name: value for one in baselines for name, value in one.items()}
    same = all(
        math.isclose(one[name], merged[name], rel_tol=1e-6) for one in baselines for name in one
    )
    return merged if same else None


def best_value(metric: Metric, values: Sequence[float]) -> float | None:
    """Of several; a single one is not the best of anything."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return None
    return min(finite, key=metric.cost)


def as_markdown(runs: Sequence[RunRecord], metrics: Sequence[str]) -> str:
    """Aligned as plain text too; below the table what has to be known to read it."""
    columns = [column for column in _columns(runs, metrics) if column.label]
    header = [column.label for column in columns]
    rows = list(zip(*([cell.text for cell in column.cells] for column in columns), strict=True))
    words = [number for number, column in enumerate(columns) if not column.is_number]
    return "\n".join([markdown_table(header, rows, words=words), "", *_notes(runs)])


def as_csv(runs: Sequence[RunRecord], metrics: Sequence[str]) -> str:
    """The same at full precision, the settings under their full keys."""
    columns = _columns(runs, metrics)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([column.key for column in columns])
    writer.writerows(zip(*([c.exact for c in column.cells] for column in columns), strict=True))
    return file.getvalue()


def duration(seconds: float) -> str:
    """`1 h 23 min`."""
    if round(seconds) < 60:
        return f"{round(seconds)} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min"


def _columns(runs: Sequence[RunRecord], metrics: Sequence[str]) -> list[Column]:
    """With the baseline as the first row, if there is one."""
    names = [Cell(run.name, run.name) for run in runs]
    # In `iterations` they differ in that column anyway
    different = [d for d in find_differences([r.settings for r in runs]) if d.key != "iterations"]
    baseline = common_baseline(runs)
    columns = [
        Column("run", "run", names, Cell("bicubic", "bicubic"), is_number=False),
        *(_setting(difference) for difference in different),
        *(_metric(name, runs, baseline) for name in metrics),
        *_costs(runs),
    ]
    if not baseline:
        return columns
    return [column._replace(cells=[column.baseline, *column.cells]) for column in columns]


def _setting(difference: Difference) -> Column:
    exact = [
        "" if value is ABSENT else value if isinstance(value, str) else json.dumps(value)
        for value in difference.values
    ]
    cells = list(map(Cell, difference.texts(), exact))
    return Column(difference.key, difference.label, cells, is_number=False)


def _metric(name: str, runs: Sequence[RunRecord], baseline: Mapping[str, float] | None) -> Column:
    """The best is marked, unless the values are of other images or nobody knows what is better."""
    metric = METRICS.get(name)
    write = metric.text if metric else "{:.4f}".format
    values = [run.metrics.get(name) for run in runs]
    best = None
    if metric and baseline is not None:
        best = best_value(metric, [value for value in values if value is not None])

    def mark(value: float) -> str:
        return f"**{write(value)}**" if value == best else write(value)

    of_baseline = _number((baseline or {}).get(name), write)
    return Column(name, name, [_number(value, mark) for value in values], of_baseline)


def _costs(runs: Sequence[RunRecord]) -> list[Column]:
    done, planned, seconds, speeds = [], [], [], []
    for run in runs:
        text = f"{run.iterations:,}" + (f" of {run.planned:,}" if run.is_unfinished else "")
        done.append(Cell(text, str(run.iterations)))
        planned.append(Cell(text, str(run.planned)))
        timed, spent = run.timed
        seconds.append(_number(spent or None, duration))
        speeds.append(_number(timed / spent if spent else None, "{:.3g}".format))
    return [
        Column("iterations", "iterations", done),
        Column("iterations_planned", "", planned),
        Column("training_seconds", "training time", seconds),
        Column("iterations_per_second", "iterations/s", speeds),
    ]


def _number(value: float | None, write: Callable[[float], str]) -> Cell:
    return NOTHING if value is None else Cell(write(value), repr(value))


def _notes(runs: Sequence[RunRecord]) -> Iterator[str]:
    sets = dict.fromkeys(str(r.settings.get("validation_set")) for r in runs if r.validation)
    if common_baseline(runs) is None:
        yield (
            f"The runs were validated on different images ({', '.join(sets)}): their metrics "
            "cannot be compared, and none is marked as the best."
        )
    elif sets:
        yield f"Metrics: of each run's last validation, on {', '.join(sets)}."
    for run in runs:
        for change in in_words(run.history):
            yield f"{run.name}: {change}."
    if any(run.speed for run in runs):
        yield "Times and speeds: without validation and the writing of checkpoints."
