"""What runs have written, read to be compared."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esrgan.runs.folder import SETTINGS, RunFolder
from esrgan.runs.logs import Line, training_time
from esrgan.runs.settings import read_settings

_BASELINE = "bicubic_"


@dataclass(frozen=True)
class RunRecord:
    """What a run's folder says. `name` is short, and unique among those found together."""

    name: str
    folder: RunFolder
    settings: Mapping[str, Any]
    train: Sequence[Line]
    validation: Sequence[Line]
    speed: Sequence[Line]
    history: Sequence[Mapping[str, Any]] = ()
    """What of its settings was changed on its way."""

    @property
    def planned(self) -> int:
        """The iterations it is to have in the end."""
        return int(self.settings["iterations"])

    @property
    def iterations(self) -> int:
        """How many it had when it last wrote to a log."""
        logs = [log for log in (self.train, self.validation) if log]
        return max((int(log[-1]["iteration"]) for log in logs), default=0)

    @property
    def is_unfinished(self) -> bool:
        return self.iterations < self.planned

    @property
    def metrics(self) -> Mapping[str, float]:
        """Of its last validation."""
        return {n: v for n, v in self._last_validation.items() if not n.startswith(_BASELINE)}

    @property
    def bicubic(self) -> Mapping[str, float]:
        """What bicubic interpolation reaches on the images of its validation."""
        last = self._last_validation
        return {n.removeprefix(_BASELINE): last[n] for n in last if n.startswith(_BASELINE)}

    @property
    def timed(self) -> tuple[int, float]:
        """The iterations that were timed, and the seconds they took."""
        return training_time(self.speed, batch_size=int(self.settings["batch_size"]))

    @property
    def _last_validation(self) -> Line:
        last = self.validation[-1] if self.validation else {}
        return {name: value for name, value in last.items() if name != "iteration"}


def find_runs(folders: Iterable[Path]) -> list[RunRecord]:
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
    common = os.path.commonpath([path.parent for path in found]) if found else ""
    for path in found:
        try:
            runs.append(_read(RunFolder(path), path.relative_to(common).as_posix()))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("; ".join(problems))
    return runs


def _read(folder: RunFolder, name: str) -> RunRecord:
    logs = {"train": folder.log("train"), "validation": folder.log("val")}
    settings = read_settings(folder.settings)
    for key in ("iterations", "batch_size"):
        if not isinstance(settings.get(key), int):
            raise ValueError(f"{folder.settings} is broken: it has no {key}")
    logs |= {"speed": folder.log("speed")}
    history = folder.read_history()
    return RunRecord(name=name, folder=folder, settings=settings, history=history, **logs)


def _natural(path: Path) -> list[str | float]:
    """For sorting: numbers by their value. After a `=` they may have a fraction and an exponent."""
    parts = re.split(r"((?<==)\d+(?:\.\d+)?(?:e[+-]?\d+)?|\d+)", str(path))
    return [float(part) if index % 2 else part for index, part in enumerate(parts)]
