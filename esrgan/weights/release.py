"""Files to hand on."""

import io
import json
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from esrgan.durable import write_whole
from esrgan.weights.architecture import Generator
from esrgan.weights.dialects import Dialect, released
from esrgan.weights.files import StateDict, WeightsError
from esrgan.weights.writing import check_target

SUFFIXES = (".pth", ".safetensors")


def save_release(
    path: Path | str,
    network: Generator,
    *,
    metadata: Mapping[str, str],
    dialect: Dialect = released,
    dtype: torch.dtype = torch.float32,
    overwrite: bool = False,
) -> None:
    """Write the weights of a generator as .pth or .safetensors.

    Real-ESRGAN, BasicSR and spandrel open both: `.pth` has the weights under `params_ema` and
    `params` (stored once), as BasicSR's default is the second and Real-ESRGAN's the first. Under
    older names they are bare, because the programs that know those look for nothing else.
    `metadata`, the scale and the architecture go along. The file is complete or does not exist.

    Args:
        path: what it ends in says which kind of file it is.
        network: its weights may be on any device, in any precision.
        metadata: text; what has a structure, as JSON.
        dialect: the names of the layers, one of `dialects.py`.
        dtype: float32, or float16 for half the size.
        overwrite: whether a file that exists may be replaced.

    Raises:
        WeightsError: the file exists and `overwrite` is not set, its folder or its suffix is
            wrong, or a weight is not finite.
        ValueError: the network has no names in this dialect.
    """
    path = Path(path)
    check_target(path, suffixes=SUFFIXES, overwrite=overwrite)
    state = dialect(_portable(network, dtype))
    about = {"scale": str(network.scale), **metadata}
    if path.suffix == ".safetensors":
        header = {**about, "architecture": json.dumps(network.architecture)}
        write_whole(path, safetensors.torch.save(state, header))
    else:
        beside = {"architecture": network.architecture, "metadata": about}
        content = _wrapped(state, beside) if dialect is released else _bare(state, beside)
        write_whole(path, _torch_bytes(content))


def _portable(network: Generator, dtype: torch.dtype) -> StateDict:
    """Contiguous on the CPU: training keeps weights in other layouts."""
    state = {}
    for key, tensor in network.state_dict().items():
        kept = tensor.to("cpu", dtype if tensor.is_floating_point() else tensor.dtype)
        if not kept.isfinite().all():
            why = f" in {dtype}" if tensor.isfinite().all() else ""
            raise WeightsError(f"the network is not worth a file: {key} has values not finite{why}")
        state[key] = kept.detach().contiguous()
    return state


def _wrapped(state: StateDict, beside: Mapping[str, Any]) -> dict[str, Any]:
    return {"params_ema": state, "params": state, **beside}


def _bare(state: StateDict, beside: Mapping[str, Any]) -> dict[str, Any]:
    """The rest is in attributes of the dictionary, as torch's own `_metadata` is."""
    content = OrderedDict(state)
    vars(content).update(beside)
    return content


def _torch_bytes(content: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
