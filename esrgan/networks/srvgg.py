"""The small generator of Real-ESRGAN's general and video releases."""

from torch import Tensor, nn
from torch.nn import functional as F

from esrgan.networks.blocks import Architecture, conv3x3, require_positive

ACTIVATIONS = ("prelu", "relu", "leaky_relu")


class SRVGGNetCompact(nn.Module):
    """Convolutions at the resolution of the input, then one pixel-shuffle step of any scale.

    It learns what to add to the input enlarged by repeated pixels. Nothing is computed at the
    resolution of the output: with 32 convolutions it has a fifteenth of the paper's RRDBNet's
    arithmetic. The layers have Real-ESRGAN's names, so that files open in either direction:
    realesr-animevideov3 has 16 convolutions between the first and the last, realesr-general-x4v3
    has 32.

    `activation` is prelu, with a slope for each channel, as in all that has been released; relu; or
    leaky_relu, of slope 0.1. In a file only the slopes of prelu are to be seen. The first weights
    are PyTorch's own, as published.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        num_features: int = 64,
        num_convs: int = 16,
        activation: str = "prelu",
    ) -> None:
        super().__init__()
        numbers = require_positive(scale=scale, num_features=num_features, num_convs=num_convs)
        self.architecture: Architecture = {"network": "SRVGGNetCompact", **numbers}
        self.architecture |= {"activation": activation}
        self.scale = scale
        self.body = nn.Sequential(conv3x3(3, num_features), _activation(activation, num_features))
        for _ in range(num_convs):
            self.body.append(conv3x3(num_features, num_features))
            self.body.append(_activation(activation, num_features))
        self.body.append(conv3x3(num_features, 3 * scale**2))

    def forward(self, lq: Tensor) -> Tensor:
        residual = F.pixel_shuffle(self.body(lq), self.scale)
        return residual + F.interpolate(lq, scale_factor=self.scale, mode="nearest")


def _activation(name: str, num_features: int) -> nn.Module:
    if name == "prelu":
        return nn.PReLU(num_features)
    if name == "relu":
        return nn.ReLU(inplace=True)
    if name == "leaky_relu":
        return nn.LeakyReLU(0.1, inplace=True)
    raise ValueError(f"activation ({name}) must be one of {', '.join(ACTIVATIONS)}")
