"""The one way in for weight files: nothing in them is executed, nothing in them is trusted."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from esrgan.runs import RunFolder
from esrgan.weights.digest import DIGEST, damaged_member, digest_of
from esrgan.weights.foreign import foreign_name, is_safetensors, names_in_zip
from esrgan.weights.keys import StateDict, to_released_keys

_Mapping = Mapping[Any, Any]
"""Of an unknown file, which may hold anything."""


class WeightsError(ValueError):
    """A weight file cannot be used; the message names it."""


# Wrappers that do not say of which network: Lightning, MMagic and training loops of any kind
_CONTAINERS = ("state_dict", "model_state_dict", "model", "net")
# Put before each name by data-parallel wrappers and `torch.compile`
_WRAPPING_PREFIXES = ("module.", "_orig_mod.")


@dataclass(frozen=True, kw_only=True)
class Part:
    """The weights of one network in a file that may hold several."""

    name: str  # for messages
    wrappers: tuple[str, ...]  # keys that they may be under, perhaps in `_CONTAINERS`; best first
    prefixes: tuple[str, ...]  # what may be before each of their names, the preferred first
    marked: bool = False  # whether one of these must be there; else bare weights are this part, too

    def unwrap(self, content: _Mapping) -> tuple[_Mapping, bool]:
        """What is inside of all wrappers, and whether one of this part's own was there."""
        for key in (*self.wrappers, *_CONTAINERS):
            if isinstance(content.get(key), Mapping):
                inner, marked = self.unwrap(content[key])
                return inner, marked or key in self.wrappers
        return content, False

    def strip(self, state: StateDict) -> tuple[StateDict, bool]:
        """The same for the names of the weights. Where some have a prefix, others are left out."""
        for prefix in (*self.prefixes, *_WRAPPING_PREFIXES):
            inner = {k.removeprefix(prefix): t for k, t in state.items() if k.startswith(prefix)}
            if inner:
                bare, marked = self.strip(inner)
                return bare, marked or prefix in self.prefixes
        return state, False


# BasicSR and Real-ESRGAN, the checkpoints of a training run of ours; MMagic.
EMA = Part(
    name="average (EMA) of the generator",
    wrappers=("params_ema", "params-ema", "ema"),
    prefixes=("generator_ema.", "ema."),
    marked=True,
)
# The same; and Lightning modules, SwinIR's training code.
RAW = Part(
    name="generator beside its average",
    wrappers=("params", "generator"),
    prefixes=("generator.", "net_g.", "netG."),
    marked=True,
)
GENERATOR = Part(
    name="generator",
    wrappers=("params_ema", "params-ema", "params", "ema", "generator"),
    prefixes=(*EMA.prefixes, *RAW.prefixes),
)
"""Its average (EMA), where there is one."""

DISCRIMINATOR = Part(
    name="discriminator",
    wrappers=("discriminator", "params", "params_ema"),
    prefixes=("discriminator.", "net_d.", "netD."),
)


@dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """The content of a file, read but not understood; what it says of its network and of itself."""

    path: Path
    content: _Mapping
    architecture: Mapping[str, Any]
    metadata: _Mapping

    def weights(self, part: Part) -> StateDict:
        """One network's, in the names of the released networks, as float32 on the CPU.

        Wrappers and prefixes of other programs are taken off.

        Raises:
            WeightsError: the part is not there, is anything but weights, or one is not finite.
        """
        inner, has_wrapper = part.unwrap(self.content)
        state, has_prefix = part.strip(_check_tensors(self.path, inner, part))
        if part.marked and not (has_wrapper or has_prefix):
            raise WeightsError(
                f"{self.path} holds no {part.name}: neither under {', '.join(part.wrappers)} nor "
                f"in names that begin with {', '.join(part.prefixes)}"
            )
        return _to_float32(self.path, to_released_keys(state))

    def describe(self) -> dict[str, str]:
        """What it says of itself; of a run's checkpoint, what a release would say."""
        settings, iteration = self.content.get("settings"), self.content.get("iteration")
        if isinstance(settings, Mapping) and isinstance(iteration, int):
            return RunFolder(self.path.resolve().parent.parent).describe(self.content)
        return {str(key): str(value) for key, value in self.metadata.items() if key != "format"}


def read_weights_file(path: Path | str) -> WeightsFile:
    """Read a .pth, .pt, .ckpt or .safetensors, without running what is in it.

    Raises:
        WeightsError: it cannot be read, is something else, or differs from the digest in it.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path} is not a file")
    if name := foreign_name(path):
        raise WeightsError(f"{path} is not a file of weights, but {name}")
    if path.suffix not in (".pth", ".pt", ".ckpt", ".safetensors"):
        raise WeightsError(f"{path} must end in .pth, .pt, .ckpt or .safetensors")
    if is_safetensors(path) or path.suffix == ".safetensors":
        content, about = _read_safetensors(path)
    else:
        content, about = _read_torch(path)
    _check_digest(path, about)
    architecture, metadata = about.get("architecture"), about.get("metadata")
    if not isinstance(architecture, Mapping | None):
        raise WeightsError(f"{path}: its architecture entry must be a mapping")
    return WeightsFile(
        path=path,
        content=content,
        architecture=architecture or {},
        metadata=metadata if isinstance(metadata, Mapping) else {},
    )


def load_state_dict_file(path: Path | str) -> StateDict:
    """Read the weights of a generator, of which the average (EMA) is preferred.

    Raises:
        WeightsError: the file cannot be read, holds anything but weights, or one is not finite.
    """
    return read_weights_file(path).weights(GENERATOR)


def read_metadata(path: Path | str) -> dict[str, str]:
    """`WeightsFile.describe` of a path."""
    return read_weights_file(path).describe()


def _read_safetensors(path: Path) -> tuple[_Mapping, _Mapping]:
    """The weights; and these with what is said about them: `architecture`, `metadata`, `DIGEST`."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            content = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no dict)
        architecture = json.loads(metadata.pop("architecture", "null"))
    except Exception as error:  # the library's own class, or json's, or the system's
        raise WeightsError(f"{path} is not a readable safetensors file: {error}") from error
    digest = {DIGEST: metadata.pop(DIGEST)} if DIGEST in metadata else {}
    return content, {**content, **digest, "architecture": architecture, "metadata": metadata}


def _read_torch(path: Path) -> tuple[_Mapping, _Mapping]:
    _refuse_program(path)
    if member := damaged_member(path):
        raise WeightsError(f"{path} is damaged ({member} is not what was written): copy it again")
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
    # Bare state dicts of ours carry the rest as attributes: see release.py.
    return content, {**getattr(content, "__dict__", {}), **content}


def _check_digest(path: Path, about: _Mapping) -> None:
    if DIGEST not in about:
        return
    with suppress(Exception):  # of what is no content of ours, such as a sparse tensor
        if about[DIGEST] == digest_of(about):
            return
    raise WeightsError(
        f"{path} is damaged: its content is not that of its {DIGEST}. Copy it again; or, if "
        "another program has changed it on purpose, take that entry out of it"
    )


def _refuse_program(path: Path) -> None:
    """TorchScript is code with weights inside; torch would warn of it and load nothing."""
    if any(name.endswith("/constants.pkl") for name in names_in_zip(path)):
        raise WeightsError(
            f"{path} is a TorchScript program, which is not run: let the program that wrote it "
            "save its state dict"
        )


def _check_tensors(path: Path, content: _Mapping, part: Part) -> StateDict:
    strange = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if strange or not content:
        raise WeightsError(
            f"{path} holds no {part.name}: no weights by name, bare or under one of "
            f"{', '.join((*part.wrappers, *_CONTAINERS))}; it has "
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
