"""The CSV files in which a run keeps its numbers: `train/pixel` is the column `pixel` of train.csv.

Numbers are written in full, so that two runs which computed the same have the same files.
"""

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from esrgan.files import refusals_name, write_whole

LOGS = ("train", "val", "speed")

_FIX = "correct the line, or move the file away"

Line = dict[str, float]
"""The numbers of one line by their column, `iteration` among them; empty cells are left out."""


class CSVLogs:
    """Writes the logs of a run, which a continued run goes on with: no gap, no line twice.

    Args:
        folder: of the run; made if it is not there.
        first: lines from this iteration on, which an interrupted run left, are removed.
    """

    def __init__(self, folder: Path, *, first: int) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for path in self._existing():
            header, rows = _read_cells(path)
            _write_cells(path, header, [row for row in rows if int(row["iteration"]) < first])

    def write(self, values: Mapping[str, float], *, iteration: int) -> None:
        """Add a line to the log of each group, `GROUP/COLUMN`, that the values are of."""
        groups: dict[str, dict[str, str]] = {}
        for name, value in values.items():
            group, _, column = name.partition("/")
            groups.setdefault(group, {"iteration": str(iteration)})[column] = repr(float(value))
        for group, row in groups.items():
            _append(self._folder / f"{group}.csv", row)

    def flush(self) -> None:
        """Have what was written survive a power failure."""
        for path in self._existing():
            with refusals_name(path), path.open("ab") as file:
                os.fsync(file.fileno())

    def _existing(self) -> list[Path]:
        paths = (self._folder / f"{name}.csv" for name in LOGS)
        return [path for path in paths if path.exists()]


def read_log(path: Path) -> list[Line]:
    """The lines of a log, without a last one that was cut short; none where there is no file.

    Raises:
        ValueError: another line is broken.
    """
    lines = (_numbers(row) for row in _read_cells(path)[1])
    return [line for line in lines if line is not None]


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


def _numbers(row: Mapping[str, str]) -> Line | None:
    try:
        line = {column: float(cell) for column, cell in row.items() if cell != ""}
    except (TypeError, ValueError):  # too few cells, too many, or not numbers
        return None
    return line if line.get("iteration", 0.5).is_integer() else None


def _append(path: Path, row: Mapping[str, str]) -> None:
    if not path.exists():
        _write_cells(path, list(row), [])
    with path.open(newline="", encoding="utf-8") as file:
        header = next(csv.reader(file))
    if not set(row) <= set(header):  # a new metric: earlier lines leave its column empty
        header += [column for column in row if column not in header]
        _write_cells(path, header, _read_cells(path)[1])
    with refusals_name(path), path.open("a", newline="", encoding="utf-8") as file:
        csv.DictWriter(file, header).writerow(row)


def _read_cells(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The header and the lines as they are written; what is broken is as for `read_log`."""
    if not path.exists():
        return ["iteration"], []
    text = path.read_text(encoding="utf-8", errors="replace")
    complete, end, _ = text.rpartition("\n")  # half a number is a number too: the line's end tells
    lines = f"{complete}{end}".splitlines()
    reader = csv.DictReader(lines)
    try:
        rows = list(reader)
    except csv.Error as error:  # a NUL, or a cell without end
        raise ValueError(f"{path} is broken: {error}: {_FIX}") from error
    broken = [number for number, row in enumerate(rows) if _numbers(row) is None]
    if lines and re.search("[\0\ufffd]", lines[0]):  # the second stands for what is not UTF-8
        broken = [-1]
    if rows and broken == [len(rows) - 1]:
        del rows[-1]
    elif broken:
        number = broken[0] + 2
        raise ValueError(f"{path} is broken in line {number}: {lines[number - 1]!r}: {_FIX}")
    return list(reader.fieldnames or ["iteration"]), rows


def _write_cells(path: Path, header: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    text = io.StringIO(newline="")
    lines = csv.DictWriter(text, header)
    lines.writeheader()
    lines.writerows(rows)
    write_whole(path, text.getvalue().encode(), overwrite=True)
