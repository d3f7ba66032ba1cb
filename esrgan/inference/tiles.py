"""Tiles of an image: their edges, the surroundings they need, and the memory there is for them."""

import math
from itertools import count
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from esrgan.hardware import free_memory
from esrgan.inference.network import computing_exactly
from esrgan.weights import Generator, multiple_of

CPU_LIMIT = 7 << 28
"""Bytes that a tile may take on a CPU: 1.75 GiB, so that with a result of 100 megapixels it is 2.

Larger tiles save the time of overlaps, but ever less of it.
"""

_SPREADS = 6.5
"""Overlap of tiles, in standard deviations of a network's effective receptive field.

With it no value of 8 bits of a tiled image was more than one level off that of the whole: 52 pixels
for 6 blocks (43 to 48 sufficed, with Real-ESRGAN's weights), 99 for 23 (96 sufficed).
"""


class Window(NamedTuple):
    """A rectangle in pixels; the ends are behind its last row and column."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def scaled(self, scale: int) -> Self:
        """The same rectangle of the image that is `scale` times as large."""
        return type(self)(*(scale * edge for edge in self))

    def seen_from(self, other: Self) -> Self:
        """Counted from the corner of a window around it."""
        rows, columns = (edge - other.top for edge in self[:2]), (e - other.left for e in self[2:])
        return type(self)(*rows, *columns)

    def grown(self, pixels: int, *, within: Self) -> Self:
        """With more pixels on each side, as far as the image has them."""
        return type(self)(
            max(self.top - pixels, within.top),
            min(self.bottom + pixels, within.bottom),
            max(self.left - pixels, within.left),
            min(self.right + pixels, within.right),
        )

    def split(self, side: int, *, multiple: int) -> list[Self]:
        """Windows of about equal size that make up this one, no side of them longer than `side`.

        Args:
            side: at least `multiple`.
            multiple: they begin at multiples of it, as this one does.
        """
        rows = _parts(self.top, self.bottom, side, multiple)
        columns = _parts(self.left, self.right, side, multiple)
        return [type(self)(*row, *column) for row in rows for column in columns]


def _parts(begin: int, end: int, side: int, multiple: int) -> list[tuple[int, int]]:
    cells = -(-(end - begin) // multiple)
    number = -(-cells // (side // multiple))
    cuts = [begin + cells * part // number * multiple for part in range(number)]
    return list(zip(cuts, [*cuts[1:], end], strict=True))


def side_for(image: Window, pixels: int, *, overlap: int, multiple: int, smallest: int) -> int:
    """The longest side of tiles that have at most `pixels` with their overlap, or `smallest`."""
    longest = max(image.height, image.width)
    for parts in count(1):
        side = -(-longest // (parts * multiple)) * multiple
        tiles = (tile.grown(overlap, within=image) for tile in image.split(side, multiple=multiple))
        if side <= smallest or max(tile.height * tile.width for tile in tiles) <= pixels:
            return side
    raise AssertionError("unreachable: sides become shorter")


class Footprint(NamedTuple):
    """What a network takes for each pixel of its input: surroundings, and memory."""

    overlap: int
    """Pixels of the input around a tile on which its result depends: its receptive field.

    Each 3×3 convolution can hand on what happens one pixel further; for the network of the paper
    that makes 347 pixels. But what arrives falls like the sum of as many random steps, a Gaussian
    whose variance is the sum of those of the kernels (Luo et al., "Understanding the effective
    receptive field in deep convolutional neural networks", NIPS 2016): it grows with the root of
    the depth. So a few standard deviations are enough where they are less.
    """

    elements: int
    """Numbers in the largest input or output of a convolution."""


def measure_footprint(network: Generator) -> Footprint:
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
    overlap = math.ceil(min(reach, _SPREADS * math.sqrt(variance)) / multiple) * multiple
    return Footprint(overlap=overlap, elements=math.ceil(largest / side**2))


def memory_for_a_tile(device: torch.device) -> int:
    """Bytes of what is free now, with a part left for others."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return (free + kept) * 3 // 4
    return min(CPU_LIMIT, free_memory() // 2)


def is_out_of_memory(error: RuntimeError | MemoryError) -> bool:
    """Whether it was memory that lacked: for that of a CPU, torch has no type of error."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # Of torch's allocator, and of oneDNN, which has no other words for it
    words = ("can't allocate memory", "could not create a primitive")
    return any(phrase in str(error) for phrase in words)
