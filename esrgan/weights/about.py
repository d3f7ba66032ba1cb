"""What goes along with weights: how they came to be, without a word on where.

All of it is text, as the metadata of .safetensors and .onnx is; what has a structure is JSON.
"""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from esrgan import __version__
from esrgan.weights.files import read_content

NO_RECIPE = (
    "checkpoints",
    "log_every",
    "logger",
    "name",
    "resume",
    "trainer",
    "train_set",
    "validation",
    "validation_set",
    "verify",
    # said again where they are used, under training
    "adversarial",
    "discriminator",
    "schedule",
)
"""Settings that do not shape the weights, or that are the user's own affair."""

MACHINE = ("num_workers", "start_method")


def read_metadata(path: Path) -> dict[str, str]:
    """What a file of weights says about itself; of a run's checkpoint, what a release would say.

    Raises:
        WeightsError: the file cannot be read.
    """
    file = read_content(path)
    settings, iteration = file.content.get("settings"), file.content.get("iteration")
    if isinstance(settings, Mapping) and isinstance(iteration, int):
        return run_metadata(path.resolve().parent.parent, file.content)
    stored = file.metadata if isinstance(file.metadata, Mapping) else {}
    return {str(key): str(value) for key, value in stored.items() if key != "format"}


def run_metadata(run: Path, checkpoint: Mapping[str, Any]) -> dict[str, str]:
    """Recipe, metrics and version of a run, as of a checkpoint's iteration.

    Args:
        run: its folder, with `val.csv` if it was validated.
        checkpoint: the content of one of its checkpoints.
    """
    iteration, settings = checkpoint["iteration"], checkpoint["settings"]
    about = {"run": run.name, "iterations": str(iteration), "esrgan": __version__}
    about["recipe"] = json.dumps(training_recipe(settings))
    metrics = _newest_metrics(run / "val.csv", iteration)
    return about | ({"metrics": json.dumps(metrics)} if metrics else {})


def training_recipe(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that shape a training, without folders and paths.

    Of the file that the training began with, the name stays.
    """
    private = {settings.get("train_set"), settings.get("validation_set")} - {None}
    kept = {key: value for key, value in settings.items() if key not in NO_RECIPE}
    start = kept.pop("init_from", None)
    recipe: dict[str, Any] = _without_paths(kept, private)
    return recipe | ({"init_from": Path(start).name} if start else {})


def _without_paths(value: Any, private: set[Any]) -> Any:  # noqa: ANN401 # any setting
    """A setting without the parts of it that are paths."""
    if isinstance(value, Mapping):
        kept = {key: child for key, child in value.items() if key not in MACHINE}
        return {k: _without_paths(v, private) for k, v in kept.items() if not _is_path(v, private)}
    if isinstance(value, list | tuple):
        return [_without_paths(child, private) for child in value if not _is_path(child, private)]
    return value


def _is_path(value: Any, private: set[Any]) -> bool:  # noqa: ANN401 # any setting
    return isinstance(value, str) and (value in private or "/" in value or "\\" in value)


def _newest_metrics(path: Path, iteration: int) -> dict[str, float]:
    """Those of the last line that is no newer than the weights, and its iteration."""
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        whole = [row for row in csv.DictReader(file) if None not in row.values()]
    rows = [row for row in whole if int(row["iteration"]) <= iteration]
    if not rows:
        return {}
    measured = int(rows[-1].pop("iteration"))
    metrics = {name: float(value) for name, value in rows[-1].items() if value}
    return {"iteration": measured, **metrics}
