"""What is wrong in a configuration, in one line, without what Hydra advises to its developers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from esrgan.errors import suggestion


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what Hydra and OmegaConf raise into a ValueError that names the key and the fix."""
    try:
        yield
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise ValueError(_in_one_line(error)) from error


def composed(
    name: str, overrides: Sequence[str], *, configs: Path, own: Path | None, schema: type
) -> DictConfig:
    """A config as the command line makes it, without running anything.

    `own` is a folder of configs beside `configs`; `schema` has the types of the top-level keys.
    """
    if own is not None and not own.is_dir():
        raise ValueError(f"--config-dir {own} is not a folder")
    ConfigStore.instance().store("settings", schema)
    path = [f"hydra.searchpath=[file://{own.resolve()}]"] if own else []
    with initialize_config_dir(str(configs.resolve()), version_base="1.3"):
        return compose(name, [*overrides, *path])


def _in_one_line(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(error, InstantiationException) and isinstance(cause, ValueError):
        return str(cause)
    if isinstance(error, InstantiationException) and isinstance(cause, ImportError):
        return " ".join(str(cause).split())  # Lightning's loggers say what installs theirs
    if isinstance(error, ConfigCompositionException) and isinstance(cause, OmegaConfBaseException):
        return _refused_value(cause)
    if isinstance(error, MissingConfigException) and error.options:
        missing = str(error.missing_cfg_file)
        return f"{missing} does not exist: {suggestion(missing.rpartition('/')[2], error.options)}"
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override} is not KEY=VALUE, as experiment=quickstart is: a value with any of "
            "=,:{}[] needs quotes"
        )
    return " ".join(str(error).split())


def _refused_value(error: OmegaConfBaseException) -> str:
    known = error.parent_node if isinstance(error.parent_node, DictConfig) else {}
    if error.full_key and error.key not in known:
        return f"{error.full_key} is not a setting: {suggestion(str(error.key), map(str, known))}"
    return f"{error.full_key}: {str(error).splitlines()[0]}"
