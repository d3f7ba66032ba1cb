"""The rules that settings must obey before anything is built."""

import inspect
import os
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from esrgan.errors import near_multiples, suggestion
from esrgan.files import split_pair
from esrgan.runs.settings import Settings

_LEAST = {
    **dict.fromkeys(("scale", "patch_size", "batch_size", "iterations", "log_every"), 1),
    **dict.fromkeys(("seed", "restarts"), 0),
    "longest_wait": 1,
}


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings that cannot work, in milliseconds.

    Args:
        settings: the resolved configuration, plain containers.

    Raises:
        ValueError: names the key, its value, the rule and the fix.
    """
    known = Settings.__dataclass_fields__
    for key in settings:
        if key not in known:
            raise ValueError(f"{key} is not a setting: {suggestion(key, known)}")
    for key, least in _LEAST.items():
        if not settings[key] >= least:
            raise ValueError(f"{key} ({settings[key]}) must be at least {least}")
    resume = settings["resume"]
    if isinstance(resume, str) and resume != "auto":
        raise ValueError(f"resume ({resume}) must be true, false or auto")
    choice = settings["compile"]
    if isinstance(choice, str) and choice != "max-autotune":
        raise ValueError(f"compile ({choice}) must be true, false or max-autotune")
    if settings["generator"].get("path", "") is None:
        raise ValueError("generator=from_file is the network of init_from: give init_from=WEIGHTS")
    _check_patch_size(settings)
    _check_folders(settings)
    _check_devices(settings)
    _check_discriminator(settings)
    _check_degradations(settings)


def _check_discriminator(settings: Mapping[str, Any]) -> None:
    is_gan = "discriminator" in settings["training"]
    for key, choice in (("discriminator", "vgg"), ("adversarial", "relativistic")):
        if is_gan and not settings[key]:
            raise ValueError(f"the GAN stage needs a {key}: give {key}={choice}")
        if not is_gan and settings[key]:
            raise ValueError(f"{key} has no effect in the PSNR stage: give {key}=none")
    start = settings["init_discriminator_from"]
    if start and not is_gan:
        raise ValueError(
            f"init_discriminator_from ({start}) has no effect in the PSNR stage, which has no "
            "discriminator: give null"
        )
    input_size = settings["discriminator"].get("input_size", settings["patch_size"])
    if input_size != settings["patch_size"]:
        raise ValueError(
            f"discriminator.input_size ({input_size}) must be equal to patch_size "
            f"({settings['patch_size']})"
        )


def _check_degradations(settings: Mapping[str, Any]) -> None:
    """Whoever makes low-quality images, of ground truths alone, needs all three settings."""
    has = {
        "data=blind": "in_worker" in settings["data"].get("train", {}),
        "prepare=degrade": "degrader" in settings["prepare"],
        "degradations=published": bool(settings["degradations"]),
    }
    if any(has.values()) and not all(has.values()):
        missing = " ".join(choice for choice, is_there in has.items() if not is_there)
        raise ValueError(
            "data=blind (or blind_folder), prepare=degrade and degradations=NAME make low-quality "
            f"images together: give {missing} too, or leave the others out"
        )
    pairs = (settings["validation"] or {}).get("pairs") or {}
    if "degrade" in pairs and not has["degradations=published"]:
        raise ValueError("validation=degraded has nothing to degrade with: give validation=folder")


def _check_devices(settings: Mapping[str, Any]) -> None:
    trainer = settings["trainer"]
    several = isinstance(trainer["strategy"], Mapping)
    devices = trainer["devices"]
    if not several and devices != 1:
        raise ValueError(
            f"trainer.devices ({devices}) must be 1: for several devices give trainer=ddp too"
        )
    if not several and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(
            f"{os.environ['WORLD_SIZE']} processes were started (WORLD_SIZE): give trainer=ddp "
            "too, or each would train alone"
        )
    if isinstance(devices, int) and devices > 0:
        num_processes = devices * trainer["num_nodes"]
        batch_size = settings["batch_size"]
        if batch_size % num_processes:
            raise ValueError(
                f"batch_size ({batch_size}) counts the samples of all processes and must be a "
                f"multiple of their number ({num_processes}): use "
                f"{near_multiples(batch_size, num_processes)}"
            )


def _check_patch_size(settings: Mapping[str, Any]) -> None:
    scale, patch_size = settings["scale"], settings["patch_size"]
    if patch_size % scale:
        raise ValueError(
            f"patch_size ({patch_size}) must be a multiple of scale ({scale}): use "
            f"{near_multiples(patch_size, scale)}"
        )


def _check_folders(settings: Mapping[str, Any]) -> None:
    validates = parts_that_are_built(settings)["validation"]
    for key in ("train_set", "validation_set") if validates else ("train_set",):
        folder = settings[key]
        pair = split_pair(folder) if key == "validation_set" else None
        if all(map(Path.is_dir, pair or [Path(folder)])):
            continue
        raise ValueError(
            f"{key} ({folder}) is not a folder: data/README.md says how to make it, "
            f"{key}=FOLDER names another"
        )
    name = Path(settings["name"])
    if name.is_absolute() or ".." in name.parts or not name.parts:
        raise ValueError(f"name ({settings['name']}) must be a path below experiments/")


def parts_that_are_built(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings without those of parts that this run has no use for."""
    validates = settings["validation_set"] and (settings.get("validation") or {}).get("pairs")
    return settings if validates else {**settings, "validation": None}


_WITH_LIGHTNING = ("pytorch_lightning.", "esrgan.training.", "esrgan.data.datamodule.")


def check_targets(settings: Mapping[str, Any], *, with_lightning: bool) -> None:
    """Hold the values of the parts against the signatures of what they build.

    Args:
        settings: the resolved configuration, plain containers.
        with_lightning: those parts whose code imports Lightning, which takes seconds; else the
            others.

    Raises:
        ValueError: a part that does not exist, an argument it does not have, or a value of a type
            that the argument does not take.
    """
    for key, node in _targets(settings, ""):
        name = node["_target_"]
        if name.startswith(_WITH_LIGHTNING) == with_lightning:
            _check_arguments(key, node, find_target(f"{key}_target_", name))


def _targets(node: object, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield key, node
        for name, child in node.items():
            yield from _targets(child, f"{key}{name}.")


_EXTRAS = {"pytorch_optimizer": "optimizers"}


def find_target(key: str, name: str) -> Callable[..., object]:
    """What the setting of a key builds; a ValueError where there is no such thing."""
    module, _, attribute = name.rpartition(".")
    try:
        found: Callable[..., object] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        extra = _EXTRAS.get(missing or "")
        fix = f": pip install -e '.[{extra}]'" if extra else ""
        raise ValueError(f"{key} ({name}) cannot be found: {error}{fix}") from error
    return found


def _check_arguments(key: str, node: Mapping[str, Any], target: Callable[..., object]) -> None:
    parameters = parameters_of(target)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name, value in node.items():
        if name.startswith("_") and name.endswith("_"):
            continue
        if name not in parameters:
            if not takes_any:
                raise ValueError(f"{key}{name} is not a setting: {suggestion(name, parameters)}")
            continue
        if not _fits(value, parameters[name].annotation):
            wanted = inspect.formatannotation(parameters[name].annotation)
            raise ValueError(f"{key}{name} ({value!r}) must be of the type {wanted}")
        default = parameters[name].default
        if name == "betas" and isinstance(default, tuple) and len(value) != len(default):
            raise ValueError(
                f"{key}{name} ({value}) must be {len(default)} numbers, as "
                f"{node['_target_']} has by default: give {key}{name}={_listed(default)}"
            )


def _listed(values: tuple[float, ...]) -> str:
    return f"[{','.join(map(str, values))}]"


def parameters_of(target: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """By name; of a class that hands on what it does not know, those of its parents too."""
    parameters = dict(inspect.signature(target).parameters)
    parents = target.__mro__[1:] if isinstance(target, type) else ()
    for parent in parents:
        rest = [name for name, p in parameters.items() if p.kind is p.VAR_KEYWORD]
        if not rest or parent is object:
            break
        if "__init__" in vars(parent):
            parameters.pop(rest[0])
            parameters |= inspect.signature(parent).parameters
    return parameters


def _fits(value: object, annotation: object) -> bool:
    """Whether a plain value can be meant by an annotation; only plain types are judged."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return any(_fits(value, option) for option in typing.get_args(annotation))
    if annotation is inspect.Parameter.empty:
        return True
    if isinstance(value, Mapping) and "_target_" in value:
        return True  # what it builds is not known before
    if annotation is None or annotation is type(None):
        return value is None
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(annotation, type) and isinstance(value, bool | int | float | str | None):
        return annotation in type(value).__mro__
    return True
