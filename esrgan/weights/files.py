"""The one way in for weight files: nothing in them is executed, nothing in them is trusted."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor

from esrgan.weights.keys import strip_prefixes, to_released_keys

StateDict = dict[str, Tensor]

WRAPPERS = ("params_ema", "params", "ema", "generator", "state_dict")
"""Where programs put the weights of a generator, the preferred first: BasicSR and Real-ESRGAN,
the checkpoints of a training run of ours, Lightning and MMagic. Many files have no wrapper."""


class WeightsError(ValueError):
    """A weight file cannot be used; the message names it."""


class WeightsFile(NamedTuple):
    """What a file holds, in the names of the released networks, as float32 on the CPU."""

    state: StateDict
    architecture: Mapping[str, Any]
    """What the file says of its network; empty where it says nothing."""


def load_state_dict_file(path: Path | str) -> StateDict:
    """Read the weights of a generator from .pth, .pt, .ckpt or .safetensors.

    Wrappers and prefixes of other programs are taken off, RRDB's three sets of layer names become
    one, half precision becomes float32. An average of the weights (EMA) is preferred.

    Raises:
        WeightsError: the file cannot be read, holds anything but weights, or a weight that is not
            finite.
    """
    return read_weights_file(path).state


def read_weights_file(path: Path | str) -> WeightsFile:
    """As `load_state_dict_file`, with what the file says of its network."""
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path} is not a file")
    if path.suffix == ".safetensors":
        content, architecture = _read_safetensors(path)
    elif path.suffix in (".pth", ".pt", ".ckpt"):
        content, architecture = _read_torch(path)
    else:
        raise WeightsError(f"{path} must end in .pth, .pt, .ckpt or .safetensors")
    if not isinstance(architecture, Mapping):
        raise WeightsError(f"{path}: its architecture entry must be a mapping")
    state = to_released_keys(strip_prefixes(_check_tensors(path, content)))
    return WeightsFile(_to_float32(path, state), architecture)


def _read_safetensors(path: Path) -> tuple[Any, Any]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            content = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no dict)
        return content, json.loads(metadata.get("architecture", "{}"))
    except Exception as error:  # the library's own class, or json's, or the system's
        raise WeightsError(f"{path} is not a readable safetensors file: {error}") from error


def _read_torch(path: Path) -> tuple[Any, Any]:
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
    wrapped = (content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping))
    return next(wrapped, content), content.get("architecture", {})


def _check_tensors(path: Path, content: Mapping[Any, Any]) -> StateDict:
    strange = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if strange or not content:
        raise WeightsError(
            f"{path} holds no weights by name, bare or under one of {', '.join(WRAPPERS)}; "
            f"it has {', '.join(strange[:5]) or 'nothing'}"
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
