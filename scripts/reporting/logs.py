"""The CSV files in which a run keeps its numbers."""

import csv
from collections.abc import Sequence
from pathlib import Path

Line = dict[str, float]
"""The numbers of one line by their column, `iteration` among them; empty cells are left out."""


def read_log(path: Path) -> list[Line]:
    """The lines of a log, without a last one that was cut short; none where there is no file.

    Raises:
        ValueError: another line is broken.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    complete, end, _ = text.rpartition("\n")  # half a number is a number too: the line's end tells
    rows = list(csv.DictReader(f"{complete}{end}".splitlines()))
    lines = [_numbers(row) for row in rows]
    if lines and lines[-1] is None:
        del lines[-1]
    whole = [line for line in lines if line is not None]
    if len(whole) < len(lines):
        number = lines.index(None) + 2
        raise ValueError(f"{path} is broken in line {number}: {text.splitlines()[number - 1]!r}")
    return whole


def training_time(speed: Sequence[Line], *, batch_size: int) -> tuple[int, float]:
    """The iterations that were timed, and the seconds they took.

    A line tells how many samples per second there were since the line before it. Validation and
    the writing of checkpoints are not in it.
    """
    seconds, previous = 0.0, 0
    for line in speed:
        iteration = int(line["iteration"])
        seconds += batch_size * (iteration - previous) / line["samples_per_second"]
        previous = iteration
    return previous, seconds


def _numbers(row: dict[str, str]) -> Line | None:
    try:
        line = {column: float(cell) for column, cell in row.items() if cell != ""}
    except (TypeError, ValueError):  # too few cells, too many, or not numbers
        return None
    return line if "iteration" in line else None
