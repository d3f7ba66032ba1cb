"""How far two images are from each other by features of trained networks: LPIPS, DISTS; 0: equal.

The metrics of those names and the losses have them from here. The weights of the features come from
torchvision or a file (`esrgan.backbones`); those that the two papers fitted to the judgement of
people are files of torchmetrics. All is computed in float32 at least, without autocast: what is
compared are small differences of large features.
"""

from collections.abc import Collection, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from esrgan.backbones import layer_names, random_features, trained_features
from esrgan.precision import precise

COMPARED = {
    "alexnet": ("relu1", "relu2", "relu3", "relu4", "relu5"),
    "vgg16": ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
}
SMALLEST_SIDE = {"alexnet": 31, "vgg16": 16}
"""Pixels; below it, nothing is left for the last features."""

RANDOM = "random"
"""The word for weights of a seed, for trials, in place of a file's name."""

_FITTED = {  # in torchmetrics
    "alexnet": "functional/image/lpips_models/alex.pth",
    "vgg16": "functional/image/lpips_models/vgg.pth",
    "DISTS": "functional/image/dists_models/weights.pt",
}


class _Frozen(nn.Module):
    """Stays in evaluation mode, whatever the module around it does, and is never trained."""

    def train(self, mode: bool = True) -> Self:
        return super().train(False)

    def _put(self, **buffers: Tensor) -> None:
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=False)


class LPIPS(_Frozen):
    """LPIPS 0.1 (arXiv:1801.03924): images of (N, 3, H, W) in [0, 1] to a scalar, the batch's mean.

    sum over layers of the mean over positions of w · (f(sr) / |f(sr)| - f(gt) / |f(gt)|)², with the
    length |f| over channels, and a weight w for each channel.

    Args:
        network: alexnet or vgg16.
        weights: "imagenet" or a file, as for `trained_features`; or "random", of `seed`.
        option: how the user names a file, for errors.

    Raises:
        ValueError: there is no LPIPS on that network, or weights cannot be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: str, *, weights: str, option: str, seed: int = 0) -> None:
        super().__init__()
        if network not in COMPARED:
            raise ValueError(f"network ({network}) must be one of {', '.join(COMPARED)}")
        self.names, self.compared = layer_names(network), COMPARED[network]
        fitted = _read_fitted(_FITTED[network], metric="LPIPS")
        self.features = _features(network, self.compared, weights, option, seed)
        # In [0, 1], what LPIPS has for images in [-1, 1]
        self._put(mean=(1 + _channels(-0.030, -0.088, -0.188)) / 2)
        self._put(std=_channels(0.458, 0.448, 0.450) / 2)
        for number in range(len(self.compared)):
            self._put(**{f"weight{number}": fitted[f"lin{number}.model.1.weight"]})
        self.eval()

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        sr, gt = precise(sr), precise(gt)
        total = sr.new_zeros(())
        with torch.autocast(sr.device.type, enabled=False):
            for number, (x, y) in enumerate(zip(self._of(sr), self._of(gt), strict=True)):
                difference = F.normalize(x, eps=1e-10) - F.normalize(y, eps=1e-10)
                weighted = self.get_buffer(f"weight{number}") * difference.square()
                total = total + weighted.sum(dim=1).mean()
        return total

    def _of(self, images: Tensor) -> Iterator[Tensor]:
        x = (images - self.mean) / self.std
        for name, layer in zip(self.names, self.features, strict=False):
            x = layer(x)
            if name in self.compared:
                yield x


class DISTS(_Frozen):
    """DISTS (arXiv:2004.07728), on VGG16: images of (N, 3, H, W) in [0, 1] to the batch's mean.

    1 - sum over layers and channels of alpha · l + beta · s, where all alpha and beta add up to 1:
    l compares the means of a channel, s its variances and covariance, as SSIM does in a window.
    The image itself is the first layer. Arguments as for `LPIPS`.
    """

    mean: Tensor
    std: Tensor
    alpha: Tensor
    beta: Tensor

    def __init__(self, *, weights: str, option: str, seed: int = 0) -> None:
        super().__init__()
        self.names, self.compared = layer_names("vgg16"), COMPARED["vgg16"]
        fitted = _read_fitted(_FITTED["DISTS"], metric="DISTS")
        self.features = _features("vgg16", self.compared, weights, option, seed)
        self._put(mean=_channels(0.485, 0.456, 0.406), std=_channels(0.229, 0.224, 0.225))
        total = fitted["alpha"].sum() + fitted["beta"].sum()
        self._put(alpha=fitted["alpha"].flatten() / total, beta=fitted["beta"].flatten() / total)
        self.eval()

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        sr, gt = precise(sr), precise(gt)
        means, structures = [], []
        with torch.autocast(sr.device.type, enabled=False):
            for x, y in zip(self._of(sr), self._of(gt), strict=True):
                x, y = x.flatten(2), y.flatten(2)
                x_mean, y_mean = x.mean(dim=2), y.mean(dim=2)
                covariance = ((x - x_mean[..., None]) * (y - y_mean[..., None])).mean(dim=2)
                variances = x.var(dim=2, correction=0) + y.var(dim=2, correction=0)
                means.append(_similarity(x_mean * y_mean, x_mean.square() + y_mean.square()))
                structures.append(_similarity(covariance, variances))
        like = self.alpha * torch.cat(means, dim=1) + self.beta * torch.cat(structures, dim=1)
        return 1 - like.sum(dim=1).mean()

    def _of(self, images: Tensor) -> Iterator[Tensor]:
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
    window = x.new_tensor([0.25, 0.5, 0.25])
    kernel = (window[:, None] * window).expand(x.shape[1], 1, 3, 3)
    return (F.conv2d(x.square(), kernel, stride=2, padding=1, groups=x.shape[1]) + 1e-12).sqrt()


def _channels(*values: float) -> Tensor:
    return torch.tensor(values).view(3, 1, 1)


def _features(
    network: str, names: Collection[str], weights: str, option: str, seed: int
) -> nn.Sequential:
    if weights == RANDOM:
        return random_features(network, names, seed=seed).requires_grad_(False)
    features = trained_features(network, names, weights=weights, option=option)
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
