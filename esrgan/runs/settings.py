"""The settings of a run: their keys, what each has a say in, and the file that keeps them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from esrgan.files import write_whole

FORMAT = 2
"""Of the file. 1, which did not say so, had other names for some settings."""


@dataclass
class Settings:
    """The types of the top-level keys of `configs/train.yaml`, where their values are."""

    scale: int
    patch_size: int
    batch_size: int
    iterations: int
    seed: int
    train_set: str
    validation_set: str | None
    metrics: list[str]
    init_from: str | None
    init_partial: bool
    init_discriminator_from: str | None
    verify: bool
    name: str
    resume: bool | str
    allow_changes: bool
    restarts: int
    skip_bad_samples: bool
    longest_wait: float
    precision: str
    compile: bool | str
    cuda_graph: bool
    deterministic: bool
    log_every: int
    generator: dict[str, Any]
    discriminator: dict[str, Any]
    adversarial: dict[str, Any]
    degradations: dict[str, Any]
    prepare: dict[str, Any]
    data: dict[str, Any]
    schedule: dict[str, Any]
    training: dict[str, Any]
    validation: dict[str, Any] | None
    checkpoints: dict[str, Any]
    logger: dict[str, Any]
    trainer: dict[str, Any]


class Change(IntEnum):
    """What becomes of a run that is continued with another value of a setting."""

    FREE = 0
    """It goes on: nothing of what is computed depends on the value."""
    LONGER = 1
    """It goes on, if the number has grown; else it is as with FROM_HERE."""
    FROM_HERE = 2
    """It goes on and computes something else, but only if that is allowed, and tells of it."""
    NEVER = 3
    """It does not: the weights would not fit, or mean something else."""


class Say(NamedTuple):
    """What a setting has a say in.

    Attributes:
        change: in what a run computes, and so in whether it can be continued with another value.
            Rounding, which comes with other devices, does not count.
        comparison: in how runs differ, to whoever compares them.
        recipe: in what is told of a run along with its weights. Folders and paths are not: they are
            the user's own affair.
    """

    change: Change = Change.FROM_HERE
    comparison: bool = True
    recipe: bool = True


_HANDLING = Say(Change.FREE, comparison=False, recipe=False)
_SHOWN = Say(Change.FREE, recipe=False)
_NOT_TOLD = Say(recipe=False)
_NETWORK = Say(Change.NEVER)

SAYS: Mapping[str, Say] = {
    "resume": _HANDLING,
    "allow_changes": _HANDLING,
    "verify": _HANDLING,
    "restarts": _HANDLING,
    "skip_bad_samples": _SHOWN,  # samples that can be made are the same with it
    "longest_wait": _HANDLING,
    "content": _HANDLING,  # what is behind other settings: `changes.CONTENT`
    "name": _HANDLING,
    "log_every": _HANDLING,
    "cuda_graph": _SHOWN,  # the same kernels, started otherwise
    "metrics": _HANDLING,
    "checkpoints": _HANDLING,
    "logger": _HANDLING,
    "validation": _SHOWN,
    "validation.at_start": _HANDLING,
    "validation.every": _HANDLING,
    "validation.panel": _HANDLING,
    "validation_set": _SHOWN,
    "data.num_workers": _HANDLING,
    "data.start_method": _HANDLING,
    "data.train.pairs": Say(Change.FREE),  # its content counts, which is that of `train_set`
    "train_set": _NOT_TOLD,
    "init_from": Say(Change.FREE),  # it was the beginning, and a checkpoint is what follows
    "init_partial": Say(Change.FREE),
    "init_discriminator_from": Say(Change.FREE),
    "training.guard.max_in_a_row": Say(Change.FREE),
    "training.discriminator.guard.max_in_a_row": Say(Change.FREE),
    "trainer": _NOT_TOLD,
    "trainer.accelerator": _SHOWN,
    "trainer.devices": _SHOWN,
    "trainer.num_nodes": _SHOWN,
    "trainer.strategy": _SHOWN,
    # worked out from the setting `precision`
    "trainer.precision": Say(comparison=False, recipe=False),
    "trainer.precision.accelerator": _HANDLING,
    "iterations": Say(Change.LONGER),
    "scale": _NETWORK,
    "generator": _NETWORK,
    "generator.path": Say(Change.FREE),  # of from_file: `init_from`
    "training._target_": _NETWORK,  # a stage has networks of its own
    "training.discriminator.network": _NETWORK,
    # Their moments are of another kind
    "training.optimizer._target_": _NETWORK,
    "training.discriminator.optimizer._target_": _NETWORK,
    # Said again where they are used, below `training`
    "adversarial": _NOT_TOLD,
    "discriminator": Say(Change.NEVER, recipe=False),
    "prepare": _NOT_TOLD,
    "schedule": _NOT_TOLD,
}
"""By keys, each for all that is below it too; what is not here has a say in everything."""


def say_of(key: str) -> Say:
    """What the setting of a full key, as `training.optimizer.lr`, has a say in."""
    parts = key.split(".")
    above = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((SAYS[name] for name in above if name in SAYS), Say())


def flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its full key; a mapping without keys is a value."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


_STARTS = ("init_from", "init_discriminator_from")


def training_recipe(
    settings: Mapping[str, Any], history: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """The settings that go along with weights, and under `changes` what they were before.

    Of files training began with, the names stay; of data sets, that they are others.
    """
    private = {settings.get("train_set"), settings.get("validation_set")} - {None}
    rest = {key: value for key, value in settings.items() if key not in _STARTS}
    recipe = _told(rest, private, "")
    recipe |= {key: Path(settings[key]).name for key in _STARTS if settings.get(key)}
    if history:
        recipe["changes"] = [
            {
                "iteration": entry["iteration"],
                **{
                    key: "another" if key == "train_set" or _has_path(values, private) else values
                    for key, values in entry["settings"].items()
                },
            }
            for entry in history
        ]
    return recipe


def _told(settings: Mapping[str, Any], private: set[Any], prefix: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for key, value in settings.items():
        if not say_of(f"{prefix}{key}").recipe or _is_path(value, private):
            continue
        if isinstance(value, Mapping):
            told[key] = _told(value, private, f"{prefix}{key}.")
        elif isinstance(value, list):
            told[key] = [item for item in value if not _is_path(item, private)]
        else:
            told[key] = value
    return told


def _has_path(values: Sequence[object], private: set[Any]) -> bool:
    return any(_is_path(value, private) for value in values)


def _is_path(value: object, private: set[Any]) -> bool:
    return isinstance(value, str) and (value in private or "/" in value or "\\" in value)


_FIX = "put a copy of it in its place, or start another run from its weights with init_from=WEIGHTS"


def write_settings(path: Path, settings: Mapping[str, Any]) -> None:
    content = json.dumps({"format": FORMAT, **settings}, indent=2)
    write_whole(path, content.encode(), overwrite=True)


def read_settings(path: Path) -> dict[str, Any]:
    """The settings that a run was begun with.

    Raises:
        ValueError: the file is missing, damaged, or of another version of esrgan.
    """
    if not path.exists():
        raise ValueError(f"{path} is missing: {_FIX}")
    try:
        settings: object = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        why = str(error) if path.stat().st_size else "it is empty"
        raise ValueError(f"{path} is broken: {why}: {_FIX}") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{path} is broken: it has no settings by name: {_FIX}")
    if settings.pop("format", 1) != FORMAT:
        raise ValueError(
            f"{path} is of another version of esrgan, in which some settings had other names "
            "(CHANGELOG.md lists them): use that version, or start another run from the weights "
            "with name=ANOTHER_NAME init_from=WEIGHTS"
        )
    return settings
