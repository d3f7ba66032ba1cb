"""The discriminator of Real-ESRGAN (arXiv:2107.10833, section 3.4)."""

import torch
from torch import Tensor, nn

from esrgan.networks.blocks import conv3x3, leaky_relu, require_positive
from esrgan.networks.spectral_norm import add_spectral_norm

REDUCTION = 8
"""Three layers halve the map, and three double it."""


class UNetDiscriminator(nn.Module):
    """Images in, a logit for every pixel out: (N, 3, H, W) -> (N, 1, H, W).

    A U-Net whose skip connections add. All layers but the first and the last are normalised
    spectrally and have no bias. It is Real-ESRGAN's UNetDiscriminatorSN, whose names the layers
    have.

    Raises:
        ValueError: `num_features` is out of range.
    """

    def __init__(self, *, num_features: int = 64) -> None:
        super().__init__()
        require_positive(num_features=num_features)
        self.conv0 = conv3x3(3, num_features)
        self.conv1 = _halving(num_features, num_features * 2)
        self.conv2 = _halving(num_features * 2, num_features * 4)
        self.conv3 = _halving(num_features * 4, num_features * 8)
        self.conv4 = _same_size(num_features * 8, num_features * 4)
        self.conv5 = _same_size(num_features * 4, num_features * 2)
        self.conv6 = _same_size(num_features * 2, num_features)
        self.conv7 = _same_size(num_features, num_features)
        self.conv8 = _same_size(num_features, num_features)
        self.conv9 = conv3x3(num_features, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Judge; no sigmoid, the losses take logits.

        Raises:
            ValueError: height or width is not a multiple of 8.
        """
        _require_multiples(images)
        x0 = leaky_relu(self.conv0(images))
        x1 = leaky_relu(self.conv1(x0))
        x2 = leaky_relu(self.conv2(x1))
        x3 = leaky_relu(self.conv3(x2))
        features = leaky_relu(self.conv4(double_bilinear(x3))) + x2
        features = leaky_relu(self.conv5(double_bilinear(features))) + x1
        features = leaky_relu(self.conv6(double_bilinear(features))) + x0
        features = leaky_relu(self.conv8(leaky_relu(self.conv7(features))))
        logits: Tensor = self.conv9(features)
        return logits


def double_bilinear(features: Tensor) -> Tensor:
    """Twice the height and width, as `interpolate(mode="bilinear", align_corners=False)` does it.

    Its backward pass is not deterministic on CUDA, this one's is. Each pixel becomes two in each
    direction: 3/4 of itself and 1/4 of the neighbour on that side; at the edge it is its own.
    """
    doubled = features.permute(0, 2, 3, 1)  # thus the result has its channels last in memory
    for dim in (1, 2):
        last = doubled.shape[dim] - 1
        before = torch.cat((doubled.narrow(dim, 0, 1), doubled.narrow(dim, 0, last)), dim)
        after = torch.cat((doubled.narrow(dim, 1, last), doubled.narrow(dim, last, 1)), dim)
        pair = (torch.lerp(doubled, before, 0.25), torch.lerp(doubled, after, 0.25))
        doubled = torch.stack(pair, dim + 1).flatten(dim, dim + 1)
    return doubled.permute(0, 3, 1, 2)


def _halving(num_in: int, num_out: int) -> nn.Conv2d:
    conv = nn.Conv2d(num_in, num_out, kernel_size=4, stride=2, padding=1, bias=False)
    add_spectral_norm(conv)
    return conv


def _same_size(num_in: int, num_out: int) -> nn.Conv2d:
    conv = nn.Conv2d(num_in, num_out, kernel_size=3, padding=1, bias=False)
    add_spectral_norm(conv)
    return conv


def _require_multiples(images: Tensor) -> None:
    height, width = images.shape[-2:]
    if height % REDUCTION or width % REDUCTION:
        raise ValueError(
            f"the discriminator takes images whose height and width ({height} and {width}) are "
            f"multiples of {REDUCTION}: patch_size must be one"
        )
