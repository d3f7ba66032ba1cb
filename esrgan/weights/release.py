"""Files to hand on: weights, and programs that run without PyTorch (.onnx)."""

import io
import json
from collections import OrderedDict
from collections.abc import Mapping
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch

from esrgan.files import check_target, write_whole
from esrgan.weights.architecture import Generator, architecture_of, multiple_of, scale_of
from esrgan.weights.keys import KeyLayout, StateDict, released
from esrgan.weights.reading import WeightsError

if TYPE_CHECKING:
    import onnx

_OPSET = 18  # the oldest that PyTorch writes without a conversion; runtimes know it since 2023
_TOLERANCE = 1e-4  # of 1, from PyTorch's output: a fortieth of a step of an 8-bit image
_SIZES = ((1, 8, 8), (2, 5, 12), (1, 23, 16))  # to compare at: batch, height, width by `multiple`


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
    `metadata` (text; what has a structure, as JSON), the scale and the architecture go along. The
    file is complete or does not exist.

    The weights may be on any device, in any precision; in the file they are of `dtype`, float32, or
    float16 for half the size. `layout` is one of `KEY_LAYOUTS`.

    Raises:
        ValueError: the file exists and `overwrite` is not set, its folder or its suffix is wrong,
            a weight is not finite, or the network has no names in this layout.
    """
    path = Path(path)
    _check_place(path, (".pth", ".safetensors"), overwrite=overwrite)
    state = layout(_portable(network, dtype))
    architecture = architecture_of(network)
    about = {"scale": str(scale_of(network)), **metadata}
    if path.suffix == ".safetensors":
        header = {**about, "architecture": json.dumps(architecture)}
        content = safetensors.torch.save(state, header)
    else:
        beside = {"architecture": architecture, "metadata": about}
        content = _torch_bytes(state, beside, bare=layout is not released)
    write_whole(path, content, overwrite=overwrite)


def save_onnx(
    path: Path | str, network: Generator, *, metadata: Mapping[str, str], overwrite: bool = False
) -> float:
    """Write a generator as .onnx: `lq` in, `sr` out, float32 (N, 3, H, W), any N, H and W.

    Height and width must be multiples of the network's `unshuffle`; the metadata say so under
    `multiple_of`, beside `scale` and `architecture`. Before it is kept, the file is run by
    onnxruntime at several sizes; the largest difference from PyTorch's output, of 1, is returned.

    Raises:
        ValueError: as for `save_release`, a package is not installed, or the outputs differ by more
            than 1e-4: then there is no file.
    """
    path = Path(path)
    _check_place(path, (".onnx",), overwrite=overwrite)
    missing = [name for name in ("onnx", "onnxruntime", "onnxscript") if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"to write .onnx, {' and '.join(missing)} must be installed: pip install -e '.[onnx]'"
        )
    network = deepcopy(network).to("cpu", torch.float32).eval()
    model = _export(network)
    _describe(model, network, metadata)
    content = model.SerializeToString()
    difference = _largest_difference(content, network)
    if not difference <= _TOLERANCE:  # not a number is not
        raise WeightsError(
            f"{path} is not written: its output would differ from PyTorch's by {difference:.1e}, "
            f"which is more than {_TOLERANCE:.0e}"
        )
    write_whole(path, content, overwrite=overwrite)
    return difference


def _check_place(path: Path, suffixes: tuple[str, ...], *, overwrite: bool) -> None:
    check_target(path, suffixes=suffixes, overwrite=overwrite)
    if not path.parent.is_dir():
        raise ValueError(f"{path} cannot be written: the folder {path.parent} does not exist")


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


def _torch_bytes(state: StateDict, beside: Mapping[str, Any], *, bare: bool) -> bytes:
    content: dict[str, Any] = {"params_ema": state, "params": state, **beside}
    if bare:  # the rest is in attributes of the dictionary, as torch's own `_metadata` is
        content = OrderedDict(state)
        vars(content).update(beside)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _export(network: Generator) -> "onnx.ModelProto":
    multiple = multiple_of(network)
    side = torch.export.Dim
    shape = {0: side("batch"), 2: multiple * side("height"), 3: multiple * side("width")}
    program = torch.onnx.export(
        network,
        (torch.rand(2, 3, 8 * multiple, 12 * multiple),),
        input_names=["lq"],
        output_names=["sr"],
        dynamic_shapes=(shape,),
        opset_version=_OPSET,
        verbose=False,
    )
    assert program is not None  # it is where no file is named
    return program.model_proto


def _describe(model: "onnx.ModelProto", network: Generator, metadata: Mapping[str, str]) -> None:
    import onnx

    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del part.metadata_props[:]  # the exporter's notes, paths of this machine among them
    about = {
        **metadata,
        "scale": str(scale_of(network)),
        "multiple_of": str(multiple_of(network)),
        "architecture": json.dumps(architecture_of(network)),
    }
    onnx.helper.set_model_props(model, about)


def _largest_difference(content: bytes, network: Generator) -> float:
    import onnxruntime  # type: ignore[import-untyped] # it has no types

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    multiple = multiple_of(network)
    numbers = torch.Generator().manual_seed(0)
    differences = []
    for batch, height, width in _SIZES:
        lq = torch.rand(batch, 3, height * multiple, width * multiple, generator=numbers)
        (sr,) = session.run(["sr"], {"lq": lq.numpy()})
        with torch.no_grad():
            differences.append((torch.from_numpy(sr) - network(lq)).abs().max())
    return float(torch.stack(differences).max())
