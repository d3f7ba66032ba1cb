"""Generators as programs that convert them to other forms understand them."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from esrgan.networks import RRDBNet
from esrgan.weights.architecture import Generator, multiple_of, scale_of
from esrgan.weights.reading import WeightsError


class ByConvolution(nn.Module):
    """RRDBNet whose unshuffle is a convolution with ones.

    Programs that convert networks stumble over reshapes by sizes that vary.

    With `pads`, one pixel less than a step is always mirrored: it completes the last step where
    that has some pixels, and is left out by the convolution where it has none. What that adds to
    the output, at the right and bottom, is cropped unless `crops` is false.
    """

    ones: Tensor

    def __init__(self, network: RRDBNet, *, pads: bool, crops: bool = True) -> None:
        super().__init__()
        self.network, self.pads, self.crops = network, pads, pads and crops
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
        return sr[..., : height * scale, : width * scale] if self.crops else sr


def unshuffles(network: Generator) -> bool:
    return isinstance(network, RRDBNet) and network.unshuffle > 1


def expected(network: Generator, lq: Tensor) -> Tensor:
    """What the network makes of an image that is mirrored up to a multiple, cropped."""
    multiple, scale = multiple_of(network), scale_of(network)
    height, width = lq.shape[-2:]
    mirrored = F.pad(lq, (0, -width % multiple, 0, -height % multiple), mode="reflect")
    with torch.no_grad():
        sr: Tensor = network(mirrored)
    return sr[..., : height * scale, : width * scale]


def require_packages(path: Path, names: Sequence[str], *, extra: str) -> None:
    """A ValueError that says how to get those that are not installed."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"to write {path.suffix}, {' and '.join(missing)} must be installed: "
            f"pip install -e '.[{extra}]'"
        )


def refuse_difference(path: Path, difference: float, tolerance: float) -> None:
    """A WeightsError where a program's output is farther from PyTorch's."""
    if not difference <= tolerance:  # not a number is not
        raise WeightsError(
            f"{path} is not written: its output would differ from PyTorch's by {difference:.1e}, "
            f"which is more than {tolerance:.0e}"
        )
