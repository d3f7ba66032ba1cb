"""Files to hand on: weights for other programs."""

import io
import json
from collections import OrderedDict
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from esrgan.files import check_target, write_whole
from esrgan.networks import SpandrelNetwork
from esrgan.weights.architecture import Generator, architecture_of, scale_of
from esrgan.weights.digest import DIGEST, digest_of
from esrgan.weights.keys import KeyLayout, StateDict, released
from esrgan.weights.reading import WeightsError


def save_release(
    path: Path | str,
    network: Generator,
    *,
    metadata: Mapping[str, str],
    layout: KeyLayout = released,
    dtype: torch.dtype = torch.float32,
    overwrite: bool = False,
) -> None:
    """Write the weights of a generator as .pth or .safetensors.

    Real-ESRGAN, BasicSR and spandrel open both: `.pth` has the weights under `params_ema` and
    `params` (stored once), as BasicSR's default is the second and Real-ESRGAN's the first. Under
    older names they are bare, because the programs that know those look for nothing else.
    `metadata` (text; what has a structure, as JSON), the scale and the architecture go along, and a
    digest of it all, by which damage is found. The file is complete or does not exist.

    The weights may be on any device, in any precision; in the file they are of `dtype`, float32, or
    float16 for half the size. `layout` is one of `KEY_LAYOUTS`.

    Raises:
        ValueError: the file exists and `overwrite` is not set, its folder or its suffix is wrong,
            a weight is not finite, or the network has no names in this layout.
    """
    path = Path(path)
    check_place(path, (".pth", ".safetensors"), overwrite=overwrite)
    state = layout(_portable(network, dtype))
    architecture = architecture_of(network)
    about = {"scale": str(scale_of(network)), **metadata}
    if path.suffix == ".safetensors":
        digest = digest_of({**state, "architecture": architecture, "metadata": about})
        header = {**about, "architecture": json.dumps(architecture), DIGEST: digest}
        content = safetensors.torch.save(state, header)
    else:
        beside = {"architecture": architecture, "metadata": about}
        content = _torch_bytes(state, beside, bare=layout is not released)
    write_whole(path, content, overwrite=overwrite)


def check_place(path: Path, suffixes: tuple[str, ...], *, overwrite: bool) -> None:
    check_target(path, suffixes=suffixes, overwrite=overwrite)
    if not path.parent.is_dir():
        raise ValueError(f"{path} cannot be written: the folder {path.parent} does not exist")


def _portable(network: Generator, dtype: torch.dtype) -> StateDict:
    """Contiguous on the CPU: training keeps weights in other layouts."""
    if isinstance(network, SpandrelNetwork):  # not all that read a file compute weights anew
        network = deepcopy(network)
        network.settle()
    state = {}
    for key, tensor in network.state_dict().items():
        kept = tensor.to("cpu", dtype if tensor.is_floating_point() else tensor.dtype)
        if not kept.isfinite().all():
            why = f" in {dtype}" if tensor.isfinite().all() else ""
            raise WeightsError(f"the network is not worth a file: {key} has values not finite{why}")
        state[key] = kept.detach().contiguous()
    return state


def _torch_bytes(state: StateDict, beside: Mapping[str, Any], *, bare: bool) -> bytes:
    content: dict[str, Any] = {"params_ema": state, "params": state, **beside}
    if bare:  # the rest is in attributes of the dictionary, as torch's own `_metadata` is
        content = OrderedDict(state)
        vars(content).update(beside, **{DIGEST: digest_of({**state, **beside})})
    else:
        content[DIGEST] = digest_of(content)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
