"""What a network takes for each pixel, and how the part of it that enlarges takes less."""

import math
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from esrgan.inference.measuring import measure_memory
from esrgan.inference.network import computing_exactly
from esrgan.inference.windows import Window
from esrgan.networks import SpandrelNetwork
from esrgan.weights import Generator, multiple_of, scale_of

_SPREADS = 6.5
"""Overlap of tiles, in standard deviations of a network's effective receptive field.

With it no value of 8 bits of a tiled image was more than one level off that of the whole: 52 pixels
for 6 blocks (43 to 48 sufficed, with Real-ESRGAN's weights), 99 for 23 (96 sufficed).
"""

_OVERHEAD = 2
"""Memory that a network of others may take, of what is seen: SwinIR took 1.9 times as much."""

MAPS = 3
"""Memory that networks take, in numbers of their largest map. Measured on a CPU: those that enlarge
by 4 take 2.1 to 2.4 such maps, those of scale 1, 2.5 to 3.0."""

_SMALLEST_PIECE = 32  # in features: what surrounds smaller ones would take most of the time


@runtime_checkable
class InStages(Protocol):
    """A network whose output is `reconstruct(extract_features(lq))`.

    The second stage enlarges and has few layers: it takes most of the memory, little of the time,
    and depends on few surroundings. In small pieces, it lets the first have much larger tiles.
    """

    def extract_features(self, lq: Tensor) -> Tensor: ...

    def reconstruct(self, features: Tensor) -> Tensor: ...


class Footprint(NamedTuple):
    """What a network takes for each pixel of its input: surroundings, and memory."""

    overlap: int | None
    """Pixels of the input around a tile on which its result depends: its receptive field.

    Each 3×3 convolution can hand on what happens one pixel further; for the network of the paper
    that makes 347 pixels. But what arrives falls like the sum of as many random steps, a Gaussian
    whose variance is the sum of those of the kernels (Luo et al., "Understanding the effective
    receptive field in deep convolutional neural networks", NIPS 2016): it grows with the root of
    the depth. So a few standard deviations are enough where they are less.

    None: no formula tells it, and it is measured when it is needed (`measure_surroundings`).
    """

    elements: int
    """Numbers in the largest input or output of a convolution; in stages, of the first."""

    reach: int = 0
    """Features around a piece on which the second stage depends, however little."""

    enlarged: int = 0
    """Numbers in the largest input or output of a convolution of the second stage."""

    period: int = 1
    """Tiles begin at multiples of it."""

    residue: float = 0
    """What is left of the influence of what is farther away than the overlap, of 1."""


class _Seen(NamedTuple):
    """A convolution while an image passed, in pixels of the network's input."""

    reach: float
    variance: float
    numbers: int


def measure_footprint(network: Generator) -> Footprint:
    """Found by looking at each convolution while a few pixels pass, in evaluation mode."""
    if isinstance(network, SpandrelNetwork):
        return Footprint(None, math.ceil(_OVERHEAD * measure_memory(network) / MAPS))
    multiple = multiple_of(network)
    side = 8 * multiple
    seen: list[_Seen] = []

    def look(convolution: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> None:
        step, kernel = side / inputs[0].shape[-1], convolution.kernel_size[0]
        variance = step**2 * (kernel**2 - 1) / 12  # of equal weights
        numbers = max(inputs[0].numel(), output.numel())
        seen.append(_Seen(step * (kernel // 2), variance, numbers))

    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    hooks = [convolution.register_forward_hook(look) for convolution in convolutions]
    weights = next(network.parameters())
    with computing_exactly(weights.device):
        pixels = weights.new_zeros(1, 3, side, side)
        if isinstance(network, InStages):
            features = network.extract_features(pixels)
            num_first = len(seen)
            network.reconstruct(features)
        else:
            network(pixels)
            num_first = len(seen)
    for hook in hooks:
        hook.remove()
    reach, second_reach = (sum(each.reach for each in part) for part in (seen, seen[num_first:]))
    overlap = min(reach, _SPREADS * math.sqrt(sum(each.variance for each in seen)))
    elements, enlarged = (
        math.ceil(max((each.numbers for each in part), default=0) / side**2)
        for part in (seen[:num_first], seen[num_first:])
    )
    return Footprint(
        overlap=math.ceil(overlap / multiple) * multiple,
        elements=max(elements, 3),
        reach=math.ceil(second_reach / multiple),
        enlarged=enlarged,
        period=multiple,
    )


def apply_network(
    network: Generator, footprint: Footprint, lq: Tensor, *, wanted: Window
) -> Tensor:
    """The network's output for a window of its input: (1, 3, H * scale, W * scale) of it.

    The second stage has pieces, for which it takes no more memory than the first took. They are
    computed from all that they depend on, so that no seam is left.

    Args:
        network: in evaluation mode.
        footprint: that of the network.
        lq: (1, 3, H, W), with sides that are multiples of the network's.
        wanted: begins at such multiples.
    """
    scale, multiple = scale_of(network), multiple_of(network)
    if not isinstance(network, InStages):
        whole: Tensor = network(lq)
        return whole[(..., *wanted.scaled(scale).slices)]
    features = network.extract_features(lq)
    height, width = features.shape[-2:]
    image, cells = Window(0, height, 0, width), wanted.in_cells(multiple)
    enlargement = scale * multiple
    shape = (1, 3, cells.height * enlargement, cells.width * enlargement)
    sr = features.new_empty(shape).to(memory_format=torch.channels_last)
    share = footprint.elements / max(footprint.elements, footprint.enlarged)
    side = max(int(math.sqrt(height * width * share)) - 2 * footprint.reach, _SMALLEST_PIECE)
    for piece in cells.split(side, multiple=1):
        around = piece.grown(footprint.reach, within=image)
        enlarged = network.reconstruct(features[(..., *around.slices)])
        inside = piece.seen_from(around).scaled(enlargement).slices
        sr[(..., *piece.seen_from(cells).scaled(enlargement).slices)] = enlarged[(..., *inside)]
    return sr[..., : wanted.height * scale, : wanted.width * scale]
