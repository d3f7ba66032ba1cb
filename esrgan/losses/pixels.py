"""Losses that compare pixels, and colours."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from esrgan.losses.sizes import require_patch_size
from esrgan.precision import precise

# ITU-R BT.601 as JPEG has it (JFIF 1.02): Y in [0, 1], Cb and Cr in [-1/2, 1/2]
_LUMA = (0.299, 0.587, 0.114)
_BLUE, _RED = 1.772, 1.402


class CharbonnierLoss(nn.Module):
    """The mean of sqrt(d² + eps²) over all differences d: L1 that is smooth at 0.

    W.-S. Lai et al., LapSRN, CVPR 2017, section 3.3, where eps is 1e-3. BasicSR's `eps` is the
    square of this one: its 1e-12 is 1e-6 here.
    """

    def __init__(self, *, eps: float) -> None:
        super().__init__()
        if not eps > 0:
            raise ValueError(
                f"training.losses.charbonnier.loss.eps ({eps}) must be more than 0: without, it is "
                "L1 (torch.nn.L1Loss)"
            )
        self.eps = eps

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        return ((precise(sr) - precise(gt)).square() + self.eps**2).sqrt().mean()


class LumaLoss(nn.Module):
    """criterion(Y(sr), Y(gt)) with Y = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), (N, 1, H, W)."""

    def __init__(self, *, criterion: nn.Module) -> None:
        super().__init__()
        self.criterion = criterion

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        value: Tensor = self.criterion(luma(precise(sr)), luma(precise(gt)))
        return value


class ChromaLoss(nn.Module):
    """criterion of both images' Cb and Cr (JFIF), after a Gaussian blur: colours without texture.

    A network that is trained with it may put its texture where it likes, but not drift in colour.

    Args:
        criterion: compares (N, 2, H, W), e.g. `torch.nn.L1Loss()`.
        sigma: of the blur, in pixels; borders are mirrored. With 0 each pixel is compared.
        patch_size: the side of the images.

    Raises:
        ValueError: sigma is negative, or patches are smaller than the blur's window.
    """

    window: Tensor

    def __init__(self, *, criterion: nn.Module, sigma: float, patch_size: int) -> None:
        super().__init__()
        if not sigma >= 0:
            raise ValueError(f"training.losses.chroma.loss.sigma ({sigma}) must be at least 0")
        self.criterion = criterion
        self.register_buffer(
            "window", gaussian(sigma, radius=math.ceil(3 * sigma)), persistent=False
        )
        least = len(self.window) // 2 + 1
        require_patch_size("chroma", patch_size, least, f"for a blur of sigma={sigma}")

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        value: Tensor = self.criterion(self._colours(sr), self._colours(gt))
        return value

    def _colours(self, images: Tensor) -> Tensor:
        images = precise(images)
        y, red, blue = luma(images), images[:, :1], images[:, 2:]
        colours = torch.cat([(blue - y) / _BLUE, (red - y) / _RED], dim=1)
        side = len(self.window) // 2
        with torch.autocast(images.device.type, enabled=False):
            return blur(F.pad(colours, (side, side, side, side), mode="reflect"), self.window)


def luma(images: Tensor) -> Tensor:
    """Y of RGB images: (N, 3, H, W) to (N, 1, H, W)."""
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    return _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue


def gaussian(sigma: float, *, radius: int) -> Tensor:
    """A window of 2 radius + 1 numbers that add up to 1."""
    if not radius:
        return torch.ones(1)
    window = torch.exp(-(torch.arange(-radius, radius + 1) / sigma).square() / 2)
    return window / window.sum()


def blur(images: Tensor, window: Tensor) -> Tensor:
    """(N, C, H, W) under a window for rows and columns, only where it lies inside."""
    channels = images.shape[1]
    kernel = window.to(images.dtype).expand(channels, 1, 1, -1)
    images = F.conv2d(images, kernel, groups=channels)
    return F.conv2d(images, kernel.mT, groups=channels)
