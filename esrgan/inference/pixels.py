"""From the integers of an image to the floats of a network, and back."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
"""An RGB image, (H, W, 3)."""

INTEGERS: dict[np.dtype[Any], torch.dtype] = {
    np.dtype(np.uint8): torch.uint8,
    np.dtype(np.uint16): torch.int32,  # torch has uint16, but few functions for it
}
"""The types that images have, and those that hold them in tensors."""


def to_tensor(pixels: Pixels, *, multiple: int, like: Tensor) -> Tensor:
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
    return (tensor.to(at_least_float32(like.dtype)) / peak(pixels.dtype)).to(like.dtype)


def to_pixels(sr: Tensor, dtype: np.dtype[Any]) -> Pixels:
    """Clamp to [0, 1], times 255 or 65535, round: (3, H, W) to (H, W, 3). Writes over `sr`."""
    sr = sr.to(at_least_float32(sr.dtype)).clamp_(0, 1).mul_(peak(dtype)).round_()
    numbers = sr.to(INTEGERS[dtype]).permute(1, 2, 0).contiguous().cpu()
    pixels: Pixels = np.asarray(numbers).astype(dtype, copy=False)
    return pixels


def peak(dtype: np.dtype[Any]) -> int:
    """What stands for 1."""
    return int(np.iinfo(dtype).max)


def at_least_float32(dtype: torch.dtype) -> torch.dtype:
    """Half precisions lack the digits of integers, even of some with 8 bits."""
    return torch.promote_types(dtype, torch.float32)
