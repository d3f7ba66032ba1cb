"""The discriminator of ESRGAN, in the style of VGG."""

from torch import Tensor, nn

from esrgan.networks.blocks import Initialise, leaky_relu, normalisation, require_positive
from esrgan.networks.spectral_norm import add_spectral_norm

STAGES = {last * 2**stages: stages for stages in range(1, 11) for last in (3, 4)}
"""Size of the images -> how often it is halved until a map of 3x3 or 4x4 is left; ascending."""


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

    Attributes:
        input_size: Height and width of the images.

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
        self.input_size = input_size
        self.num_stages = _num_stages(input_size)
        num_in = 3
        for stage in range(self.num_stages):
            num_out = num_features * min(2**stage, 8)
            is_first = stage == 0
            conv = nn.Conv2d(num_in, num_out, 3, padding=1, bias=conv_bias or is_first)
            norm = normalisation(num_out, enabled=batch_norm and not is_first)
            halving = nn.Conv2d(num_out, num_out, 4, stride=2, padding=1, bias=conv_bias)
            self.add_module(f"conv{stage}_0", conv)
            self.add_module(f"bn{stage}_0", norm)
            self.add_module(f"conv{stage}_1", halving)
            self.add_module(f"bn{stage}_1", normalisation(num_out, enabled=batch_norm))
            num_in = num_out
        self.linear1 = nn.Linear(num_in * (input_size // 2**self.num_stages) ** 2, 100)
        self.linear2 = nn.Linear(100, 1)
        if initialise is not None:
            initialise(self)
        if spectral_norm:
            _normalise_every_layer(self)

    def forward(self, images: Tensor) -> Tensor:
        """Judge; no sigmoid, the losses take logits.

        Raises:
            ValueError: the images have another size than `input_size`.
        """
        require_size(images, self.input_size)
        features = images
        for stage in range(self.num_stages):
            for name in (f"{stage}_0", f"{stage}_1"):
                features = self.get_submodule(f"conv{name}")(features)
                features = leaky_relu(self.get_submodule(f"bn{name}")(features))
        logits: Tensor = self.linear2(leaky_relu(self.linear1(features.flatten(1))))
        return logits


def require_size(images: Tensor, input_size: int) -> None:
    """Check the images of a discriminator whose linear layers fit one size only.

    Raises:
        ValueError: their height or width is another.
    """
    height, width = images.shape[-2:]
    if (height, width) != (input_size, input_size):
        raise ValueError(
            f"the discriminator's input_size ({input_size}) does not fit images of "
            f"{height}x{width}: patch_size must be equal to it"
        )


def _num_stages(input_size: int) -> int:
    if input_size not in STAGES:
        below = [size for size in STAGES if size < input_size][-1:]
        above = [size for size in STAGES if size > input_size][:1]
        near = " or ".join(map(str, below + above))
        raise ValueError(f"input_size ({input_size}) must be 3 or 4 times a power of 2: use {near}")
    return STAGES[input_size]


def _normalise_every_layer(network: nn.Module) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            add_spectral_norm(layer)
