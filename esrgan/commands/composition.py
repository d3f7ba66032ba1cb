"""What a run has to know of its settings besides their values, to be continued with others."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from esrgan.runs import Composition, find_weights, flatten
from esrgan.types import Identified, WholeImages

_COPY = re.compile(r"\$\{([A-Za-z_][\w.]*)\}")
_CHOSEN = re.compile(r"(?!hydra/|experiment$).*")


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


def _files(settings: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Weights: those that training begins with, and those of its losses."""
    start = settings["init_from"]
    if start and Path(start).exists():
        yield "init_from", find_weights(start)
    for key, value in flatten({"training": settings["training"]}):
        if isinstance(value, str) and Path(value).is_file():
            yield key, Path(value)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
