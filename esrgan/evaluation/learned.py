"""LPIPS and DISTS: metrics that compare features of trained networks; 0 is equality.

The trained weights of the features come from torchvision or a file (`esrgan.backbones`). The
weights that the two papers fitted to the judgement of people are files of torchmetrics.
"""

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from esrgan.backbones import layer_names, trained_features
from esrgan.evaluation.full_reference import shave
from esrgan.evaluation.metrics import Measure
from esrgan.hardware import choose_device
from esrgan.types import Image

_COMPARED = {
    "alexnet": ("relu1", "relu2", "relu3", "relu4", "relu5"),
    "vgg16": ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
}
_SMALLEST_SIDE = {"alexnet": 31, "vgg16": 16}  # below it, nothing is left for the last features
_FITTED = {  # in torchmetrics
    "alexnet": "functional/image/lpips_models/alex.pth",
    "vgg16": "functional/image/lpips_models/vgg.pth",
    "DISTS": "functional/image/dists_models/weights.pt",
}


def lpips(*, network: str, weights: str, crop: int, device: torch.device | None) -> Measure:
    """LPIPS 0.1 (Zhang et al., 2018), on features of alexnet or vgg16.

    Args:
        network: its name in `esrgan.backbones`.
        weights: "imagenet" or a file, as for `trained_features`.
        crop: pixels left out on each side.
        device: None: a GPU if there is one.
    """
    module = _LPIPS(network, weights).to(device or choose_device(None))
    return partial(_measure, "LPIPS", module, crop, _SMALLEST_SIDE[network])


def dists(*, weights: str, crop: int, device: torch.device | None) -> Measure:
    """DISTS (Ding et al., 2020), on features of VGG16, at full size; arguments as for `lpips`."""
    module = _DISTS(weights).to(device or choose_device(None))
    return partial(_measure, "DISTS", module, crop, _SMALLEST_SIDE["vgg16"])


class _LPIPS(nn.Module):
    """Images of (1, 3, H, W) in [0, 1] to a scalar.

    sum over layers of the mean over positions of w · (f(sr) / |f(sr)| - f(gt) / |f(gt)|)², with the
    length |f| over channels, and a weight w for each channel.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: str, weights: str) -> None:
        super().__init__()
        self.names, self.compared = layer_names(network), _COMPARED[network]
        fitted = _read_fitted(_FITTED[network], metric="LPIPS")
        self.features = _trained(network, weights)
        # In [0, 1], what LPIPS has for images in [-1, 1]
        self.register_buffer("mean", (1 + _channels(-0.030, -0.088, -0.188)) / 2)
        self.register_buffer("std", _channels(0.458, 0.448, 0.450) / 2)
        for number in range(len(self.compared)):
            self.register_buffer(f"weight{number}", fitted[f"lin{number}.model.1.weight"])

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        total = sr.new_zeros(())
        for number, (x, y) in enumerate(zip(self._features(sr), self._features(gt), strict=True)):
            difference = F.normalize(x, eps=1e-10) - F.normalize(y, eps=1e-10)
            weighted = self.get_buffer(f"weight{number}") * difference.square()
            total = total + weighted.sum(dim=1).mean()
        return total

    def _features(self, images: Tensor) -> Iterator[Tensor]:
        x = (images - self.mean) / self.std
        for name, layer in zip(self.names, self.features, strict=False):
            x = layer(x)
            if name in self.compared:
                yield x


class _DISTS(nn.Module):
    """Images of (1, 3, H, W) in [0, 1] to a scalar.

    1 - sum over layers and channels of alpha · l + beta · s, where all alpha and beta add up to 1:
    l compares the means of a channel, s its variances and covariance, as SSIM does in a window.
    The image itself is the first layer.
    """

    mean: Tensor
    std: Tensor
    alpha: Tensor
    beta: Tensor

    def __init__(self, weights: str) -> None:
        super().__init__()
        self.names, self.compared = layer_names("vgg16"), _COMPARED["vgg16"]
        fitted = _read_fitted(_FITTED["DISTS"], metric="DISTS")
        self.features = _trained("vgg16", weights)
        self.register_buffer("mean", _channels(0.485, 0.456, 0.406))
        self.register_buffer("std", _channels(0.229, 0.224, 0.225))
        total = fitted["alpha"].sum() + fitted["beta"].sum()
        self.register_buffer("alpha", fitted["alpha"].flatten() / total)
        self.register_buffer("beta", fitted["beta"].flatten() / total)

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        means, structures = [], []
        for x, y in zip(self._features(sr), self._features(gt), strict=True):
            x, y = x.flatten(2)[0], y.flatten(2)[0]
            x_mean, y_mean = x.mean(dim=1), y.mean(dim=1)
            covariance = ((x - x_mean[:, None]) * (y - y_mean[:, None])).mean(dim=1)
            variances = x.var(dim=1, correction=0) + y.var(dim=1, correction=0)
            means.append(_similarity(x_mean * y_mean, x_mean.square() + y_mean.square()))
            structures.append(_similarity(covariance, variances))
        return 1 - (self.alpha * torch.cat(means) + self.beta * torch.cat(structures)).sum()

    def _features(self, images: Tensor) -> Iterator[Tensor]:
        yield images
        x = (images - self.mean) / self.std
        for name, layer in zip(self.names, self.features, strict=False):
            x = _pool_squares(x) if name.startswith("pool") else layer(x)
            if name in self.compared:
                yield x


def _similarity(product: Tensor, squares: Tensor) -> Tensor:
    return (2 * product + 1e-6) / (squares + 1e-6)


def _pool_squares(x: Tensor) -> Tensor:
    """Every other position: the root of the mean of squares under a Hann window of 3x3."""
    window = torch.tensor([0.25, 0.5, 0.25], device=x.device)
    kernel = (window[:, None] * window).expand(x.shape[1], 1, 3, 3)
    return (F.conv2d(x.square(), kernel, stride=2, padding=1, groups=x.shape[1]) + 1e-12).sqrt()


def _channels(*values: float) -> Tensor:
    return torch.tensor(values).view(3, 1, 1)


def _trained(network: str, weights: str) -> nn.Sequential:
    option = f"--{network} FILE (of a training: validation.metrics.{network}=FILE)"
    features = trained_features(network, _COMPARED[network], weights=weights, option=option)
    return features.requires_grad_(False)


def _read_fitted(file: str, *, metric: str) -> dict[str, Tensor]:
    # Not imported, which takes seconds
    spec = find_spec("torchmetrics")
    path = Path(spec.origin).parent / file if spec and spec.origin else None
    if path is None or not path.is_file():
        raise ValueError(
            f"the weights of {metric} are not in the installed torchmetrics: "
            "pip install 'torchmetrics>=1.7'"
        )
    fitted: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return {key: value.detach() for key, value in fitted.items()}


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
