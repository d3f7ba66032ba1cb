"""Metrics as CSV files that a continued run goes on with, without a gap or a doubled line."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only


class CSVLogger(Logger):
    """One file per group of metrics: `train/pixel` is the column `pixel` of `train.csv`.

    Numbers are written in full, so that two runs which computed the same have the same files.

    Args:
        save_dir: where the files are; made if it is not there.
        purge_step: lines from this iteration on, which an interrupted run left, are removed (the
            name is TensorBoard's for the same thing).
    """

    def __init__(self, *, save_dir: str | Path, purge_step: int) -> None:
        super().__init__()
        self.folder = Path(save_dir)
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob("*.csv"):
            header, rows = _read(path)
            _write(path, header, [row for row in rows if int(row["iteration"]) < purge_step])

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        groups: dict[str, dict[str, Any]] = {}
        for name, value in metrics.items():
            group, _, column = name.partition("/")
            groups.setdefault(group, {"iteration": step})[column] = repr(float(value))
        for group, row in groups.items():
            self._append(self.folder / f"{group}.csv", row)

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run folder holds the whole configuration."""

    @rank_zero_only
    def save(self) -> None:
        """Have what was logged survive a power failure."""
        for path in self.folder.glob("*.csv"):
            with path.open("a") as file:
                os.fsync(file.fileno())

    def _append(self, path: Path, row: dict[str, Any]) -> None:
        if not path.exists():
            _write(path, list(row), [])
        with path.open(newline="") as file:
            header = next(csv.reader(file))
        if not set(row) <= set(header):  # a new metric: earlier lines leave its column empty
            header += [column for column in row if column not in header]
            _write(path, header, _read(path)[1])
        with path.open("a", newline="") as file:
            csv.DictWriter(file, header).writerow(row)


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    with path.open(newline="") as file:
        lines = csv.DictReader(file)
        rows = [row for row in lines if None not in row.values()]  # a line cut short by a crash
        return list(lines.fieldnames or ["iteration"]), rows


def _write(path: Path, header: list[str], rows: list[dict[str, str]]) -> None:
    temporary = path.with_suffix(".csv.tmp")
    with temporary.open("w", newline="") as file:
        lines = csv.DictWriter(file, header)
        lines.writeheader()
        lines.writerows(rows)
    temporary.replace(path)
