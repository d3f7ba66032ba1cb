"""Generators as programs that run without PyTorch (.onnx)."""

import io
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from esrgan.files import write_whole
from esrgan.networks import RRDBNet, SpandrelNetwork
from esrgan.weights.architecture import Generator, architecture_of, multiple_of, scale_of
from esrgan.weights.convertible import (
    ByConvolution,
    expected,
    refuse_difference,
    require_packages,
    unshuffles,
)
from esrgan.weights.onnx_halves import Shape, halves, random_images, run_onnx
from esrgan.weights.reading import WeightsError
from esrgan.weights.release import check_place

if TYPE_CHECKING:
    import onnx

OPSET = 18  # the oldest that PyTorch writes without a conversion; runtimes know it since 2023
# Of 1, from PyTorch's output: in float32, a fortieth of a step of an 8-bit image
_TOLERANCES = {"fp32": 1e-4, "fp16": 1e-2}
_SIZES = ((1, 8, 8), (2, 5, 12), (1, 23, 18))  # to compare at: batch, height, width by a multiple
_REASON = 160  # letters of what an exporter says


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
        half: whether weights and computation are in float16, but for what float16 cannot hold, and
            where that is too far off, for sums. Both ends stay float32.
        overwrite: whether an earlier file may be written over.

    Raises:
        ValueError: as for `save_release`, a package is not installed, the shape does not fit the
            network, or the outputs differ by more than 1e-4 (in float16, 1e-2): then there is no
            file.
    """
    path = Path(path)
    check_place(path, (".onnx",), overwrite=overwrite)
    require_packages(path, ("onnx", "onnxruntime", "onnxscript"), extra="onnx")
    network = deepcopy(network).to("cpu", torch.float32).eval()
    multiple = 1 if padding and isinstance(network, RRDBNet) else multiple_of(network)
    if shape is not None:
        _check_shape(shape, network, multiple=multiple)
    sizes = _sizes(multiple) if shape is None else [shape]
    tolerance = _TOLERANCES["fp16" if half else "fp32"]
    with _explaining(path, network, shape):
        exported = _export(network, multiple=multiple, shape=shape)
        for model in halves(exported, random_images(sizes[0])) if half else [exported]:
            _describe(model, network, metadata, multiple=multiple)
            content, difference = _run(model, network, sizes)
            if difference <= tolerance:
                break
    refuse_difference(path, difference, tolerance)
    write_whole(path, content, overwrite=overwrite)
    return difference


@contextmanager
def _explaining(path: Path, network: Generator, shape: Shape | None) -> Iterator[None]:
    """Say that a network of others is no program; in ours, that would be a mistake of ours."""
    try:
        yield
    except Exception as error:
        if not isinstance(network, SpandrelNetwork):
            raise
        name = architecture_of(network)["network"]
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = re.sub(r"\x1b\[\d+m", "", next(iter(str(cause).splitlines()), ""))[:_REASON]
        what, also = "a program", ""
        if shape is None:
            what, also = "a program for images of every size", "for one size --shape 1x3x256x256, "
        raise WeightsError(
            f"{path} is not written: {name} of spandrel cannot be made {what} ({reason}): {also}"
            ".safetensors and .pth are the other choices"
        ) from error


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
    if isinstance(network, SpandrelNetwork) and network.writes_weights():
        return _traced(network, shape)
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


def _traced(network: Generator, shape: Shape | None) -> "onnx.ModelProto":
    """As operations recorded from one pass: the exporter that reads a program ends in a crash here.

    What a pass computes of weights alone is a constant then: SPAN is one convolution for three.
    """
    import onnx

    axes = {0: "batch", 2: "height", 3: "width"}
    batch, *sides = shape or (1, 16, 24)
    content = io.BytesIO()
    with warnings.catch_warnings():  # that there is another exporter, and that a pass is recorded
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.rand(batch, 3, *sides),),
            content,  # type: ignore[arg-type] # this exporter takes it
            input_names=["input"],
            output_names=["output"],
            dynamic_axes=None if shape else {"input": axes, "output": axes},
            opset_version=OPSET,
            dynamo=False,
        )
    return onnx.load_from_string(content.getvalue())


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


def _run(
    model: "onnx.ModelProto", network: Generator, sizes: Sequence[Shape]
) -> tuple[bytes, float]:
    """The program's file, and the largest difference of its output from the network's."""
    content, differences = model.SerializeToString(), []
    for size in sizes:
        lq = random_images(size)
        (sr,) = run_onnx(content, lq.numpy(), ["output"])
        differences.append((torch.from_numpy(sr) - expected(network, lq)).abs().max())
    return content, float(torch.stack(differences).max())
