"""Files to hand on."""

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch

from esrgan.weights.architecture import Generator
from esrgan.weights.files import StateDict, WeightsError


def save_release(
    path: Path | str,
    network: Generator,
    *,
    metadata: Mapping[str, str],
    overwrite: bool = False,
) -> None:
    """Write the weights of a generator as .pth or .safetensors, in float32.

    Real-ESRGAN, BasicSR and spandrel open both: `.pth` has the weights under `params_ema` and
    `params` (stored once), as BasicSR's default is the second and Real-ESRGAN's the first.
    `metadata` and the architecture go along. The file is complete or does not exist.

    Raises:
        WeightsError: the file exists and `overwrite` is not set, its folder or its suffix is
            wrong, or a weight is not finite.
    """
    path = Path(path)
    _check_target(path, overwrite=overwrite)
    state = _portable(network)
    if path.suffix == ".safetensors":
        _write(path, _safetensors_bytes(state, network, metadata))
    else:
        _write(path, _torch_bytes(state, network, metadata))


def _check_target(path: Path, *, overwrite: bool) -> None:
    if path.suffix not in (".pth", ".safetensors"):
        raise WeightsError(f"{path} must end in .pth or .safetensors")
    if not path.parent.is_dir():
        raise WeightsError(f"{path} cannot be written: the folder {path.parent} does not exist")
    if path.exists() and not overwrite:
        raise WeightsError(f"{path} exists: choose another name or ask to overwrite it")


def _portable(network: Generator) -> StateDict:
    """Contiguous float32 on the CPU: training keeps weights in other layouts."""
    state = {}
    for key, tensor in network.state_dict().items():
        if not tensor.isfinite().all():
            raise WeightsError(f"the network is not worth a file: {key} has values not finite")
        dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
        state[key] = tensor.detach().to("cpu", dtype).contiguous()
    return state


def _safetensors_bytes(state: StateDict, network: Generator, metadata: Mapping[str, str]) -> bytes:
    header = {**metadata, "architecture": json.dumps(network.architecture)}
    return safetensors.torch.save(state, header)


def _torch_bytes(state: StateDict, network: Generator, metadata: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    content = {
        "params_ema": state,
        "params": state,
        "architecture": network.architecture,
        "metadata": dict(metadata),
    }
    torch.save(content, buffer)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
