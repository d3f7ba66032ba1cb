"""Images of any size through a network, in tiles that there is memory for."""

import copy
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from esrgan.errors import NonFiniteOutputError
from esrgan.hardware import free_memory
from esrgan.inference.measuring import Surroundings, measure_surroundings
from esrgan.inference.network import (
    DIVERGED,
    computing_exactly,
    to_pixels,
    to_tensor,
)
from esrgan.inference.stages import MAPS, apply_network, measure_footprint
from esrgan.inference.windows import Window, side_for
from esrgan.networks import SpandrelNetwork
from esrgan.precision import precise
from esrgan.types import Floats, Pixels
from esrgan.weights import Generator, multiple_of, scale_of

_SMALLEST_TILE = 32  # half of it saves no memory: its overlap is what remains
INT32_MAX = 2**31 - 1  # numbers in a tensor: some of torch's functions on GPUs count so far
# Bytes that a tile may take on a CPU: 1.75 GiB, so that with a result of 100 megapixels it is 2.
# Larger tiles save the time of overlaps, but ever less of it.
CPU_LIMIT = 7 << 28


def _nothing(_words: str) -> None:
    pass


class Upscaler:
    """Makes images larger by a network.

    Tiles overlap by so much that the result is that of the whole image: see `Footprint.overlap`. At
    the borders of the image they end where it ends, and are padded as it is.

    Args:
        network: on the device to compute on. A copy is used: it may be changed afterwards.
        dtype: of weights and activations; see `hardware.fastest_dtype`.
        tile: side of the square tiles, in pixels of the input, without their overlap. None: as
            large as the memory that is free allows.
        self_ensemble: take the mean over the eight flips and rotations of the input (Lim et al.,
            "Enhanced deep residual networks for single image super-resolution", CVPR Workshops
            2017, section 3.4). Takes eight times as long.
        say: is told, in words, what was measured of a network for which no formula tells the
            overlap: when a picture is the first not to be enlarged whole.

    Raises:
        ValueError: `tile` is less than 1, or `dtype` is no floating-point type, or one that the
            network does not compute in.
    """

    def __init__(
        self,
        network: Generator,
        *,
        dtype: torch.dtype = torch.float32,
        tile: int | None = None,
        self_ensemble: bool = False,
        say: Callable[[str], None] = _nothing,
    ) -> None:
        if tile is not None and tile < 1:
            raise ValueError(f"tile ({tile}) must be at least 1 pixel")
        if not dtype.is_floating_point:
            raise ValueError(f"dtype ({dtype}) must be a floating-point type, as torch.float32 is")
        if not computes_in(network, dtype):
            raise ValueError(f"the network does not compute in {dtype}: torch.float32 always works")
        self.scale = scale_of(network)
        self._multiple = multiple_of(network)
        self._network = copy.deepcopy(network).eval()
        self._network.to(dtype).to(memory_format=torch.channels_last)
        self._weights = next(self._network.parameters())
        self._footprint = measure_footprint(self._network)
        self._tile = tile
        self._self_ensemble = self_ensemble
        self._say = say

    def __call__(self, pixels: Pixels, *, progress: Callable[[int], None] | None = None) -> Pixels:
        """An RGB image, uint8 or uint16 (H, W, 3), as (H * scale, W * scale, 3) of the same type.

        Where memory runs out, tiles of half the side continue. `progress` is called after each tile
        with the number of pixels of the input that are finished with it: in all, they are H * W.

        Raises:
            ValueError: it is no such image, the network's output is not finite, or memory is too
                short for the result or for the smallest tiles.
        """
        _require_rgb(pixels)
        return self.enlarge(pixels, dtype=pixels.dtype, progress=progress)

    def enlarge(
        self,
        pixels: Pixels | Floats,
        *,
        dtype: np.dtype[Any],
        progress: Callable[[int], None] | None = None,
    ) -> Pixels:
        """As a call, with a result of `dtype`, which may be float32, as that of the image may be.

        Floats are in [0, 1] and not rounded: what is between two networks loses no digits.
        """
        result = self._empty_result(pixels, dtype)
        image = Window(0, pixels.shape[0], 0, pixels.shape[1])
        side = self._first_side(image)
        remaining = [image]
        while remaining:
            window = remaining.pop()
            longer = max(window.height, window.width)
            if longer > side:
                remaining += reversed(window.split(side, multiple=self._surroundings().period))
                continue
            sr = self._unless_out_of_memory(pixels, window, dtype)
            if sr is None:
                side = self._half(longer)
                remaining.append(window)
                continue
            result[window.scaled(self.scale).slices] = sr
            if progress is not None:
                progress(window.height * window.width)
        return result

    def _empty_result(self, pixels: Pixels | Floats, dtype: np.dtype[Any]) -> Pixels:
        height, width = (length * self.scale for length in pixels.shape[:2])
        try:
            return np.empty((height, width, 3), dtype)
        except MemoryError as error:
            raise ValueError(f"out of memory for the result, {width} × {height}: {error}") from None

    def _first_side(self, image: Window) -> int:
        longest, size = max(image.height, image.width), image.height * image.width
        limit = self._largest_tile(CPU_LIMIT)
        is_whole = size <= limit if self._tile is None else longest <= self._tile
        if is_whole:
            return longest
        overlap, period, residue = self._surroundings()
        if self._tile is not None:
            return max(self._tile, period)
        if residue and size <= self._largest_tile(free_memory()):
            return longest
        return side_for(image, limit, overlap=overlap, multiple=period, smallest=_SMALLEST_TILE)

    def _largest_tile(self, cpu_limit: int) -> int:
        """In pixels, with its overlap; on a CPU, of no more than `cpu_limit` bytes."""
        elements = self._footprint.elements
        maps = MAPS * elements * self._weights.element_size()
        # Outputs are held in float32, all eight of an ensemble twice
        outputs = (16 if self._self_ensemble else 4) * 3 * self.scale**2 * torch.float32.itemsize
        memory = memory_for_a_tile(self._weights.device, cpu_limit=cpu_limit)
        return min(memory // (maps + outputs), INT32_MAX // elements)

    def _surroundings(self) -> Surroundings:
        """Those of a tile; measured when they are first needed, where no formula tells them."""
        known = self._footprint
        if known.overlap is None:
            # In half precision, rounding would hide what is to be seen
            network = copy.deepcopy(self._network).to(torch.float32)
            found = measure_surroundings(network, scale=self.scale)
            self._say(str(found))
            self._footprint = known._replace(**found._asdict())
            return found
        return Surroundings(known.overlap, known.period, known.residue)

    def _half(self, side: int) -> int:
        if side // 2 < _SMALLEST_TILE:
            around = f"{self._surroundings().overlap} more on each side"
            raise ValueError(
                f"out of memory on {self._weights.device} with a tile of {side} pixels and "
                f"{around}, in {self._weights.dtype}: end other programs that use its memory"
            )
        return side // 2

    def _unless_out_of_memory(
        self, pixels: Pixels | Floats, window: Window, dtype: np.dtype[Any]
    ) -> Pixels | None:
        try:
            return self._upscale(pixels, window, dtype)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Only here, behind the block, the error is gone, and with it the tensors of its traceback
        if self._weights.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _upscale(self, pixels: Pixels | Floats, window: Window, dtype: np.dtype[Any]) -> Pixels:
        image = Window(0, pixels.shape[0], 0, pixels.shape[1])
        overlap = 0 if window == image else self._surroundings().overlap
        outer = window.grown(overlap, within=image)
        with computing_exactly(self._weights.device):
            lq = to_tensor(pixels[outer.slices], multiple=self._multiple, like=self._weights)
            inner = window.seen_from(outer)
            sr = (self._mean_of_turns if self._self_ensemble else self._apply)(lq, inner)[0]
        if not torch.isfinite(sr).all():
            computed_in, reason = self._weights.dtype, DIVERGED
            if computed_in in (torch.float16, torch.bfloat16):
                reason = f"it overflows in {computed_in}, or has diverged: try torch.float32"
            raise NonFiniteOutputError(f"the network's output is not finite: {reason}")
        return to_pixels(sr, dtype)

    def _apply(self, lq: Tensor, wanted: Window) -> Tensor:
        return apply_network(self._network, self._footprint, lq, wanted=wanted)

    def _mean_of_turns(self, lq: Tensor, wanted: Window) -> Tensor:
        outputs = []
        for mirrored, quarters in product((False, True), range(4)):
            turned = torch.rot90(lq.flip(-1) if mirrored else lq, quarters, (-2, -1))
            whole = Window(0, turned.shape[-2], 0, turned.shape[-1])
            sr = torch.rot90(self._apply(turned, whole), -quarters, (-2, -1))
            sr = sr.flip(-1) if mirrored else sr
            outputs.append(sr[(..., *wanted.scaled(self.scale).slices)])
        stacked = torch.stack(outputs)
        return precise(stacked).mean(dim=0)


def _require_rgb(pixels: Pixels) -> None:
    known = pixels.dtype in (np.uint8, np.uint16)
    if not known or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise ValueError(
            f"the image is {pixels.dtype} {pixels.shape}: expected RGB, uint8 or uint16 (H, W, 3)"
        )


def computes_in(network: Generator, dtype: torch.dtype) -> bool:
    """Networks of others are tried: SwinIR is said to compute in bfloat16, and does not."""
    if not isinstance(network, SpandrelNetwork) or dtype == torch.float32:
        return True
    if not network.supports.get(dtype, False):
        return False
    tried = copy.deepcopy(network).eval().to(dtype)
    weights = next(tried.parameters())
    try:
        with computing_exactly(weights.device):
            tried(weights.new_zeros(1, 3, 8, 8))
    except (RuntimeError, TypeError):
        return False
    return True


def memory_for_a_tile(device: torch.device, *, cpu_limit: int = CPU_LIMIT) -> int:
    """Bytes of what is free now, with a part left for others."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return (free + kept) * 3 // 4
    return min(cpu_limit, free_memory() // 2)


def is_out_of_memory(error: RuntimeError | MemoryError) -> bool:
    """Whether it was memory that lacked: for that of a CPU, torch has no type of error."""
    # Of torch's allocator, and of oneDNN, which has no other words for it
    words = ("can't allocate memory", "could not create a primitive")
    is_of_its_type = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return is_of_its_type or any(phrase in str(error) for phrase in words)
