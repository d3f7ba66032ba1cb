"""The generator of ESRGAN (section 3.1 of the paper)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from esrgan.networks.blocks import (
    SMALL_KAIMING,
    Architecture,
    Initialise,
    conv3x3,
    leaky_relu,
    normalisation,
    require_positive,
    scaled_kaiming,
    upsampling_steps,
)

_RELEASED_UNSHUFFLE = {1: 4, 2: 2}  # scales of Real-ESRGAN's that fold pixels into channels first


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each of which sees the block's input and all outputs before it."""

    def __init__(self, features: int, growth: int, scaling: float, batch_norm: bool) -> None:
        super().__init__()
        self.scaling = scaling
        self.conv1 = conv3x3(features, growth)
        self.conv2 = conv3x3(features + growth, growth)
        self.conv3 = conv3x3(features + 2 * growth, growth)
        self.conv4 = conv3x3(features + 3 * growth, growth)
        self.conv5 = conv3x3(features + 4 * growth, features)
        self.norm1 = normalisation(growth, enabled=batch_norm)
        self.norm2 = normalisation(growth, enabled=batch_norm)
        self.norm3 = normalisation(growth, enabled=batch_norm)
        self.norm4 = normalisation(growth, enabled=batch_norm)
        self.norm5 = normalisation(features, enabled=batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        x1 = leaky_relu(self.norm1(self.conv1(x)))
        x2 = leaky_relu(self.norm2(self.conv2(torch.cat((x, x1), dim=1))))
        x3 = leaky_relu(self.norm3(self.conv3(torch.cat((x, x1, x2), dim=1))))
        x4 = leaky_relu(self.norm4(self.conv4(torch.cat((x, x1, x2, x3), dim=1))))
        x5 = self.norm5(self.conv5(torch.cat((x, x1, x2, x3, x4), dim=1)))
        return torch.add(x, x5, alpha=self.scaling)


class ResidualInResidualDenseBlock(nn.Module):
    """Three dense blocks with a residual connection around them (figure 4 of the paper)."""

    def __init__(self, features: int, growth: int, scaling: float, batch_norm: bool) -> None:
        super().__init__()
        self.scaling = scaling
        self.rdb1 = ResidualDenseBlock(features, growth, scaling, batch_norm)
        self.rdb2 = ResidualDenseBlock(features, growth, scaling, batch_norm)
        self.rdb3 = ResidualDenseBlock(features, growth, scaling, batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.rdb3(self.rdb2(self.rdb1(x))), alpha=self.scaling)


class RRDBNet(nn.Module):
    """Residual-in-residual dense blocks at the resolution of the input, then enlargement.

    The layers have BasicSR's and Real-ESRGAN's names, so that files open in either direction.

    Scale 4 is as published: two nearest-neighbour steps of 2 (scale 8: three). Scales 2 and 1 are
    as Real-ESRGAN released them: the network of scale 4 behind a pixel-unshuffle of 2 or 4;
    `unshuffle=1` builds the other form in circulation, with one step or none. Scale 3 is one step
    of 3, as in the authors' code of 2018. Nothing in a file tells it from scale 2 with
    `unshuffle=1`, for which spandrel takes it. Spandrel also expects `growth_channels` to be 32.

    `residual_scaling` multiplies the residual of every block, dense or not. `batch_norm`, for
    ablations, normalises after each convolution before the enlargement.

    Attributes:
        unshuffle: Height and width of the input must be multiples of it.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        num_features: int = 64,
        num_blocks: int = 23,
        growth_channels: int = 32,
        residual_scaling: float = 0.2,
        batch_norm: bool = False,
        unshuffle: int | None = None,
        initialise: Initialise = SMALL_KAIMING,
    ) -> None:
        super().__init__()
        upsampling_steps(scale, name="scale")
        unshuffle = _RELEASED_UNSHUFFLE.get(scale, 1) if unshuffle is None else unshuffle
        numbers = require_positive(
            num_features=num_features,
            num_blocks=num_blocks,
            growth_channels=growth_channels,
            residual_scaling=residual_scaling,
            unshuffle=unshuffle,
        )
        self.architecture: Architecture = {"network": "RRDBNet", "scale": scale, **numbers}
        self.architecture |= {"batch_norm": batch_norm}
        self.scale = scale
        self.unshuffle = unshuffle
        self.upsampling = upsampling_steps(scale * unshuffle, name="scale times unshuffle")
        self.conv_first = conv3x3(3 * unshuffle**2, num_features)
        block = (num_features, growth_channels, residual_scaling, batch_norm)
        self.body = nn.Sequential(
            *(ResidualInResidualDenseBlock(*block) for _ in range(num_blocks))
        )
        self.conv_body = conv3x3(num_features, num_features)
        self.norm_body = normalisation(num_features, enabled=batch_norm)
        for step, _ in enumerate(self.upsampling, start=1):
            self.add_module(f"conv_up{step}", conv3x3(num_features, num_features))
        self.conv_hr = conv3x3(num_features, num_features)
        self.conv_last = conv3x3(num_features, 3)
        initialise(self)

    def forward(self, lq: Tensor) -> Tensor:
        return self.reconstruct(self.extract_features(lq))

    def extract_features(self, lq: Tensor) -> Tensor:
        """All before the enlargement: (N, features, H / unshuffle, W / unshuffle)."""
        if self.unshuffle > 1:
            height, width = lq.shape[-2:]
            if height % self.unshuffle or width % self.unshuffle:
                raise ValueError(
                    f"the input's height and width ({height} and {width}) must be multiples of "
                    f"{self.unshuffle} for this network of scale {self.scale}: pad or crop it"
                )
            lq = F.pixel_unshuffle(lq, self.unshuffle)
        return self._features_of(lq)

    def reconstruct(self, features: Tensor) -> Tensor:
        """The enlargement: (N, 3, H * scale, W * scale), from what `extract_features` returned."""
        for step, factor in enumerate(self.upsampling, start=1):
            features = F.interpolate(features, scale_factor=factor, mode="nearest")
            features = leaky_relu(self.get_submodule(f"conv_up{step}")(features))
        sr: Tensor = self.conv_last(leaky_relu(self.conv_hr(features)))
        return sr

    def from_cells(self, cells: Tensor) -> Tensor:
        """What follows the unshuffle, of which `cells` is the output: (N, 3 unshuffle², H, W)."""
        return self.reconstruct(self._features_of(cells))

    def _features_of(self, cells: Tensor) -> Tensor:
        features = self.conv_first(cells)
        deep: Tensor = features + self.norm_body(self.conv_body(self.body(features)))
        return deep


def scaled_kaiming_in_dense_blocks(network: nn.Module, *, scale: float) -> None:
    """`scaled_kaiming` inside the dense blocks only; other layers keep PyTorch's own first weights.

    This is how BasicSR has done it since 2019, thus the networks of Real-ESRGAN.
    """
    for module in network.modules():
        if isinstance(module, ResidualDenseBlock):
            scaled_kaiming(module, scale=scale)
