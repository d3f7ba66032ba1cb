"""The discriminators of ESRGAN (in the style of VGG), of SRGAN, and of Real-ESRGAN (a U-Net).

They take images of (N, 3, H, W) and end without a sigmoid: the losses take logits.
"""

import torch
from torch import Tensor, nn

from esrgan.errors import near_multiples
from esrgan.networks.blocks import Initialise, conv3x3, leaky_relu, normalisation, require_positive
from esrgan.spectral_norm import add_spectral_norm

# Size of the images -> how often it is halved until a map of 3x3 or 4x4 is left; ascending
_VGG_STAGES = {last * 2**stages: stages for stages in range(1, 11) for last in (3, 4)}
_SRGAN_STAGES = 4
_SRGAN_REDUCTION = 2**_SRGAN_STAGES
_UNET_REDUCTION = 8  # three layers halve the map, and three double it


class VGGDiscriminator(nn.Module):
    """Images in, one logit each out: (N, 3, input_size, input_size) -> (N, 1).

    Each stage is a convolution of 3x3 and one of 4x4 that halves the map; the channels double up to
    8 times `num_features`. Two linear layers follow. With an `input_size` of 128 or 256 it is
    BasicSR's VGGStyleDiscriminator, whose names the layers have. 96, 128 and 192 are the sizes of
    the authors' code of 2018, where all convolutions have a bias: `conv_bias`.

    The first convolution always has a bias and no BatchNorm. `spectral_norm` takes BatchNorm's
    place and normalises every layer, as in the authors' variant; with neither, nothing is
    normalised. `initialise` draws the first weights; None leaves PyTorch's, as BasicSR does, where
    2018 has He's (`scaled_kaiming` with scale 1).

    Raises:
        ValueError: an argument is out of range, or both norms are asked for.
    """

    def __init__(
        self,
        *,
        input_size: int,
        num_features: int = 64,
        batch_norm: bool = True,
        spectral_norm: bool = False,
        conv_bias: bool = False,
        initialise: Initialise | None = None,
    ) -> None:
        super().__init__()
        require_positive(num_features=num_features)
        if batch_norm and spectral_norm:
            raise ValueError("batch_norm and spectral_norm are both true: set one of them to false")
        if input_size not in _VGG_STAGES:
            below = [size for size in _VGG_STAGES if size < input_size][-1:]
            above = [size for size in _VGG_STAGES if size > input_size][:1]
            near = " or ".join(map(str, below + above))
            raise ValueError(
                f"input_size ({input_size}) must be 3 or 4 times a power of 2: use {near}"
            )
        self.input_size = input_size
        self.num_stages = _VGG_STAGES[input_size]
        channels = _add_stages(self, num_features, halving=4, bias=conv_bias, batch_norm=batch_norm)
        self.linear1 = nn.Linear(channels * (input_size // 2**self.num_stages) ** 2, 100)
        self.linear2 = nn.Linear(100, 1)
        if initialise is not None:
            initialise(self)
        if spectral_norm:
            for layer in self.modules():
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    add_spectral_norm(layer)

    def forward(self, images: Tensor) -> Tensor:
        """Judge images, which must be of `input_size`: others are a ValueError."""
        return _judge_in_stages(self, images)


class SRGANDiscriminator(nn.Module):
    """Images in, one logit each out: (N, 3, input_size, input_size) -> (N, 1).

    It is that of the SRGAN paper (arXiv:1609.04802, figure 4), whose images are of 96x96: eight
    convolutions of 3x3, every second of which halves the map, BatchNorm after all but the first,
    and two linear layers.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, *, input_size: int, num_features: int = 64) -> None:
        super().__init__()
        require_positive(input_size=input_size, num_features=num_features)
        if input_size % _SRGAN_REDUCTION:
            near = near_multiples(input_size, _SRGAN_REDUCTION)
            raise ValueError(
                f"input_size ({input_size}) must be a multiple of {_SRGAN_REDUCTION}: use {near}"
            )
        self.input_size = input_size
        self.num_stages = _SRGAN_STAGES
        channels = _add_stages(self, num_features, halving=3, bias=True, batch_norm=True)
        self.linear1 = nn.Linear(channels * (input_size // _SRGAN_REDUCTION) ** 2, 1024)
        self.linear2 = nn.Linear(1024, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Judge images, which must be of `input_size`: others are a ValueError."""
        return _judge_in_stages(self, images)


_InStages = VGGDiscriminator | SRGANDiscriminator


def _add_stages(
    network: _InStages, num_features: int, *, halving: int, bias: bool, batch_norm: bool
) -> int:
    """Give a network its convolutions, and return how many channels the last one has.

    The second of each stage halves the map, by kernels of size `halving`. The first of all has a
    bias and no BatchNorm.
    """
    num_in = 3
    for stage in range(network.num_stages):
        num_out = num_features * min(2**stage, 8)
        conv = nn.Conv2d(num_in, num_out, 3, padding=1, bias=bias or stage == 0)
        norm = normalisation(num_out, enabled=batch_norm and stage > 0)
        network.add_module(f"conv{stage}_0", conv)
        network.add_module(f"bn{stage}_0", norm)
        conv = nn.Conv2d(num_out, num_out, halving, stride=2, padding=1, bias=bias)
        network.add_module(f"conv{stage}_1", conv)
        network.add_module(f"bn{stage}_1", normalisation(num_out, enabled=batch_norm))
        num_in = num_out
    return num_in


def _judge_in_stages(network: _InStages, images: Tensor) -> Tensor:
    height, width = images.shape[-2:]
    if (height, width) != (network.input_size, network.input_size):
        raise ValueError(
            f"the discriminator's input_size ({network.input_size}) does not fit images of "
            f"{height}x{width}: patch_size must be equal to it"
        )
    features = images
    for stage in range(network.num_stages):
        for name in (f"{stage}_0", f"{stage}_1"):
            features = network.get_submodule(f"conv{name}")(features)
            features = leaky_relu(network.get_submodule(f"bn{name}")(features))
    logits: Tensor = network.linear2(leaky_relu(network.linear1(features.flatten(1))))
    return logits


class UNetDiscriminator(nn.Module):
    """Images in, a logit for every pixel out: (N, 3, H, W) -> (N, 1, H, W).

    A U-Net whose skip connections add. All layers but the first and the last are normalised
    spectrally and have no bias. It is Real-ESRGAN's UNetDiscriminatorSN, whose names the layers
    have (arXiv:2107.10833, section 3.4).
    """

    def __init__(self, *, num_features: int = 64) -> None:
        super().__init__()
        require_positive(num_features=num_features)
        self.conv0 = conv3x3(3, num_features)
        self.conv1 = _normalised_conv(num_features, num_features * 2, kernel=4, stride=2)
        self.conv2 = _normalised_conv(num_features * 2, num_features * 4, kernel=4, stride=2)
        self.conv3 = _normalised_conv(num_features * 4, num_features * 8, kernel=4, stride=2)
        self.conv4 = _normalised_conv(num_features * 8, num_features * 4)
        self.conv5 = _normalised_conv(num_features * 4, num_features * 2)
        self.conv6 = _normalised_conv(num_features * 2, num_features)
        self.conv7 = _normalised_conv(num_features, num_features)
        self.conv8 = _normalised_conv(num_features, num_features)
        self.conv9 = conv3x3(num_features, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Judge images, whose height and width must be multiples of 8: else, a ValueError."""
        height, width = images.shape[-2:]
        if height % _UNET_REDUCTION or width % _UNET_REDUCTION:
            raise ValueError(
                f"the discriminator takes images whose height and width ({height} and {width}) are "
                f"multiples of {_UNET_REDUCTION}: patch_size must be one"
            )
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


def _normalised_conv(num_in: int, num_out: int, *, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(num_in, num_out, kernel, stride, padding=1, bias=False)
    add_spectral_norm(conv)
    return conv
