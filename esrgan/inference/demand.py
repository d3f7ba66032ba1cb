"""What a network needs: surroundings of a tile, and memory."""

import math
from typing import NamedTuple

from torch import Tensor, nn

from esrgan.inference.upscale import computing_exactly
from esrgan.weights import multiple_of

SPREADS = 6.5
"""Overlap of tiles, in standard deviations of a network's effective receptive field.

With it no value of 8 bits of a tiled image was more than one level off that of the whole: 52 pixels
for 6 blocks (43 to 48 sufficed, with Real-ESRGAN's weights), 99 for 23 (96 sufficed).
"""


class Demand(NamedTuple):
    """What each pixel of the input takes."""

    overlap: int
    """Pixels beyond the edge of a tile that make a difference in it, of its input.

    Each 3×3 convolution can hand on what happens one pixel further; for the network of the paper
    that makes 347 pixels. But what arrives falls like the sum of as many random steps, a Gaussian
    whose variance is the sum of those of the kernels (Luo et al., "Understanding the effective
    receptive field in deep convolutional neural networks", NIPS 2016): it grows with the root of
    the depth. So a few standard deviations are enough where they are less.
    """

    elements: int
    """Numbers in the largest input or output of a convolution, per pixel of the network's input."""


def measure_demand(network: nn.Module) -> Demand:
    """Found by looking at each convolution while a few pixels pass.

    Args:
        network: in evaluation mode.
    """
    multiple = multiple_of(network)
    side = 8 * multiple
    reach = variance = 0.0
    largest = 3 * side**2

    def look(convolution: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> None:
        nonlocal reach, variance, largest
        step, kernel = side / inputs[0].shape[-1], convolution.kernel_size[0]
        reach += step * (kernel // 2)
        variance += step**2 * (kernel**2 - 1) / 12  # of equal weights
        largest = max(largest, inputs[0].numel(), output.numel())

    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    hooks = [convolution.register_forward_hook(look) for convolution in convolutions]
    weights = next(network.parameters())
    with computing_exactly(weights.device):
        network(weights.new_zeros(1, 3, side, side))
    for hook in hooks:
        hook.remove()
    overlap = math.ceil(min(reach, SPREADS * math.sqrt(variance)) / multiple) * multiple
    return Demand(overlap=overlap, elements=math.ceil(largest / side**2))
