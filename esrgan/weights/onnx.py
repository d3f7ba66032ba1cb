"""Files for programs without PyTorch."""

import json
from collections.abc import Mapping
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from esrgan.files import write_whole
from esrgan.weights.architecture import Generator, multiple_of
from esrgan.weights.reading import WeightsError
from esrgan.weights.release import check_release_target

if TYPE_CHECKING:
    import onnx

OPSET = 18
"""The oldest that PyTorch writes without a conversion afterwards; what runs ONNX has known it since
2023."""

TOLERANCE = 1e-4
"""What the output may differ from PyTorch's, of 1: a fortieth of a step of an 8-bit image."""

SIZES = ((1, 8, 8), (2, 5, 12), (1, 23, 16))
"""On which the two are compared: batch, height, width, the latter times what the network needs."""

PACKAGES = ("onnx", "onnxruntime", "onnxscript")


def save_onnx(
    path: Path | str, network: Generator, *, metadata: Mapping[str, str], overwrite: bool = False
) -> float:
    """Write a generator as .onnx: `lq` in, `sr` out, float32 (N, 3, H, W), any N, H and W.

    Height and width must be multiples of the network's `unshuffle`; the metadata say so under
    `multiple_of`, beside `scale` and `architecture`. The file is run by onnxruntime before it is
    kept, at several sizes.

    Returns:
        The largest difference of the output from PyTorch's, of 1.

    Raises:
        ValueError: as for `save_release`, a package is not installed, or the outputs differ by more
            than 1e-4: then there is no file.
    """
    path = Path(path)
    check_release_target(path, suffixes=(".onnx",), overwrite=overwrite)
    _require_packages()
    network = deepcopy(network).to("cpu", torch.float32).eval()
    model = _export(network)
    _describe(model, network, metadata)
    content = model.SerializeToString()
    difference = _largest_difference(content, network)
    if not difference <= TOLERANCE:  # not a number is not
        raise WeightsError(
            f"{path} is not written: its output would differ from PyTorch's by {difference:.1e}, "
            f"which is more than {TOLERANCE:.0e}"
        )
    write_whole(path, content, overwrite=overwrite)
    return difference


def _require_packages() -> None:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"to write .onnx, {' and '.join(missing)} must be installed: pip install -e '.[onnx]'"
        )


def _export(network: Generator) -> "onnx.ModelProto":
    assert isinstance(network, torch.nn.Module)  # which its type cannot say
    multiple = multiple_of(network)
    side = torch.export.Dim
    shape = {0: side("batch"), 2: multiple * side("height"), 3: multiple * side("width")}
    program = torch.onnx.export(
        network,
        (torch.rand(2, 3, 8 * multiple, 12 * multiple),),
        input_names=["lq"],
        output_names=["sr"],
        dynamic_shapes=(shape,),
        opset_version=OPSET,
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
        "scale": str(network.scale),
        "multiple_of": str(multiple_of(network)),
        "architecture": json.dumps(network.architecture),
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
    for batch, height, width in SIZES:
        lq = torch.rand(batch, 3, height * multiple, width * multiple, generator=numbers)
        (sr,) = session.run(["sr"], {"lq": lq.numpy()})
        with torch.no_grad():
            differences.append((torch.from_numpy(sr) - network(lq)).abs().max())
    return float(torch.stack(differences).max())
