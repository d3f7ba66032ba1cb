"""LPIPS and DISTS: metrics that compare features of trained networks; 0 is equality.

Their networks, which losses have too, are in `esrgan.feature_distances`.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from esrgan.evaluation.full_reference import shave
from esrgan.evaluation.metrics import Measure
from esrgan.feature_distances import DISTS, LPIPS, SMALLEST_SIDE
from esrgan.hardware import choose_device
from esrgan.types import Image


def lpips(*, network: str, weights: str, crop: int, device: torch.device | None) -> Measure:
    """LPIPS 0.1 (Zhang et al., 2018), on features of alexnet or vgg16.

    Args:
        network: its name in `esrgan.backbones`.
        weights: "imagenet" or a file, as for `trained_features`.
        crop: pixels left out on each side.
        device: None: a GPU if there is one.
    """
    module = LPIPS(network, weights=weights, option=_option(network)).to(
        device or choose_device(None)
    )
    return partial(_measure, "LPIPS", module, crop, SMALLEST_SIDE[network])


def dists(*, weights: str, crop: int, device: torch.device | None) -> Measure:
    """DISTS (Ding et al., 2020), on features of VGG16, at full size; arguments as for `lpips`."""
    module = DISTS(weights=weights, option=_option("vgg16")).to(device or choose_device(None))
    return partial(_measure, "DISTS", module, crop, SMALLEST_SIDE["vgg16"])


def _option(network: str) -> str:
    return f"--{network} FILE (of a training: validation.metrics.{network}=FILE)"


def _measure(
    name: str, network: nn.Module, crop: int, smallest: int, sr: Image, gt: Image
) -> float:
    """Without TF32, which changes the fourth digit, so that all devices agree."""
    sr, gt = shave(sr, gt, crop=crop)
    if min(gt.shape[:2]) < smallest:
        raise ValueError(
            f"{name} needs {smallest}x{smallest} pixels inside the cropped border: "
            f"{gt.shape[:2]} are left"
        )
    device = next(network.parameters()).device
    cudnn: Any = torch.backends.cudnn  # a module that swaps its class: its attributes have no types
    precision = cudnn.conv.fp32_precision
    cudnn.conv.fp32_precision = "ieee"
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            return float(network(_tensor(sr, device), _tensor(gt, device)))
    finally:
        cudnn.conv.fp32_precision = precision


def _tensor(image: Image, device: torch.device) -> Tensor:
    """(1, 3, H, W) in [0, 1]."""
    return torch.tensor(image, device=device).permute(2, 0, 1)[None].float() / 255
