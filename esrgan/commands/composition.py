"""From the words of a command line to settings that can work, and what a run must know of them."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict

from esrgan.hydra_errors import as_typed
from esrgan.runs import Composition, Settings, find_weights, flatten
from esrgan.runs.changes import CONTENT
from esrgan.runs.checks import (
    check_settings,
    check_targets,
    find_target,
    parameters_of,
    parts_that_are_built,
)
from esrgan.types import Identified, ImagePairs, WholeImages

_COPY = re.compile(r"\$\{([A-Za-z_][\w.]*)\}")
_OWN_PARAMETERS = ("generator.parameters.", "generator.parameters=")
_ADAM = "torch.optim.Adam"
_CHOSEN = re.compile(r"(?!hydra/|experiment$).*")


def without_null(word: str, configs: Path) -> str:
    """Of a group of configs, `null` and `~` are its file `none`, as Hydra knows names alone.

    Raises:
        ValueError: the group has none.
    """
    group, _, choice = word.removeprefix("~").partition("=")
    is_left_out = word.startswith("~") or choice == "null"
    if not is_left_out or not (configs / group).is_dir():
        return word
    choices = sorted(path.stem for path in (configs / group).glob("*.yaml"))
    if "none" not in choices:
        raise ValueError(f"{group} cannot be null: there are {', '.join(choices)}")
    return f"{group}=none"


def with_plus(word: str) -> str:
    """The parameters of a network of others are its own: Hydra would want a plus for each."""
    return f"++{word}" if word.startswith(_OWN_PARAMETERS) else word


def refuse_numbers_for_text(overrides: Sequence[str]) -> None:
    """What is text would be another after Hydra had read it as a number: name=2024_11_03."""
    types = {key: field.type for key, field in Settings.__dataclass_fields__.items()}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key, word = override.key_or_group, str(override.input_line)
        value = None if override.is_sweep_override() else override.value()
        if types.get(key) in (str, str | None) and isinstance(value, bool | int | float):
            raise ValueError(f"{word} would be read as {value}: give {as_typed(word)}")


def checked(cfg: DictConfig) -> tuple[dict[str, Any], object, ImagePairs | None]:
    """The settings as plain containers, if they can work, with what is behind them (`CONTENT`).

    And what to train on, and the pairs to validate by, of which no image was decoded.
    Lightning takes seconds to import: what can be refused without it is refused before.
    """
    settings = _plain(cfg)
    check_settings(settings)
    if _without_fused(cfg):
        settings = _plain(cfg)
    parts = parts_that_are_built(settings)
    check_targets(parts, with_lightning=False)
    train_set: object = instantiate(cfg.data.train)
    source = getattr(train_set, "pairs", None) or getattr(train_set, "images", None)
    images: ImagePairs | None = instantiate(cfg.validation.pairs) if parts["validation"] else None
    check_targets(parts, with_lightning=True)
    named = {"train_set": source, "validation_set": images}
    contents = contents_of(settings, {key: p for key, p in named.items() if p is not None})
    contents["precision"] = _number_format(cfg)
    return settings | {CONTENT: contents}, train_set, images


def _plain(cfg: DictConfig) -> dict[str, Any]:
    container = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    return cast(dict[str, Any], container)


def _without_fused(cfg: DictConfig) -> bool:
    """Leave `fused` out where an optimizer has none: it says how Adam is computed, and not what."""
    training = cfg.training
    parts = {"training": training, "training.discriminator": training.get("discriminator") or {}}
    left_out = False
    for key, part in parts.items():
        optimizer: DictConfig | None = part.get("optimizer")
        if optimizer is None or "fused" not in optimizer:
            continue
        if optimizer._target_ == _ADAM:
            continue
        target = find_target(f"{key}.optimizer._target_", optimizer["_target_"])
        if "fused" not in parameters_of(target):
            with open_dict(optimizer):
                del optimizer["fused"]
            left_out = True
    return left_out


def composition_of(cfg: DictConfig, *, config: str) -> Composition:
    """How the settings came to be; `config` is the name of the file that begins them all.

    To be called where Hydra has composed `cfg`.
    """
    written = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=False))
    copies = {
        key: found[1]
        for key, value in flatten(written)
        if isinstance(value, str) and (found := _COPY.search(value))
    }
    choices = HydraConfig.get().runtime.choices.items()
    chosen = [f"{group}={choice}" for group, choice in choices if _CHOSEN.fullmatch(group)]
    unsaid = OmegaConf.to_container(compose(config, [*chosen, "~experiment"]), resolve=True)
    return Composition(copies, cast(dict[str, Any], unsaid))


def contents_of(settings: Mapping[str, Any], pairs: Mapping[str, WholeImages]) -> dict[str, str]:
    """Digests of the data and files that settings name, as far as they are there.

    `pairs` are those of `train_set` and `validation_set`.
    """
    digests = {key: p.digest() for key, p in pairs.items() if isinstance(p, Identified)}
    return digests | {key: _digest(file) for key, file in _files(settings)}


def _number_format(cfg: DictConfig) -> str:
    """Lightning's word for it, which may have been given in place of what works it out."""
    precision = cfg.trainer.precision
    return str(instantiate(precision) if isinstance(precision, DictConfig) else precision)


def _files(settings: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Weights: those that training begins with, and those of its losses."""
    start = settings["init_from"]
    if start and Path(start).exists():
        yield "init_from", find_weights(start)
    opponent = Path(settings["init_discriminator_from"] or "")
    if opponent.is_file():
        yield "init_discriminator_from", opponent
    for key, value in flatten({"training": settings["training"]}):
        if isinstance(value, str) and Path(value).is_file():
            yield key, Path(value)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
