"""What is wrong in a configuration, in one line, without what Hydra advises to its developers."""

from collections.abc import Iterator
from contextlib import contextmanager

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
