"""What several networks are made of, and their first weights.

Every generator has two attributes: `scale`, the size of its output, that of the input being 1; and
`architecture`. `initialise` draws its first weights. Its output is not clamped. Arguments out of
range, and images of a size that a network does not take, are a ValueError.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Initialise = Callable[[nn.Module], None]
"""Draws the first weights of a network, in place."""

Architecture = dict[str, Any]
"""The arguments that build a generator again, and the name of its class under `network`.

All but `initialise`, of which nothing is left when weights are loaded. Numbers and words; those of
a library's networks also have its name under `library`, and their arguments under `parameters`.
"""

_STEPS: dict[int, tuple[int, ...]] = {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}


def conv3x3(num_in: int, num_out: int) -> nn.Conv2d:
    """The convolution of the whole family: height and width stay as they are."""
    return nn.Conv2d(num_in, num_out, kernel_size=3, padding=1)


def normalisation(num_features: int, *, enabled: bool) -> nn.Module:
    """BatchNorm, or a layer that does nothing and has no key."""
    return nn.BatchNorm2d(num_features) if enabled else nn.Identity()


def leaky_relu(features: Tensor, *, slope: float = 0.2) -> Tensor:
    """In place; 0.2 is the slope in all networks here but MSRResNet.

    Convolution and BatchNorm keep nothing of their output for the backward pass, so writing over
    it is safe, and saves a copy of the activations.
    """
    return F.leaky_relu(features, negative_slope=slope, inplace=True)


def upsampling_steps(factor: int, *, name: str) -> tuple[int, ...]:
    """The steps of an enlargement by `factor`; a ValueError calls it `name` if there are none."""
    if factor not in _STEPS:
        choices = ", ".join(map(str, _STEPS))
        raise ValueError(f"{name} ({factor}) must be one of {choices}")
    return _STEPS[factor]


def require_positive(**values: float) -> dict[str, float]:
    """Return numbers by the names the user knows; one that is not above 0 is a ValueError."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} ({value}) must be greater than 0")
    return values


@torch.no_grad()
def scaled_kaiming(network: nn.Module, *, scale: float) -> None:
    """Draw convolutions and linear layers from He's normal distribution (fan in), times `scale`.

    Biases become 0, BatchNorm starts at weight 1 and bias 0. The scale decides whether a deep
    network without BatchNorm trains at all: the ESRGAN paper calls it "smaller initialization"
    (section 3.1 and the supplement) and gives no number; the authors' code of 2018 has 0.1.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            module.weight.mul_(scale)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()


SMALL_KAIMING: Initialise = partial(scaled_kaiming, scale=0.1)
"""The first weights of the paper's networks: all layers, times 0.1 (BasicSR of 2018)."""
