"""Learning rates over the iterations that PyTorch has no schedule for."""

import math
from functools import partial

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, SequentialLR


def warmup_cosine(optimizer: Optimizer, *, iterations: int, warmup_iterations: int) -> SequentialLR:
    """Raise the learning rate in a straight line, then let it fall along a cosine to zero.

    Args:
        optimizer: has the largest learning rate.
        iterations: the length of the run.
        warmup_iterations: the part of it before the largest learning rate is reached.
    """
    if not 0 < warmup_iterations < iterations:
        raise ValueError(
            f"warmup_iterations ({warmup_iterations}) must be at least 1 and less than "
            f"iterations ({iterations})"
        )
    return SequentialLR(
        optimizer,
        [
            LinearLR(optimizer, 1 / warmup_iterations, total_iters=warmup_iterations),
            CosineAnnealingLR(optimizer, iterations - warmup_iterations),
        ],
        milestones=[warmup_iterations],
    )


def cosine_restarts(optimizer: Optimizer, *, period: int, eta_min: float) -> LambdaLR:
    """Let the learning rate fall along a cosine to `eta_min` again and again, as BasicSR does.

    The first iteration has the largest rate. Each cosine ends at its restart: where PyTorch's
    CosineAnnealingWarmRestarts begins anew with the largest rate (iteration 250,001 for a period of
    250,000), BasicSR has `eta_min`, and the largest rate but one step in the iteration after that.

    Args:
        optimizer: has the largest learning rate of each group.
        period: iterations of a cosine.
        eta_min: the smallest learning rate.
    """
    if period < 1:
        raise ValueError(f"period ({period}) must be at least 1 iteration")

    def factor(iteration: int, *, largest: float) -> float:
        done = 0.0 if iteration == 0 else ((iteration - 1) % period + 1) / period
        return (eta_min + (largest - eta_min) * (1 + math.cos(math.pi * done)) / 2) / largest

    rates = [float(group["lr"]) for group in optimizer.param_groups]
    return LambdaLR(optimizer, [partial(factor, largest=rate) for rate in rates])
