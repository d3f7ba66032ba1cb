"""The folders of runs, found and read."""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reporting.logs import Line, read_log, training_time

SETTINGS = "settings.json"


@dataclass(frozen=True)
class Run:
    """What a run's folder says. `name` is short, and unique among the runs of a report."""

    name: str
    folder: Path
    settings: Mapping[str, Any]
    train: Sequence[Line]
    validation: Sequence[Line]
    speed: Sequence[Line]

    @property
    def planned(self) -> int:
        """The iterations it is to have in the end."""
        return int(self.settings["iterations"])

    @property
    def iterations(self) -> int:
        """How many it had when it last wrote to a log."""
        return max(
            (int(log[-1]["iteration"]) for log in (self.train, self.validation) if log), default=0
        )

    @property
    def is_unfinished(self) -> bool:
        return self.iterations < self.planned

    @property
    def metrics(self) -> Mapping[str, float]:
        """Of its last validation."""
        last = self.validation[-1] if self.validation else {}
        return {
            name: value
            for name, value in last.items()
            if name != "iteration" and not name.startswith("bicubic_")
        }

    @property
    def bicubic(self) -> Mapping[str, float]:
        """What bicubic interpolation reaches on the images of its validation."""
        last = self.validation[-1] if self.validation else {}
        return {
            name.removeprefix("bicubic_"): value
            for name, value in last.items()
            if name.startswith("bicubic_")
        }

    @property
    def timed(self) -> tuple[int, float]:
        """The iterations that were timed, and the seconds they took."""
        return training_time(self.speed, batch_size=int(self.settings["batch_size"]))


def find_runs(folders: Iterable[Path]) -> list[Run]:
    """The runs in and below the folders, below each in natural order, none of them twice.

    Raises:
        ValueError: names every folder without a run and every run that cannot be read.
    """
    found: dict[Path, None] = {}
    problems = []
    for folder in folders:
        # A run that lost its settings is to be named, not passed over: a log gives it away
        files = [file for name in (SETTINGS, "train.csv") for file in folder.rglob(name)]
        if not files:
            why = f"no {SETTINGS} is in it or below it" if folder.is_dir() else "it is not there"
            problems.append(f"{folder} holds no run ({why})")
        inside = {file.parent for file in files}
        found |= dict.fromkeys(run.resolve() for run in sorted(inside, key=_natural))
    runs = []
    common = os.path.commonpath([folder.parent for folder in found]) if found else ""
    for folder in found:
        try:
            runs.append(_read(folder, folder.relative_to(common).as_posix()))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("; ".join(problems))
    return runs


def _read(folder: Path, name: str) -> Run:
    logs = {log: read_log(folder / f"{log}.csv") for log in ("train", "val", "speed")}
    return Run(
        name=name,
        folder=folder,
        settings=_read_settings(folder / SETTINGS),
        train=logs["train"],
        validation=logs["val"],
        speed=logs["speed"],
    )


def _read_settings(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        raise ValueError(f"{path} is missing")
    try:
        settings: object = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is broken: {error}") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{path} is broken: it has no settings by name")
    for key in ("iterations", "batch_size"):
        if not isinstance(settings.get(key), int):
            raise ValueError(f"{path} is broken: it has no {key}")
    return settings


def _natural(path: Path) -> list[str | float]:
    """For sorting: numbers by their value. After a `=` they may have a fraction and an exponent."""
    parts = re.split(r"((?<==)\d+(?:\.\d+)?(?:e[+-]?\d+)?|\d+)", str(path))
    return [float(part) if index % 2 else part for index, part in enumerate(parts)]
