"""What is wrong in a configuration, in one line, without what Hydra advises to its developers."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
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
from hydra.utils import get_object
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from esrgan.errors import in_one_line, suggestion

RENAMED = {  # of 0.1, by what such a key or choice begins with
    "training.adversary": "training.losses.adversarial and training.discriminator",
    "validation.metrics": "metrics=[PSNR-Y,...]",
    "validation/gan": "metrics=[PSNR-Y,SSIM-Y,PSNR-RGB,COLOR-DRIFT]",
}
_OF_A_FILE = re.compile(
    r"In '(.+?)': ConfigKeyError .*?Key '(.+?)' not in .*?full_key: (\S+)", re.S
)
_AMBIGUOUS = re.compile(r"Ambiguous value for argument '(.*)'\n")
_FULL_KEY = re.compile(r"^full_key: (\S+)$", re.M)
_OURS = re.compile(r"target '(functools\.partial\()?esrgan\.")
_NAMES_A_VALUE = re.compile(r"([a-z_]+)[a-z_.]* \(")


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


def as_typed(override: str) -> str:
    """The word for a shell that gives Hydra the whole value as text."""
    key, _, value = override.partition("=")
    quoted = value.replace("\\", "\\\\").replace('"', '\\"') if '"' in value else value
    return shlex.quote(f'{key}="{quoted}"')


def _in_one_line(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(error, InstantiationException) and cause is not None:
        return _failed_part(str(error), cause)
    if isinstance(error, MissingConfigException) and error.options:
        missing = str(error.missing_cfg_file)
        fix = suggestion(missing.rpartition("/")[2], error.options)
        return _renamed(missing) or f"{missing} does not exist: {fix}"
    if isinstance(error, ConfigCompositionException):
        if isinstance(cause, OmegaConfBaseException):
            return _refused_value(cause)
        return _refused_file(str(error))
    if isinstance(error, OverrideParseException):
        return _unreadable(str(error.override))
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark, tab = error.problem_mark, ": indent with spaces" * ("\\t" in str(error.problem))
        return f"{mark.name}, line {mark.line + 1}: {error.problem}{tab}"
    return in_one_line(error)


def _unreadable(override: str) -> str:
    key, equal, value = (part.strip() for part in override.partition("="))
    if not equal:
        return f"{override} is not KEY=VALUE, as experiment=quickstart is"
    if f"{key}={value}" != override:
        return f"{override} has spaces around its =: give {shlex.quote(f'{key}={value}')}"
    if value.startswith("~/"):
        given = shlex.quote(f"{key}={Path(value).expanduser()}")
        return f"{override} cannot be read: the shell leaves ~ as it is after a =: give {given}"
    if value.startswith(("[", "(", "{")) or value.endswith(","):
        return f"{override} cannot be read: a list is written {shlex.quote(f'{key}=[A,B]')}"
    return (
        f"{override} cannot be read without quotes, also for the shell: give {as_typed(override)}"
    )


def _refused_file(message: str) -> str:
    """What a file of configs says that cannot be, or a value in which there are commas."""
    from esrgan.runs import Settings

    if found := _AMBIGUOUS.match(message):
        return (
            f"{found[1]} has several values: as one text it is {as_typed(found[1])}, a list has "
            "brackets, and a sweep needs -m"
        )
    if not (found := _OF_A_FILE.match(message)):
        return in_one_line(message)
    file, _, key = found.groups()
    if file.startswith(f"{key}/"):
        return f"{file}: its first line must be `# @package _global_`"
    return f"{file}: " + (
        _renamed(key) or f"{key} is not a setting: {suggestion(key, Settings.__dataclass_fields__)}"
    )


def _refused_value(error: OmegaConfBaseException) -> str:
    known = error.parent_node if isinstance(error.parent_node, DictConfig) else {}
    key, name = str(error.full_key), str(error.key)
    if not error.full_key or error.key in known:
        return f"{key}: {str(error).splitlines()[0]}"
    if renamed := _renamed(key):
        return renamed
    accepted = _accepted(known) if "did you mean" not in suggestion(name, map(str, known)) else ()
    if name in accepted:
        return f"{key} is not in this configuration, but can be: give +{key}=VALUE"
    return f"{key} is not a setting: {suggestion(name, {*map(str, known), *accepted})}"


def _accepted(part: Mapping[object, object]) -> Iterable[str]:
    """All arguments that what a part builds would take."""
    from esrgan.runs.checks import parameters_of

    with suppress(Exception):  # it is no part, or what it names is wrong, which is said elsewhere
        return parameters_of(get_object(str(part["_target_"])))
    return ()


def _renamed(key: str) -> str:
    """What to say of the name of an earlier version; nothing of others."""
    new = [new for old, new in RENAMED.items() if key == old or key.startswith(f"{old}.")]
    return f"{key} was renamed: give {new[0]}; CHANGELOG.md lists all new names" if new else ""


def _failed_part(message: str, cause: BaseException) -> str:
    """What building a part of the settings said, with the whole key."""
    from esrgan.runs import Settings

    found, text = _FULL_KEY.search(message), in_one_line(cause)
    key = found[1] if found else ""
    if isinstance(cause, ValueError):
        named = _NAMES_A_VALUE.match(str(cause))
        if named and key:
            is_whole = named[1] in Settings.__dataclass_fields__
            return str(cause) if is_whole else f"{key}.{cause}"
        return f"{key}: {text}" if key and not _OURS.search(message) else str(cause)
    if isinstance(cause, ImportError):
        extra = key.removeprefix("logger.")
        extras = metadata.metadata("esrgan").get_all("Provides-Extra") or []
        install = f" (pip install 'esrgan[{extra}]')" if extra in extras else ""
        return f"{key}: {text}{install}"  # Lightning's loggers say which package they need
    if type(cause).__name__ == "MisconfigurationException":  # Lightning's word for a user's mistake
        return f"{key}: {text}"
    return in_one_line(message)
