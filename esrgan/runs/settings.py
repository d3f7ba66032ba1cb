"""The settings of a run: their keys, what each has a say in, and the file that keeps them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
    precision: str
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


class Say(NamedTuple):
    """What a setting has a say in.

    Attributes:
        result: in what a run computes, so that a run is continued only with the same. Rounding,
            which comes with another number of devices, does not count.
        comparison: in how runs differ, to whoever compares them.
        recipe: in what is told of a run along with its weights. Folders and paths are not: they are
            the user's own affair.
    """

    result: bool = True
    comparison: bool = True
    recipe: bool = True


_HANDLING = Say(result=False, comparison=False, recipe=False)
_DEVICES = Say(result=False, recipe=False)
_BOOKKEEPING = Say(comparison=False, recipe=False)
_NOT_TOLD = Say(recipe=False)

SAYS: Mapping[str, Say] = {
    "resume": _HANDLING,
    "verify": _HANDLING,
    "data.num_workers": _HANDLING,
    "data.start_method": _HANDLING,
    "trainer": _NOT_TOLD,
    "trainer.devices": _DEVICES,
    "trainer.num_nodes": _DEVICES,
    "trainer.strategy": _DEVICES,
    "trainer.precision": _BOOKKEEPING,  # worked out from the setting `precision`
    "name": _BOOKKEEPING,
    "log_every": _BOOKKEEPING,
    "metrics": _BOOKKEEPING,
    "checkpoints": _BOOKKEEPING,
    "logger": _BOOKKEEPING,
    "validation": _NOT_TOLD,
    "validation.at_start": _BOOKKEEPING,
    "validation.every": _BOOKKEEPING,
    "validation.panel": _BOOKKEEPING,
    "train_set": _NOT_TOLD,
    "validation_set": _NOT_TOLD,
    # Said again where they are used, below `training`
    "adversarial": _NOT_TOLD,
    "discriminator": _NOT_TOLD,
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


def changed_results(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The settings that have a say in what a run computes and differ, each in words."""
    old, new = dict(flatten(before)), dict(flatten(now))
    return [
        f"{key}: {old.get(key, 'not set')} then, {new.get(key, 'not set')} now"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key) and say_of(key).result
    ]


_STARTS = ("init_from", "init_discriminator_from")


def training_recipe(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that go along with weights. Of files training began with, the names stay."""
    private = {settings.get("train_set"), settings.get("validation_set")} - {None}
    rest = {key: value for key, value in settings.items() if key not in _STARTS}
    starts = {key: Path(settings[key]).name for key in _STARTS if settings.get(key)}
    return _told(rest, private, "") | starts


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


def _is_path(value: object, private: set[Any]) -> bool:
    return isinstance(value, str) and (value in private or "/" in value or "\\" in value)


def write_settings(path: Path, settings: Mapping[str, Any]) -> None:
    content = json.dumps({"format": FORMAT, **settings}, indent=2)
    write_whole(path, content.encode(), overwrite=True)


def read_settings(path: Path) -> dict[str, Any]:
    """The settings that a run was begun with.

    Raises:
        ValueError: the file is missing, damaged, or of another version of esrgan.
    """
    if not path.exists():
        raise ValueError(f"{path} is missing")
    try:
        settings: object = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is broken: {error}") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{path} is broken: it has no settings by name")
    if settings.pop("format", 1) != FORMAT:
        raise ValueError(
            f"{path} is of another version of esrgan, in which some settings had other names "
            "(CHANGELOG.md lists them): use that version, or start another run from the weights "
            "with name=ANOTHER_NAME init_from=WEIGHTS"
        )
    return settings
