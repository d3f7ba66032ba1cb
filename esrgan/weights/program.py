"""Generators as programs that run without PyTorch (.onnx)."""

import io
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from esrgan.files import write_whole
from esrgan.networks import RRDBNet, SpandrelNetwork
from esrgan.weights.architecture import Generator, architecture_of, multiple_of, scale_of
from esrgan.weights.reading import WeightsError
from esrgan.weights.release import check_place

if TYPE_CHECKING:
    import onnx

_OPSET = 18  # the oldest that PyTorch writes without a conversion; runtimes know it since 2023
_TOLERANCE = 1e-4  # of 1, from PyTorch's output: a fortieth of a step of an 8-bit image
_REASON = 160  # letters of what an exporter says
_SIZES = ((1, 8, 8), (2, 5, 12), (1, 23, 18))  # to compare at: batch, height, width by a multiple


def save_onnx(
    path: Path | str,
    network: Generator,
    *,
    metadata: Mapping[str, str],
    padding: bool = True,
    overwrite: bool = False,
) -> float:
    """Write a generator as .onnx: `lq` in, `sr` out, float32 (N, 3, H, W), any N, H and W.

    Where RRDBNet asks for multiples of its `unshuffle` (scale 2 and 1), the program mirrors what is
    missing at the right and bottom, and crops its output; H and W are at least that number. Without
    `padding` it takes multiples only, by operations whose sizes do not vary, as programs that
    convert it further expect. What H and W must be multiples of, the metadata say under
    `multiple_of`, beside `scale` and `architecture`. Before it is kept, the file is run by
    onnxruntime at several sizes; the largest difference from PyTorch's output, of 1, is returned.

    Raises:
        ValueError: as for `save_release`, a package is not installed, or the outputs differ by more
            than 1e-4: then there is no file.
    """
    path = Path(path)
    check_place(path, (".onnx",), overwrite=overwrite)
    missing = [name for name in ("onnx", "onnxruntime", "onnxscript") if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"to write .onnx, {' and '.join(missing)} must be installed: pip install -e '.[onnx]'"
        )
    network = deepcopy(network).to("cpu", torch.float32).eval()
    pads = padding and isinstance(network, RRDBNet)
    multiple = 1 if pads else multiple_of(network)
    with _named(path, network):
        model = _export(network, multiple=multiple)
        _describe(model, network, metadata, multiple=multiple)
        content = model.SerializeToString()
        difference = _largest_difference(content, network, multiple=multiple)
    if not difference <= _TOLERANCE:  # not a number is not
        raise WeightsError(
            f"{path} is not written: its output would differ from PyTorch's by {difference:.1e}, "
            f"which is more than {_TOLERANCE:.0e}"
        )
    write_whole(path, content, overwrite=overwrite)
    return difference


@contextmanager
def _named(path: Path, network: Generator) -> Iterator[None]:
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
        raise WeightsError(
            f"{path} is not written: {name} of spandrel cannot be made a program for images of "
            f"every size ({reason}): .safetensors and .pth can be written"
        ) from error


class _ByConvolution(nn.Module):
    """RRDBNet whose unshuffle is a convolution with ones.

    Programs that convert .onnx files to other forms stumble over reshapes by sizes that vary.

    With `pads`, one pixel less than a step is always mirrored: it completes the last step where
    that has some pixels, and is left out by the convolution where it has none.
    """

    ones: Tensor

    def __init__(self, network: RRDBNet, *, pads: bool) -> None:
        super().__init__()
        self.network, self.pads = network, pads
        side = network.unshuffle
        channels = torch.eye(3).repeat_interleave(side**2, dim=0)[..., None, None]
        places = torch.eye(side**2).reshape(side**2, 1, side, side).repeat(3, 1, 1, 1)
        self.register_buffer("ones", channels * places)

    def forward(self, lq: Tensor) -> Tensor:
        step, scale = self.network.unshuffle, self.network.scale
        height, width = lq.shape[-2:]
        if self.pads:
            lq = F.pad(lq, (0, step - 1, 0, step - 1), mode="reflect")
        sr = self.network.from_cells(F.conv2d(lq, self.ones, stride=step))
        return sr[..., : height * scale, : width * scale] if self.pads else sr


def _export(network: Generator, *, multiple: int) -> "onnx.ModelProto":
    smallest = 1
    if isinstance(network, RRDBNet) and network.unshuffle > 1:
        pads = multiple == 1
        smallest = network.unshuffle if pads else 1
        network = _ByConvolution(network, pads=pads).eval()
    if isinstance(network, SpandrelNetwork) and network.writes_weights():
        return _traced(network)
    height, width = (torch.export.Dim(name, min=smallest) for name in ("height", "width"))
    shape = {0: torch.export.Dim("batch"), 2: multiple * height, 3: multiple * width}
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


def _traced(network: Generator) -> "onnx.ModelProto":
    """As operations recorded from one pass: the exporter that reads a program ends in a crash here.

    What a pass computes of weights alone is a constant then: SPAN is one convolution for three.
    """
    import onnx

    axes = {0: "batch", 2: "height", 3: "width"}
    content = io.BytesIO()
    with warnings.catch_warnings():  # that there is another exporter, and that a pass is recorded
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.rand(1, 3, 16, 24),),
            content,  # type: ignore[arg-type] # this exporter takes it
            input_names=["lq"],
            output_names=["sr"],
            dynamic_axes={"lq": axes, "sr": axes},
            opset_version=_OPSET,
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


def _largest_difference(content: bytes, network: Generator, *, multiple: int) -> float:
    import onnxruntime  # type: ignore[import-untyped] # it has no types

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it refuses is an exception, too
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    numbers = torch.Generator().manual_seed(0)
    differences = []
    for batch, height, width in _SIZES:
        lq = torch.rand(batch, 3, height * multiple, width * multiple, generator=numbers)
        (sr,) = session.run(["sr"], {"lq": lq.numpy()})
        with torch.no_grad():
            differences.append((torch.from_numpy(sr) - _expected(network, lq)).abs().max())
    return float(torch.stack(differences).max())


def _expected(network: Generator, lq: Tensor) -> Tensor:
    """What the network makes of an image that is mirrored up to a multiple, cropped."""
    multiple, scale = multiple_of(network), scale_of(network)
    height, width = lq.shape[-2:]
    mirrored = F.pad(lq, (0, -width % multiple, 0, -height % multiple), mode="reflect")
    sr: Tensor = network(mirrored)
    return sr[..., : height * scale, : width * scale]
