"""The one way in for weight files: nothing in them is executed, nothing in them is trusted."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor

from esrgan.weights.keys import to_released_keys
from esrgan.weights.parts import CONTAINERS, GENERATOR, Part

StateDict = dict[str, Tensor]


class WeightsError(ValueError):
    """A weight file cannot be used; the message names it."""


class WeightsFile(NamedTuple):
    """What a file holds, in the names of the released networks, as float32 on the CPU."""

    state: StateDict
    architecture: Mapping[str, Any]
    """What the file says of its network; empty where it says nothing."""


class FileContent(NamedTuple):
    """A file as it is, read but not understood."""

    content: Mapping[Any, Any]
    architecture: Any
    metadata: Any


def load_state_dict_file(path: Path | str) -> StateDict:
    """Read the weights of a generator from .pth, .pt, .ckpt or .safetensors.

    Wrappers and prefixes of other programs are taken off, the sets of layer names that the authors
    have used become one, half precision becomes float32. An average of the weights (EMA) is
    preferred.

    Raises:
        WeightsError: the file cannot be read, holds anything but weights, or a weight that is not
            finite.
    """
    return read_weights_file(path, GENERATOR).state


def read_weights_file(path: Path | str, part: Part) -> WeightsFile:
    """As `load_state_dict_file`, for any part of a file, with what it says of its network.

    Raises:
        WeightsError: also if the part has to be marked and is not.
    """
    path = Path(path)
    content, architecture, _ = read_content(path)
    if not isinstance(architecture, Mapping):
        raise WeightsError(f"{path}: its architecture entry must be a mapping")
    inner, has_wrapper = part.find(content)
    state, has_prefix = part.strip(_check_tensors(path, inner, part))
    if part.marked and not (has_wrapper or has_prefix):
        raise WeightsError(
            f"{path} holds no {part.name}: neither under {', '.join(part.wrappers)} nor in names "
            f"that begin with {', '.join(part.prefixes)}"
        )
    return WeightsFile(_to_float32(path, to_released_keys(state)), architecture)


def read_content(path: Path) -> FileContent:
    """Read a file of any kind that is known here, without running what is in it.

    Raises:
        WeightsError: it cannot be read, or is something else.
    """
    if not path.is_file():
        raise WeightsError(f"{path} is not a file")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix in (".pth", ".pt", ".ckpt"):
        return _read_torch(path)
    raise WeightsError(f"{path} must end in .pth, .pt, .ckpt or .safetensors")


def _read_safetensors(path: Path) -> FileContent:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            content = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no dict)
        architecture = json.loads(metadata.pop("architecture", "{}"))
    except Exception as error:  # the library's own class, or json's, or the system's
        raise WeightsError(f"{path} is not a readable safetensors file: {error}") from error
    return FileContent(content, architecture, metadata)


def _read_torch(path: Path) -> FileContent:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise nearly anything
        code = re.search(r"GLOBAL (\S+)", str(error))
        if code is None:
            raise WeightsError(f"{path} is not a torch file, or is damaged") from error
        raise WeightsError(
            f"{path} asks for {code[1]} to be loaded. Only tensors and plain values are, because "
            "anything else can run code: let the program that wrote it save its state dict alone"
        ) from error
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds a {type(content).__name__} where weights by name belong")
    # Bare state dicts of ours carry them as attributes: see release.py.
    about = {**getattr(content, "__dict__", {}), **content}
    return FileContent(content, about.get("architecture", {}), about.get("metadata", {}))


def _check_tensors(path: Path, content: Mapping[Any, Any], part: Part) -> StateDict:
    strange = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if strange or not content:
        raise WeightsError(
            f"{path} holds no {part.name}: no weights by name, bare or under one of "
            f"{', '.join((*part.wrappers, *CONTAINERS))}; it has "
            f"{', '.join(strange[:5]) or 'nothing'}"
        )
    return {str(key): value for key, value in content.items()}


def _to_float32(path: Path, state: StateDict) -> StateDict:
    state = {key: t.float() if t.is_floating_point() else t for key, t in state.items()}
    for key, tensor in state.items():
        if not tensor.isfinite().all():
            count = int((~tensor.isfinite()).sum())
            raise WeightsError(
                f"{path}: {count} of the {tensor.numel()} values of {key} are not finite "
                "numbers: the training that wrote it had diverged, or the file is damaged"
            )
    return state
