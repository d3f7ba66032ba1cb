"""Programs (.onnx) in float16, and how they are run to see what comes out."""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    import onnx

Shape = tuple[int, int, int]
"""Batch, height, width."""

_LARGEST = 65504 / 8  # of what float16 holds: other images have larger values than the one tried


def halves(model: "onnx.ModelProto", images: Tensor) -> Iterator["onnx.ModelProto"]:
    """Programs in float16 between their ends, one more exact than the other.

    In both, layers with values that are too large for it stay in float32. In the second so do sums
    and what is multiplied: where the errors of a network are, whose blocks add a little each to
    what they were given.

    Args:
        model: computes in float32.
        images: what is tried to see how large the values are.
    """
    largest = _largest_values(model, images)
    too_large = {
        node.name
        for node in model.graph.node
        if not all(largest.get(name, 0.0) <= _LARGEST for name in (*node.input, *node.output))
    }
    yield _halved(model, too_large)
    sums = {node.name for node in model.graph.node if node.op_type in ("Add", "Mul")}
    yield _halved(model, too_large | sums)


def _halved(model: "onnx.ModelProto", kept: Collection[str]) -> "onnx.ModelProto":
    """In float16, but for the nodes of these names."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    own = onnx.ModelProto()
    own.CopyFrom(model)  # the converter changes what it is given
    converted = convert_float_to_float16(own, keep_io_types=True, node_block_list=sorted(kept))
    _leave_out_detours(converted)
    sorted_again = OnnxModel(converted)
    sorted_again.topological_sort()
    result: onnx.ModelProto = sorted_again.model
    return result


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


def _largest_values(model: "onnx.ModelProto", images: Tensor) -> dict[str, float]:
    """Of each tensor between the layers, and of the weights, by its name."""
    import onnx

    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    names = [name for node in shown.graph.node for name in node.output]
    given = {value.name for value in shown.graph.output}
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in given)
    values = run_onnx(shown.SerializeToString(), images.numpy(), names)
    weights = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    both = {**dict(zip(names, values, strict=True)), **weights}
    return {name: float(np.abs(each).max()) for name, each in both.items() if each.size}


def random_images(size: Shape) -> Tensor:
    """(N, 3, H, W) in [0, 1], the same every time."""
    batch, *sides = size
    return torch.rand(batch, 3, *sides, generator=torch.Generator().manual_seed(0))


def run_onnx(content: bytes, lq: np.ndarray, names: Sequence[str]) -> list[np.ndarray]:
    """What onnxruntime computes of lq, (N, 3, H, W), by the names in a program."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it refuses is an exception, too
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    values: list[np.ndarray] = session.run(list(names), {"input": lq})
    return values
