"""What the steps of both stages are made of."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypedDict

import numpy as np
import torch
from pytorch_lightning import Trainer
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils import deterministic

from esrgan.training.guard import FiniteGuard, restore_where
from esrgan.training.ranks import average

MakeOptimizer = Callable[[Iterable[Parameter]], Optimizer]
MakeSchedule = Callable[[Optimizer], LRScheduler]
Values = dict[str, Tensor]
"""Scalars on the device, by the names they are logged under."""


class Batch(TypedDict):
    """Images as bytes, (N, H, W, 3); gt is `scale` times as large as lq."""

    lq: Tensor
    gt: Tensor


class Step(NamedTuple):
    """What became of an update: its figures, whether it was taken, and the gradients' norm."""

    values: Values
    taken: Tensor
    norm: Tensor


def take_step(
    optimizer: Optimizer,
    guard: FiniteGuard,
    *,
    backward: Callable[[], Values],
    buffers: Sequence[Tensor],
) -> Step:
    """Update weights by the gradients of the global batch, if everything is finite.

    Args:
        optimizer: of the weights.
        guard: takes the step or skips it, alike on all processes.
        backward: leaves this process's gradients in the weights and returns its figures, the losses
            among them.
        buffers: those that the passes of `backward` change; as before where the step is skipped.

    Returns:
        The figures are means over all processes.
    """
    optimizer.zero_grad()
    before = [buffer.clone() for buffer in buffers]
    values = backward()
    weights = (weight for group in optimizer.param_groups for weight in group["params"])
    average([*(w.grad for w in weights if w.grad is not None), *values.values()])
    taken, norm = guard.step(optimizer, torch.stack(list(values.values())).sum())
    restore_where(taken, buffers, before)
    return Step(values, taken, norm)


def step_schedules(trainer: Trainer) -> None:
    """Count an iteration in the schedules of all optimizers."""
    for config in trainer.lr_scheduler_configs:
        schedule: LRScheduler = config.scheduler
        schedule.step()


def accumulate(values: Values, terms: Mapping[str, Tensor]) -> None:
    """Add terms, without their graphs, to the figures of the parts before."""
    for name, term in terms.items():
        values[name] = values[name] + term.detach() if name in values else term.detach()


def step_seed(seed: int, iteration: int, rank: int) -> int:
    """The seed of one step on one process."""
    mixed = np.random.SeedSequence((seed, iteration, rank)).generate_state(1, np.uint64)
    return int(mixed[0])


def micro_batches(batch: Batch, count: int, dtype: torch.dtype) -> Iterator[tuple[Tensor, Tensor]]:
    """The lq and gt of equal parts of a batch, (N, 3, H, W) in [0, 1].

    Raises:
        ValueError: the batch has no `count` equal parts.
    """
    size = len(batch["gt"])
    if size % count:
        raise ValueError(
            f"training.num_micro_batches ({count}) must divide the {size} samples of a batch"
        )
    for lq, gt in zip(batch["lq"].chunk(count), batch["gt"].chunk(count), strict=True):
        yield _to_float(lq, dtype), _to_float(gt, dtype)


def _to_float(images: Tensor, dtype: torch.dtype) -> Tensor:
    # A view: bytes stored with the channels last are what channels_last means.
    return images.permute(0, 3, 1, 2).to(dtype) / 255


def leave_new_memory_empty() -> None:
    """Switch off an aid for debugging that deterministic algorithms come with: it costs time."""
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # not in its stub


def check_step_settings(*, ema_decay: float | None, num_micro_batches: int) -> None:
    """Refuse what no stage can work with.

    Raises:
        ValueError: names the setting, its value, the rule and the fix.
    """
    if ema_decay is not None and not 0 < ema_decay < 1:
        raise ValueError(
            f"training.ema_decay ({ema_decay}) must lie between 0 and 1, e.g. 0.999; "
            "null trains without an average"
        )
    if num_micro_batches < 1:
        raise ValueError(f"training.num_micro_batches ({num_micro_batches}) must be at least 1")
