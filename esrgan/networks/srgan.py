"""Generator and discriminator of the SRGAN paper (arXiv:1609.04802, section 2.1 and figure 4)."""

from torch import Tensor, nn
from torch.nn import functional as F

from esrgan.networks.blocks import (
    Architecture,
    conv3x3,
    leaky_relu,
    normalisation,
    require_positive,
    upsampling_steps,
)
from esrgan.networks.discriminators import require_size

NUM_STAGES = 4
"""Of the discriminator, with two convolutions each; the second halves the map."""

REDUCTION = 2**NUM_STAGES


class ResidualBlock(nn.Module):
    """Convolution, BatchNorm, PReLU, convolution, BatchNorm, and the input added."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(num_features, num_features)
        self.norm1 = nn.BatchNorm2d(num_features)
        self.prelu = nn.PReLU()
        self.conv2 = conv3x3(num_features, num_features)
        self.norm2 = nn.BatchNorm2d(num_features)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.norm2(self.conv2(self.prelu(self.norm1(self.conv1(x)))))
        return x + residual


class SRGANGenerator(nn.Module):
    """Residual blocks with BatchNorm at the resolution of the input, then pixel-shuffle steps.

    Its images are in [0, 1] like all others here, where the paper has [-1, 1] for the larger ones.
    Each PReLU has one parameter. The paper enlarges by 4; of the other scales, 3 is one step of 3.
    The first weights are PyTorch's own: the paper does not mention them.

    Attributes:
        scale: Size of the output, that of the input being 1.
        architecture: All arguments, and the name of the class under `network`.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, *, scale: int = 4, num_features: int = 64, num_blocks: int = 16) -> None:
        super().__init__()
        numbers: dict[str, float] = {"num_features": num_features, "num_blocks": num_blocks}
        require_positive(**numbers)
        self.architecture: Architecture = {"network": "SRGANGenerator", "scale": scale, **numbers}
        self.scale = scale
        self.upsampling = upsampling_steps(scale, name="scale")
        self.conv_first = nn.Conv2d(3, num_features, kernel_size=9, padding=4)
        self.prelu_first = nn.PReLU()
        self.body = nn.Sequential(*(ResidualBlock(num_features) for _ in range(num_blocks)))
        self.conv_body = conv3x3(num_features, num_features)
        self.norm_body = nn.BatchNorm2d(num_features)
        for step, factor in enumerate(self.upsampling, start=1):
            self.add_module(f"conv_up{step}", conv3x3(num_features, num_features * factor**2))
            self.add_module(f"prelu_up{step}", nn.PReLU())
        self.conv_last = nn.Conv2d(num_features, 3, kernel_size=9, padding=4)

    def forward(self, lq: Tensor) -> Tensor:
        """Enlarge; the result is not clamped."""
        features = self.prelu_first(self.conv_first(lq))
        features = features + self.norm_body(self.conv_body(self.body(features)))
        for step, factor in enumerate(self.upsampling, start=1):
            features = F.pixel_shuffle(self.get_submodule(f"conv_up{step}")(features), factor)
            features = self.get_submodule(f"prelu_up{step}")(features)
        sr: Tensor = self.conv_last(features)
        return sr


class SRGANDiscriminator(nn.Module):
    """Images in, one logit each out: (N, 3, input_size, input_size) -> (N, 1).

    Eight convolutions of 3x3, every second of which halves the map, BatchNorm after all but the
    first, and two linear layers. The sigmoid at the paper's end belongs to the losses here. The
    paper's images are of 96x96.

    Attributes:
        input_size: Height and width of the images.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, *, input_size: int, num_features: int = 64) -> None:
        super().__init__()
        require_positive(input_size=input_size, num_features=num_features)
        if input_size % REDUCTION:
            below = input_size - input_size % REDUCTION
            near = " or ".join(str(size) for size in (below, below + REDUCTION) if size > 0)
            raise ValueError(
                f"input_size ({input_size}) must be a multiple of {REDUCTION}: use {near}"
            )
        self.input_size = input_size
        num_in = 3
        for stage in range(NUM_STAGES):
            num_out = num_features * 2**stage
            self.add_module(f"conv{stage}_0", conv3x3(num_in, num_out))
            self.add_module(f"bn{stage}_0", normalisation(num_out, enabled=stage > 0))
            self.add_module(f"conv{stage}_1", nn.Conv2d(num_out, num_out, 3, stride=2, padding=1))
            self.add_module(f"bn{stage}_1", nn.BatchNorm2d(num_out))
            num_in = num_out
        self.linear1 = nn.Linear(num_in * (input_size // REDUCTION) ** 2, 1024)
        self.linear2 = nn.Linear(1024, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Judge; no sigmoid, the losses take logits.

        Raises:
            ValueError: the images have another size than `input_size`.
        """
        require_size(images, self.input_size)
        features = images
        for stage in range(NUM_STAGES):
            for name in (f"{stage}_0", f"{stage}_1"):
                features = self.get_submodule(f"conv{name}")(features)
                features = leaky_relu(self.get_submodule(f"bn{name}")(features))
        logits: Tensor = self.linear2(leaky_relu(self.linear1(features.flatten(1))))
        return logits
