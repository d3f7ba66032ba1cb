"""LPIPS and DISTS: metrics that compare features of trained networks; 0 is equality.

torchvision downloads the networks on first use: AlexNet has 240 MB, VGG16 has 530 MB.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal
from urllib.parse import urlparse

import numpy as np
import torch
from torch import Tensor, nn
from torchvision import models  # type: ignore[import-untyped] # ships no types

from esrgan.evaluation.definition import Measure
from esrgan.evaluation.full_reference import shave
from esrgan.types import Image

Backbone = Literal["alex", "vgg"]

_WEIGHTS = {"alex": models.AlexNet_Weights, "vgg": models.VGG16_Weights}
_SMALLEST_SIDE = {"alex": 31, "vgg": 16}  # below it, nothing is left for the last features


def lpips(*, backbone: Backbone, crop: int, device: torch.device) -> Measure:
    """LPIPS 0.1 (Zhang et al., 2018), on features of AlexNet or VGG16."""

    def build() -> nn.Module:
        from torchmetrics.image import LearnedPerceptualImagePatchSimilarity

        return LearnedPerceptualImagePatchSimilarity(net_type=backbone, normalize=True)

    network = _load("LPIPS", build, backbone).to(device)
    return partial(_measure, "LPIPS", network, crop, _SMALLEST_SIDE[backbone])


def dists(*, crop: int, device: torch.device) -> Measure:
    """DISTS (Ding et al., 2020), on features of VGG16, at full size."""

    def build() -> nn.Module:
        # Its public class would read the file of VGG16 again for each image
        from torchmetrics.functional.image.dists import DISTSNetwork

        return DISTSNetwork()

    network = _load("DISTS", build, "vgg").to(device)
    return partial(_measure, "DISTS", network, crop, _SMALLEST_SIDE["vgg"])


def _load(name: str, build: Callable[[], nn.Module], backbone: Backbone) -> nn.Module:
    """`build()`, or a ValueError that says what is missing and what helps."""
    try:
        return build().eval()
    except ImportError as error:
        raise ValueError(
            f"{name} is not in the installed torchmetrics ({error}): "
            "pip install 'torchmetrics>=1.7'"
        ) from error
    except Exception as error:  # a failed download, a damaged file: nearly anything
        url = _WEIGHTS[backbone].DEFAULT.url
        file = f"{torch.hub.get_dir()}/checkpoints/{urlparse(url).path.rpartition('/')[2]}"
        raise ValueError(
            f"the network of {name} cannot be loaded ({str(error).strip()}): it is {url}, and "
            f"belongs at {file}; if that file is damaged, delete it"
        ) from error


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
    pixels = torch.from_numpy(np.ascontiguousarray(image)).to(device)
    return pixels.permute(2, 0, 1)[None].float() / 255
