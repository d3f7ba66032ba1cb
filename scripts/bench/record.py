"""Measurements of a machine, kept beside those of before: a file each, that only grows."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from bench.result import Cell, Table

COLUMNS = (
    "date",
    "machine",
    "instructions",
    "threads",
    "load before",
    "torch",
    "esrgan",
    "precision",
    "table",
    "form",
    "s",
    "median",
    "× as fast",
    "GFLOP/s",
    "share of the roof",
    "waits for data",
    "MiB",
)
_QUIET = 0.5  # of the load before: with more, others had a share of the machine


def record(folder: Path, machine: Mapping[str, str], tables: Iterable[Table]) -> Path:
    """Append the rows that have seconds to the machine's own file, which is made if need be.

    Raises:
        ValueError: the file has other columns: it is of another version.
    """
    path = folder / f"{file_name(machine)}.csv"
    header = _line(COLUMNS)
    if path.exists():
        first = path.read_text(encoding="utf-8").partition("\n")[0] + "\n"
        if first != header:
            raise ValueError(
                f"{path} has other columns than this version writes: give it another name"
            )
        header = ""
    rows = [_row(machine, table, row) for table in tables for row in table.rows]
    lines = [_line([row[column] for column in COLUMNS]) for row in rows if row["s"]]
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(header + "".join(lines))
    return path


def file_name(machine: Mapping[str, str]) -> str:
    """The card's; without one, the processor's with its instructions."""
    words = f"{machine['CPU']} {machine['instructions']}"
    name = machine["GPU"] if machine["GPU"] != "none" else words
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def precision_of(form: str) -> str:
    """The number format that the name of a form has."""
    return next((word for word in ("bf16", "fp32") if word in form.replace("32-true", "fp32")), "")


def _row(machine: Mapping[str, str], table: Table, row: Mapping[str, Cell]) -> dict[str, str]:
    form = str(row.get("form") or row.get("store") or "")
    seconds = next((row[key] for key in row if key.startswith(("s per ", "ms per "))), None)
    if "ms per patch" in row and isinstance(seconds, float):
        seconds /= 1e3
    has_card = machine["GPU"] != "none"
    load = machine["load before"]
    shared = "" if float(load.split()[0]) < _QUIET else ": shared with other work"
    known: dict[str, Cell] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "machine": machine["GPU"] if has_card else machine["CPU"],
        "instructions": "" if has_card else machine["instructions"],
        "threads": machine["threads"],
        "load before": f"{load}{shared}",
        "torch": machine["torch"],
        "esrgan": machine["esrgan"],
        "precision": precision_of(form),
        "table": table.title,
        "form": form,
        "s": seconds,
    }
    return {column: _text(known.get(column, row.get(column))) for column in COLUMNS}


def _text(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:.4g}"
    return "" if cell is None else str(cell)


def _line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
