"""A whole image through a network, as benchmarks score it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from esrgan.inference.pixels import to_pixels, to_tensor
from esrgan.weights import multiple_of

Image = NDArray[np.uint8]
"""An RGB image, uint8, (H, W, 3)."""


def upscale(network: nn.Module, lq: Image) -> Image:
    """The network's output for `lq`: clamped to [0, 1], times 255, rounded.

    It runs in the full precision of the network's parameters, on their device, also inside an
    autocast region. Where the network asks for sides that are multiples of its `unshuffle`, the
    image is mirrored at the right and bottom up to one, and the result is cropped.

    Raises:
        ValueError: the image is not RGB uint8, or the network's output is not finite.
    """
    if lq.dtype != np.uint8 or lq.ndim != 3 or lq.shape[2] != 3:
        raise ValueError(f"lq is {lq.dtype} {lq.shape}: expected an RGB image, uint8 (H, W, 3)")
    height, width = lq.shape[:2]
    weights = next(network.parameters())
    with _evaluating(network), computing_exactly(weights.device):
        padded = to_tensor(lq, multiple=multiple_of(network), like=weights)
        sr = network(padded)[0]
    if not torch.isfinite(sr).all():
        raise ValueError("the network's output is not finite: its weights have diverged")
    scale = sr.shape[1] // padded.shape[2]
    return np.asarray(to_pixels(sr[:, : height * scale, : width * scale], lq.dtype), np.uint8)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
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
