"""A row for each run: the settings in which it differs, its metrics, its cost."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reporting.differences import ABSENT, Difference, find_differences
from reporting.metrics import best_value, common_baseline, metric_label, metric_text
from reporting.runs import Run

NOTHING = "-"


class Column(NamedTuple):
    """Cells from top to bottom, as they are read and in full; without a label only the latter."""

    key: str
    label: str | None
    texts: list[str]
    values: list[str]
    is_number: bool = True


def as_markdown(runs: Sequence[Run], metrics: Sequence[str]) -> str:
    """Aligned as plain text too; below the table what has to be known to read it."""
    columns = [column for column in _columns(runs, metrics) if column.label is not None]
    return "\n".join([*_aligned(columns), "", *_notes(runs)])


def as_csv(runs: Sequence[Run], metrics: Sequence[str]) -> str:
    """The same at full precision, the settings under their full keys."""
    columns = _columns(runs, metrics)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([column.key for column in columns])
    writer.writerows(zip(*(column.values for column in columns), strict=True))
    return file.getvalue()


def duration(seconds: float) -> str:
    """`1 h 23 min`."""
    if round(seconds) < 60:
        return f"{round(seconds)} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min"


def _columns(runs: Sequence[Run], metrics: Sequence[str]) -> list[Column]:
    names = [run.name for run in runs]
    # In `iterations` they differ in that column anyway
    different = [d for d in find_differences([r.settings for r in runs]) if d.key != "iterations"]
    columns = [
        Column("run", "run", names, list(names), is_number=False),
        *(_setting(difference) for difference in different),
        *(_metric(name, runs) for name in metrics),
        *_costs(runs),
    ]
    baseline = common_baseline(runs)
    if baseline:
        _put_first("bicubic", baseline, columns)
    return columns


def _setting(difference: Difference) -> Column:
    values = [
        "" if value is ABSENT else value if isinstance(value, str) else json.dumps(value)
        for value in difference.values
    ]
    return Column(difference.key, difference.label, difference.texts(), values, is_number=False)


def _metric(name: str, runs: Sequence[Run]) -> Column:
    scores = [run.metrics.get(name) for run in runs]
    best = best_value(name, [score for score in scores if score is not None])
    if common_baseline(runs) is None:  # of other images
        best = None

    def text(score: float) -> str:
        return f"**{metric_text(name, score)}**" if score == best else metric_text(name, score)

    return _numbers(name, metric_label(name), scores, text)


def _costs(runs: Sequence[Run]) -> list[Column]:
    done = [
        f"{run.iterations:,} of {run.planned:,}" if run.is_unfinished else f"{run.iterations:,}"
        for run in runs
    ]
    timed = [run.timed for run in runs]
    seconds = [spent or None for _, spent in timed]
    speeds = [iterations / spent if spent else None for iterations, spent in timed]
    return [
        Column("iterations", "iterations", done, [str(run.iterations) for run in runs]),
        Column("iterations_planned", None, list(done), [str(run.planned) for run in runs]),
        _numbers("training_seconds", "training time", seconds, duration),
        _numbers("iterations_per_second", "iterations/s", speeds, "{:.3g}".format),
    ]


def _numbers(
    key: str, label: str, values: Sequence[float | None], text: Callable[[float], str]
) -> Column:
    return Column(
        key,
        label,
        [NOTHING if value is None else text(value) for value in values],
        ["" if value is None else repr(value) for value in values],
    )


def _put_first(name: str, metrics: Mapping[str, float], columns: Sequence[Column]) -> None:
    """Give every column a cell at the top, for what is no run but has metrics."""
    for column in columns:
        value = metrics.get(column.key)
        text, exact = (NOTHING, "")
        if column.key == "run":
            text = exact = name
        elif value is not None:
            text, exact = metric_text(column.key, value), repr(value)
        column.texts.insert(0, text)
        column.values.insert(0, exact)


def _aligned(columns: Sequence[Column]) -> Iterator[str]:
    padded = []
    for label, column in [(column.label or "", column) for column in columns]:
        cells = [text.replace("|", "\\|") for text in (label, *column.texts)]
        width = max(3, *map(len, cells))
        if column.is_number:
            rule, cells = "-" * (width - 1) + ":", [cell.rjust(width) for cell in cells]
        else:
            rule, cells = "-" * width, [cell.ljust(width) for cell in cells]
        padded.append([cells[0], rule, *cells[1:]])
    for line in zip(*padded, strict=True):
        yield f"| {' | '.join(line)} |"


def _notes(runs: Sequence[Run]) -> Iterator[str]:
    sets = dict.fromkeys(str(r.settings.get("validation_set")) for r in runs if r.validation)
    if common_baseline(runs) is None:
        yield (
            f"The runs were validated on different images ({', '.join(sets)}): their metrics "
            "cannot be compared, and none is marked as the best."
        )
    elif sets:
        yield f"Metrics: of each run's last validation, on {', '.join(sets)}."
    if any(run.speed for run in runs):
        yield "Times and speeds: without validation and the writing of checkpoints."
