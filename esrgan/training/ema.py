"""The exponential moving average of a network's weights.

It is a frozen copy of the generator inside the training module, so that validation, checkpoints
and releases read it where it is and nothing is ever swapped in place.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn


def frozen_copy(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode that no optimizer changes."""
    return deepcopy(network).requires_grad_(False).eval()


def warmed_up(decay: float, iteration: int) -> float:
    """The decay of an iteration, counted from 0: at first less stays.

    Otherwise the average would remember the random first weights for several times
    1 / (1 - decay) iterations.
    """
    return min(decay, (1 + iteration) / (10 + iteration))


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, *, decay: float, keep: Tensor) -> None:
    """Move the average towards the network: a <- a + (1 - decay) (w - a).

    Buffers (the running statistics of BatchNorm) are copied: they are averages already.

    Args:
        average: the frozen copy.
        network: the network as it is after an optimizer step.
        decay: the share of the old average that stays, e.g. 0.999.
        keep: scalar boolean on the network's device; where it is false nothing changes. A tensor,
            so that the decision needs no synchronisation with the host.
    """
    averages: list[Tensor] = list(average.parameters())
    weights: list[Tensor] = list(network.parameters())
    differences = torch._foreach_sub(weights, averages)
    torch._foreach_mul_(differences, (1 - decay) * keep)
    torch._foreach_add_(averages, differences)
    for mine, theirs in zip(average.buffers(), network.buffers(), strict=True):
        mine.copy_(torch.where(keep, theirs, mine))
