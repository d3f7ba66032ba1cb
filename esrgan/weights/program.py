"""Generators as programs that run without PyTorch (.onnx)."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from esrgan.files import write_whole
from esrgan.networks import RRDBNet
from esrgan.weights.architecture import Generator, architecture_of, multiple_of, scale_of
from esrgan.weights.convertible import ByConvolution, expected, unshuffles
from esrgan.weights.reading import WeightsError
from esrgan.weights.release import check_place

if TYPE_CHECKING:
    import onnx

Shape = tuple[int, int, int]
"""Batch, height, width."""

OPSET = 18  # the oldest that PyTorch writes without a conversion; runtimes know it since 2023
# Of 1, from PyTorch's output: in float32, a fortieth of a step of an 8-bit image
_TOLERANCES = {"fp32": 1e-4, "fp16": 1e-2}
_SIZES = ((1, 8, 8), (2, 5, 12), (1, 23, 18))  # to compare at: batch, height, width by a multiple
_LARGEST = 65504 / 8  # of what float16 holds: other images have larger values than the one tried


def save_onnx(
    path: Path | str,
    network: Generator,
    *,
    metadata: Mapping[str, str],
    padding: bool = True,
    shape: Shape | None = None,
    half: bool = False,
    overwrite: bool = False,
) -> float:
    """Write a generator as .onnx: `input`, `output`, float32 (N, 3, H, W), any N, H and W.

    Where RRDBNet asks for multiples of its `unshuffle` (scale 2 and 1), the program mirrors what is
    missing at the right and bottom, and crops its output; H and W are at least that number. Without
    `padding` it takes multiples only, by operations whose sizes do not vary, as programs that
    convert it further expect. What H and W must be multiples of, the metadata say under
    `multiple_of`, beside `scale` and `architecture`. Before it is kept, the file is run by
    onnxruntime at several sizes; the largest difference from PyTorch's output, of 1, is returned.

    Args:
        path: where to.
        network: the generator.
        metadata: what else the file says of itself.
        padding: see above.
        shape: the one N, H and W that the program takes; None: any.
        half: whether weights and computation are in float16, but for what float16 cannot hold. Both
            ends stay float32.
        overwrite: whether an earlier file may be written over.

    Raises:
        ValueError: as for `save_release`, a package is not installed, the shape does not fit the
            network, or the outputs differ by more than 1e-4 (in float16, 1e-2): then there is no
            file.
    """
    path = Path(path)
    check_place(path, (".onnx",), overwrite=overwrite)
    missing = [name for name in ("onnx", "onnxruntime", "onnxscript") if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"to write .onnx, {' and '.join(missing)} must be installed: pip install -e '.[onnx]'"
        )
    network = deepcopy(network).to("cpu", torch.float32).eval()
    multiple = 1 if padding and isinstance(network, RRDBNet) else multiple_of(network)
    if shape is not None:
        _check_shape(shape, network, multiple=multiple)
    model = _export(network, multiple=multiple, shape=shape)
    if half:
        model = _halved(model, multiple=multiple, shape=shape)
    _describe(model, network, metadata, multiple=multiple)
    content = model.SerializeToString()
    sizes = _sizes(multiple) if shape is None else [shape]
    difference = _largest_difference(content, network, sizes)
    tolerance = _TOLERANCES["fp16" if half else "fp32"]
    if not difference <= tolerance:  # not a number is not
        raise WeightsError(
            f"{path} is not written: its output would differ from PyTorch's by {difference:.1e}, "
            f"which is more than {tolerance:.0e}"
        )
    write_whole(path, content, overwrite=overwrite)
    return difference


def _check_shape(shape: Shape, network: Generator, *, multiple: int) -> None:
    smallest = multiple_of(network)  # of which less one is mirrored
    for side in shape[1:]:
        if side < smallest or side % multiple:
            rule = f"multiples of {multiple}" if multiple > 1 else f"at least {smallest}"
            raise ValueError(
                f"the shape has sides of {shape[1]} and {shape[2]}: this network of scale "
                f"{scale_of(network)} takes {rule}"
            )


def _sizes(multiple: int) -> list[Shape]:
    return [(batch, height * multiple, width * multiple) for batch, height, width in _SIZES]


def _export(network: Generator, *, multiple: int, shape: Shape | None) -> "onnx.ModelProto":
    smallest = 1
    if unshuffles(network):
        assert isinstance(network, RRDBNet)
        pads = multiple == 1
        smallest = network.unshuffle if pads else 1
        network = ByConvolution(network, pads=pads).eval()
    height, width = (torch.export.Dim(name, min=smallest) for name in ("height", "width"))
    varying = {0: torch.export.Dim("batch"), 2: multiple * height, 3: multiple * width}
    batch, *sides = shape or (2, 8 * multiple, 12 * multiple)
    program = torch.onnx.export(
        network,
        (torch.rand(batch, 3, *sides),),
        input_names=["input"],
        output_names=["output"],
        dynamic_shapes=None if shape else (varying,),
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None  # it is where no file is named
    return program.model_proto


def _halved(model: "onnx.ModelProto", *, multiple: int, shape: Shape | None) -> "onnx.ModelProto":
    """In float16 between the ends, but for layers with values that are too large for it."""
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    largest = _largest_values(model, shape or _sizes(multiple)[0])
    kept = [
        node.name
        for node in model.graph.node
        if not all(largest.get(name, 0.0) <= _LARGEST for name in (*node.input, *node.output))
    ]
    converted = convert_float_to_float16(model, keep_io_types=True, node_block_list=kept)
    _leave_out_detours(converted)
    sorted_again = OnnxModel(converted)
    sorted_again.topological_sort()
    halved: onnx.ModelProto = sorted_again.model
    return halved


def _leave_out_detours(model: "onnx.ModelProto") -> None:
    """Between two layers that stay in float32, the converter goes by way of float16."""
    import onnx

    casts = {node.output[0]: node for node in model.graph.node if node.op_type == "Cast"}
    kinds = {name: node.attribute[0].i for name, node in casts.items()}
    whole = {
        each.name for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT
    }
    instead = {}
    for name, node in casts.items():
        if kinds[name] != onnx.TensorProto.FLOAT:
            continue
        (given,) = node.input
        if kinds.get(given) == onnx.TensorProto.FLOAT16:
            instead[name] = casts[given].input[0]
        elif given in whole:
            instead[name] = given
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = instead.get(name, name)
    used = {name for node in model.graph.node for name in node.input}
    used |= {value.name for value in model.graph.output}
    left = [node for node in model.graph.node if used & set(node.output)]
    del model.graph.node[:]
    model.graph.node.extend(left)


def _largest_values(model: "onnx.ModelProto", size: Shape) -> dict[str, float]:
    """Of each tensor between the layers, and of the weights, by its name."""
    import onnx

    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    names = [name for node in shown.graph.node for name in node.output]
    given = {value.name for value in shown.graph.output}
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in given)
    values = _run(shown.SerializeToString(), _images(size).numpy(), names)
    weights = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    both = {**dict(zip(names, values, strict=True)), **weights}
    return {name: float(np.abs(each).max()) for name, each in both.items() if each.size}


def _describe(
    model: "onnx.ModelProto", network: Generator, metadata: Mapping[str, str], *, multiple: int
) -> None:
    import onnx

    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del part.metadata_props[:]  # the exporter's notes, paths of this machine among them
    about = {
        **metadata,
        "scale": str(scale_of(network)),
        "multiple_of": str(multiple),
        "architecture": json.dumps(architecture_of(network)),
    }
    onnx.helper.set_model_props(model, about)


def _largest_difference(content: bytes, network: Generator, sizes: Sequence[Shape]) -> float:
    differences = []
    for size in sizes:
        lq = _images(size)
        (sr,) = _run(content, lq.numpy(), ["output"])
        differences.append((torch.from_numpy(sr) - expected(network, lq)).abs().max())
    return float(torch.stack(differences).max())


def _images(size: Shape) -> Tensor:
    batch, *sides = size
    return torch.rand(batch, 3, *sides, generator=torch.Generator().manual_seed(0))


def _run(content: bytes, lq: np.ndarray, names: Sequence[str]) -> list[np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    values: list[np.ndarray] = session.run(list(names), {"input": lq})
    return values
