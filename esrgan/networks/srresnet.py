"""SRResNet, the generator of SRGAN: as its paper has it, and as the ESRGAN authors wrote it."""

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
    upsampling_steps,
)


class ResidualBlock(nn.Module):
    """Convolution, activation, convolution, each perhaps with BatchNorm, and the input added."""

    def __init__(
        self, num_features: int, residual_scaling: float, batch_norm: bool, activation: nn.Module
    ) -> None:
        super().__init__()
        self.residual_scaling = residual_scaling
        self.conv1 = conv3x3(num_features, num_features)
        self.norm1 = normalisation(num_features, enabled=batch_norm)
        self.prelu = activation  # a PReLU has this name in files; another has nothing in them
        self.conv2 = conv3x3(num_features, num_features)
        self.norm2 = normalisation(num_features, enabled=batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.prelu(self.norm1(self.conv1(x)))
        return torch.add(x, self.norm2(self.conv2(residual)), alpha=self.residual_scaling)


class SRGANGenerator(nn.Module):
    """The generator of the SRGAN paper (arXiv:1609.04802, section 2.1 and figure 4).

    Residual blocks with BatchNorm at the resolution of the input, then pixel-shuffle steps.
    Its images are in [0, 1] like all others here, where the paper has [-1, 1] for the larger ones.
    Each PReLU has one parameter. The paper enlarges by 4; of the other scales, 3 is one step of 3.
    The first weights are PyTorch's own: the paper does not mention them.
    """

    def __init__(self, *, scale: int = 4, num_features: int = 64, num_blocks: int = 16) -> None:
        super().__init__()
        numbers = require_positive(num_features=num_features, num_blocks=num_blocks)
        self.architecture: Architecture = {"network": "SRGANGenerator", "scale": scale, **numbers}
        self.scale = scale
        self.upsampling = upsampling_steps(scale, name="scale")
        self.conv_first = nn.Conv2d(3, num_features, kernel_size=9, padding=4)
        self.prelu_first = nn.PReLU()
        self.body = nn.Sequential(
            *(ResidualBlock(num_features, 1.0, True, nn.PReLU()) for _ in range(num_blocks))
        )
        self.conv_body = conv3x3(num_features, num_features)
        self.norm_body = nn.BatchNorm2d(num_features)
        for step, factor in enumerate(self.upsampling, start=1):
            self.add_module(f"conv_up{step}", conv3x3(num_features, num_features * factor**2))
            self.add_module(f"prelu_up{step}", nn.PReLU())
        self.conv_last = nn.Conv2d(num_features, 3, kernel_size=9, padding=4)

    def forward(self, lq: Tensor) -> Tensor:
        return self.reconstruct(self.extract_features(lq))

    def extract_features(self, lq: Tensor) -> Tensor:
        """All before the enlargement: (N, features, H, W)."""
        features = self.prelu_first(self.conv_first(lq))
        deep: Tensor = features + self.norm_body(self.conv_body(self.body(features)))
        return deep

    def reconstruct(self, features: Tensor) -> Tensor:
        """The enlargement: (N, 3, H * scale, W * scale), from what `extract_features` returned."""
        for step, factor in enumerate(self.upsampling, start=1):
            features = F.pixel_shuffle(self.get_submodule(f"conv_up{step}")(features), factor)
            features = self.get_submodule(f"prelu_up{step}")(features)
        sr: Tensor = self.conv_last(features)
        return sr


class SRResNet(nn.Module):
    """Residual blocks at the resolution of the input, then pixel-shuffle steps.

    It is `sr_resnet` of the authors' code of 2018: kernels of 3 and ReLU where SRGAN's paper has
    kernels of 9 at the ends and PReLU. BasicSR's later MSRResNet is another network: it has no
    convolution at the end of the body and adds the enlarged input to the output.

    `batch_norm` normalises before the enlargement (the blocks and the end of the body),
    `batch_norm_hr` after it (Exp_BNinHR in table 1 of the ESRGAN supplement).
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        num_features: int = 64,
        num_blocks: int = 16,
        residual_scaling: float = 1.0,
        batch_norm: bool = False,
        batch_norm_hr: bool = False,
        initialise: Initialise = SMALL_KAIMING,
    ) -> None:
        super().__init__()
        numbers = require_positive(
            num_features=num_features, num_blocks=num_blocks, residual_scaling=residual_scaling
        )
        self.architecture: Architecture = {"network": "SRResNet", "scale": scale, **numbers}
        self.architecture |= {"batch_norm": batch_norm, "batch_norm_hr": batch_norm_hr}
        self.scale = scale
        self.upsampling = upsampling_steps(scale, name="scale")
        self.conv_first = conv3x3(3, num_features)
        block = (num_features, residual_scaling, batch_norm, nn.ReLU(inplace=True))
        self.body = nn.Sequential(*(ResidualBlock(*block) for _ in range(num_blocks)))
        self.conv_body = conv3x3(num_features, num_features)
        self.norm_body = normalisation(num_features, enabled=batch_norm)
        for step, factor in enumerate(self.upsampling, start=1):
            self.add_module(f"conv_up{step}", conv3x3(num_features, num_features * factor**2))
            self.add_module(f"norm_up{step}", normalisation(num_features, enabled=batch_norm_hr))
        self.conv_hr = conv3x3(num_features, num_features)
        self.norm_hr = normalisation(num_features, enabled=batch_norm_hr)
        self.conv_last = conv3x3(num_features, 3)
        initialise(self)

    def forward(self, lq: Tensor) -> Tensor:
        return self.reconstruct(self.extract_features(lq))

    def extract_features(self, lq: Tensor) -> Tensor:
        """All before the enlargement: (N, features, H, W)."""
        features = self.conv_first(lq)
        deep: Tensor = features + self.norm_body(self.conv_body(self.body(features)))
        return deep

    def reconstruct(self, features: Tensor) -> Tensor:
        """The enlargement: (N, 3, H * scale, W * scale), from what `extract_features` returned."""
        for step, factor in enumerate(self.upsampling, start=1):
            features = F.pixel_shuffle(self.get_submodule(f"conv_up{step}")(features), factor)
            features = F.relu(self.get_submodule(f"norm_up{step}")(features), inplace=True)
        features = F.relu(self.norm_hr(self.conv_hr(features)), inplace=True)
        sr: Tensor = self.conv_last(features)
        return sr


class MSRResNet(nn.Module):
    """Residual blocks, then pixel-shuffle steps; the output is added to the enlarged input.

    It is BasicSR's network of that name, whose names the layers have; many released weights are
    its. Unlike `SRResNet` it has no convolution at the end of the body, a leaky ReLU of slope 0.1,
    and never BatchNorm. It enlarges by 2, 3 (in one step) or 4. BasicSR, too, draws the first
    weights of every layer times 0.1.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        num_features: int = 64,
        num_blocks: int = 16,
        initialise: Initialise = SMALL_KAIMING,
    ) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise ValueError(f"scale ({scale}) must be one of 2, 3, 4")
        numbers = require_positive(num_features=num_features, num_blocks=num_blocks)
        self.architecture: Architecture = {"network": "MSRResNet", "scale": scale, **numbers}
        self.scale = scale
        self.upsampling = upsampling_steps(scale, name="scale")
        self.conv_first = conv3x3(3, num_features)
        self.body = nn.Sequential(
            *(ResidualBlock(num_features, 1.0, False, nn.ReLU(True)) for _ in range(num_blocks))
        )
        for step, factor in enumerate(self.upsampling, start=1):
            self.add_module(f"upconv{step}", conv3x3(num_features, num_features * factor**2))
        self.conv_hr = conv3x3(num_features, num_features)
        self.conv_last = conv3x3(num_features, 3)
        initialise(self)

    def forward(self, lq: Tensor) -> Tensor:
        features = self.body(leaky_relu(self.conv_first(lq), slope=0.1))
        for step, factor in enumerate(self.upsampling, start=1):
            features = F.pixel_shuffle(self.get_submodule(f"upconv{step}")(features), factor)
            features = leaky_relu(features, slope=0.1)
        residual: Tensor = self.conv_last(leaky_relu(self.conv_hr(features), slope=0.1))
        enlarged = F.interpolate(lq, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return residual + enlarged
