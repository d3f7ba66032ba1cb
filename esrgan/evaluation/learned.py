"""Metrics that compare features of trained networks; smaller is better, 0 is equality."""

from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import urlparse

import numpy as np
import torch
from torch import Tensor, nn
from torchvision import models  # type: ignore[import-untyped] # ships no types

from esrgan.evaluation.benchmark import Metric
from esrgan.evaluation.color import Image
from esrgan.evaluation.shave import shave

_BACKBONES = {"alex": models.AlexNet_Weights, "vgg": models.VGG16_Weights}
_SMALLEST_SIDE = {"alex": 31, "vgg": 16}  # below it, nothing is left for the last features


def lpips(*, backbone: Literal["alex", "vgg"], crop: int, device: torch.device) -> Metric:
    """LPIPS 0.1 (Zhang et al., 2018), on features of AlexNet or VGG16.

    torchvision downloads the network on first use, about 240 and 530 MB.

    Raises:
        ValueError: the network or torchmetrics cannot be had; the message says what helps.
    """

    def build() -> nn.Module:
        from torchmetrics.image import LearnedPerceptualImagePatchSimilarity

        return LearnedPerceptualImagePatchSimilarity(net_type=backbone, normalize=True)

    network = _load("LPIPS", build, backbone).to(device)
    return _metric("LPIPS", network, crop=crop, smallest=_SMALLEST_SIDE[backbone])


def dists(*, crop: int, device: torch.device) -> Metric:
    """DISTS (Ding et al., 2020), on features of VGG16, at full size.

    torchvision downloads the network on first use, about 530 MB.

    Raises:
        ValueError: the network or torchmetrics cannot be had; the message says what helps.
    """

    def build() -> nn.Module:
        # Its public class would read the file of VGG16 again for each image
        from torchmetrics.functional.image.dists import DISTSNetwork

        return DISTSNetwork()

    network = _load("DISTS", build, "vgg").to(device)
    return _metric("DISTS", network, crop=crop, smallest=_SMALLEST_SIDE["vgg"])


def _metric(name: str, network: nn.Module, *, crop: int, smallest: int) -> Metric:
    device = next(network.parameters()).device

    def measure(sr: Image, gt: Image) -> float:
        sr, gt = shave(sr, gt, crop=crop)
        if min(gt.shape[:2]) < smallest:
            raise ValueError(
                f"{name} needs {smallest}x{smallest} pixels inside the cropped border: "
                f"{gt.shape[:2]} are left"
            )
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            return float(_exactly(network, _tensor(sr, device), _tensor(gt, device)))

    return measure


def _tensor(image: Image, device: torch.device) -> Tensor:
    """(1, 3, H, W) in [0, 1]."""
    pixels = torch.from_numpy(np.ascontiguousarray(image)).to(device)
    return pixels.permute(2, 0, 1)[None].float() / 255


def _exactly(network: nn.Module, sr: Tensor, gt: Tensor) -> Tensor:
    """Without TF32, which changes the fourth digit, so that all devices agree."""
    cudnn: Any = torch.backends.cudnn  # a module that swaps its class: its attributes have no types
    precision = cudnn.conv.fp32_precision
    cudnn.conv.fp32_precision = "ieee"
    try:
        result: Tensor = network(sr, gt)
        return result
    finally:
        cudnn.conv.fp32_precision = precision


def _load(metric: str, build: Callable[[], nn.Module], backbone: str) -> nn.Module:
    """`build()`, or the reason in words."""
    try:
        return build().eval()
    except ImportError as error:
        raise ValueError(
            f"{metric} is not in the installed torchmetrics ({error}): "
            "pip install 'torchmetrics>=1.7'"
        ) from error
    except Exception as error:  # a failed download, a damaged file: nearly anything
        url = _BACKBONES[backbone].DEFAULT.url
        file = f"{torch.hub.get_dir()}/checkpoints/{urlparse(url).path.rpartition('/')[2]}"
        raise ValueError(
            f"the network of {metric} cannot be loaded ({str(error).strip()}): it is {url}, and "
            f"belongs at {file}; if that file is damaged, delete it"
        ) from error
