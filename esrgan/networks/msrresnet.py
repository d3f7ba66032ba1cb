"""The SRResNet of the authors' later code, of which released weights are common (MSRGAN, too)."""

from torch import Tensor, nn
from torch.nn import functional as F

from esrgan.networks.blocks import (
    UPSAMPLING_STEPS,
    Architecture,
    Initialise,
    conv3x3,
    require_positive,
)
from esrgan.networks.init import SMALL_KAIMING

SCALES = (2, 3, 4)


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, and the input added."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(num_features, num_features)
        self.conv2 = conv3x3(num_features, num_features)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.conv2(F.relu(self.conv1(x), inplace=True))
        return x + residual


class MSRResNet(nn.Module):
    """Residual blocks, then pixel-shuffle steps; the output is added to the enlarged input.

    It is BasicSR's network of that name, whose names the layers have. Unlike `SRResNet` it has no
    convolution at the end of the body, a leaky ReLU of slope 0.1, and never BatchNorm.
    `initialise` draws the first weights; BasicSR, too, has every layer times 0.1.

    Attributes:
        scale: Size of the output, that of the input being 1: 2, 3 (in one step) or 4.
        architecture: All arguments but `initialise`, and the name of the class under `network`.

    Raises:
        ValueError: an argument is out of range.
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
        if scale not in SCALES:
            raise ValueError(f"scale ({scale}) must be one of {', '.join(map(str, SCALES))}")
        numbers: dict[str, float] = {"num_features": num_features, "num_blocks": num_blocks}
        require_positive(**numbers)
        self.architecture: Architecture = {"network": "MSRResNet", "scale": scale, **numbers}
        self.scale = scale
        self.upsampling = UPSAMPLING_STEPS[scale]
        self.conv_first = conv3x3(3, num_features)
        self.body = nn.Sequential(*(ResidualBlock(num_features) for _ in range(num_blocks)))
        for step, factor in enumerate(self.upsampling, start=1):
            self.add_module(f"upconv{step}", conv3x3(num_features, num_features * factor**2))
        self.conv_hr = conv3x3(num_features, num_features)
        self.conv_last = conv3x3(num_features, 3)
        initialise(self)

    def forward(self, lq: Tensor) -> Tensor:
        """Enlarge; the result is not clamped."""
        features = self.body(_leaky_relu(self.conv_first(lq)))
        for step, factor in enumerate(self.upsampling, start=1):
            features = F.pixel_shuffle(self.get_submodule(f"upconv{step}")(features), factor)
            features = _leaky_relu(features)
        residual: Tensor = self.conv_last(_leaky_relu(self.conv_hr(features)))
        enlarged = F.interpolate(lq, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return residual + enlarged


def _leaky_relu(features: Tensor) -> Tensor:
    return F.leaky_relu(features, negative_slope=0.1, inplace=True)
