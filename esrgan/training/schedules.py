from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR


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
