"""First weights of a network.

Their size decides whether a deep network without BatchNorm trains at all: the ESRGAN paper calls it
"smaller initialization" (section 3.1 and the supplement). It gives no number; the authors' code of
2018 has 0.1.
"""

from functools import partial

import torch
from torch import nn

from esrgan.networks.blocks import Initialise


@torch.no_grad()
def scaled_kaiming(network: nn.Module, *, scale: float) -> None:
    """Draw convolutions and linear layers from He's normal distribution (fan in), times `scale`.

    Biases become 0, BatchNorm starts at weight 1 and bias 0. With scale 1 it is plain He
    initialisation.
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
