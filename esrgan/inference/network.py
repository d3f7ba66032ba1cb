"""A network applied to a whole image; images as tensors, and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from esrgan.errors import NonFiniteOutputError
from esrgan.precision import at_least_float32, precise
from esrgan.types import Floats, Image, Pixels
from esrgan.weights import Generator, multiple_of

DIVERGED = "its weights have diverged: use those of an earlier iteration"

# The types of images, and those that hold them in tensors: torch has few functions for uint16
_INTEGERS: dict[np.dtype[Any], torch.dtype] = {
    np.dtype(np.uint8): torch.uint8,
    np.dtype(np.uint16): torch.int32,
}


def upscale(network: Generator, lq: Image) -> Image:
    """The network's output for `lq`: clamped to [0, 1], times 255, rounded.

    It runs in the full precision of the network's parameters, on their device, also inside an
    autocast region. Where the network asks for sides that are multiples of its `unshuffle`, the
    image is mirrored at the right and bottom up to one, and the result is cropped.

    Raises:
        ValueError: the image is not RGB uint8.
        NonFiniteOutputError: the network's output is not finite.
    """
    if lq.dtype != np.uint8 or lq.ndim != 3 or lq.shape[2] != 3:
        raise ValueError(f"lq is {lq.dtype} {lq.shape}: expected an RGB image, uint8 (H, W, 3)")
    height, width = lq.shape[:2]
    weights = next(network.parameters())
    with _evaluating(network), computing_exactly(weights.device):
        padded = to_tensor(lq, multiple=multiple_of(network), like=weights)
        sr = network(padded)[0]
    if not torch.isfinite(sr).all():
        raise NonFiniteOutputError(f"the network's output is not finite: {DIVERGED}")
    scale = sr.shape[1] // padded.shape[2]
    return np.asarray(to_pixels(sr[:, : height * scale, : width * scale], lq.dtype), np.uint8)


@contextmanager
def _evaluating(network: Generator) -> Iterator[None]:
    """Evaluation mode, and afterwards each module's own mode again."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def computing_exactly(device: torch.device) -> Iterator[None]:
    """No gradients, no autocast and no TF32: what the types of the tensors say.

    No cuDNN search either, which every new image size would repeat.
    """
    cudnn: Any = torch.backends.cudnn  # a module that swaps its class: its attributes have no types
    precision, benchmark = cudnn.conv.fp32_precision, cudnn.benchmark
    cudnn.conv.fp32_precision, cudnn.benchmark = "ieee", False
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        cudnn.conv.fp32_precision, cudnn.benchmark = precision, benchmark


def to_tensor(pixels: Pixels | Floats, *, multiple: int, like: Tensor) -> Tensor:
    """Floats in [0, 1], (1, 3, H, W), channels last, on the device and in the type of `like`.

    The image is mirrored at the right and bottom until its sides are multiples of `multiple`.
    """
    height, width = pixels.shape[:2]
    # np.pad, not torch's reflection: it also mirrors images smaller than the padding.
    padded = np.pad(pixels, ((0, -height % multiple), (0, -width % multiple), (0, 0)), "reflect")
    if padded.dtype == np.uint16:
        padded = padded.astype(np.int32)
    # The numbers are (H, W, C) already: permuted, they are a channels_last tensor without a copy.
    tensor = torch.from_numpy(padded).to(like.device).permute(2, 0, 1).unsqueeze(0)
    return (tensor.to(at_least_float32(like.dtype)) / _largest(pixels.dtype)).to(like.dtype)


def to_pixels(sr: Tensor, dtype: np.dtype[Any]) -> Pixels:
    """Clamp to [0, 1], times 255 or 65535, round: (3, H, W) to (H, W, 3). Writes over `sr`.

    Of floats, which go to another network and not into a file, only the first is done.
    """
    sr = precise(sr).clamp_(0, 1)
    if dtype.kind != "f":
        sr = sr.mul_(_largest(dtype)).round_().to(_INTEGERS[dtype])
    pixels: Pixels = np.asarray(sr.permute(1, 2, 0).contiguous().cpu()).astype(dtype, copy=False)
    return pixels


def _largest(dtype: np.dtype[Any]) -> int:
    """What stands for 1."""
    return 1 if dtype.kind == "f" else np.iinfo(dtype).max
