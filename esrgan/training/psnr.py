"""The PSNR stage: a generator that minimises its distance to the ground truth (paper, 4.1)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypedDict

import numpy as np
import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils import deterministic

from esrgan.training.ema import frozen_copy, update_average, warmed_up
from esrgan.training.guard import FiniteGuard, restore_where

MakeOptimizer = Callable[[Iterable[Parameter]], Optimizer]
MakeSchedule = Callable[[Optimizer], LRScheduler]
TrainingState = dict[str, Any]


class Batch(TypedDict):
    """Images as bytes, (N, H, W, 3); gt is `scale` times as large as lq."""

    lq: Tensor
    gt: Tensor


class PSNRTraining(LightningModule):
    """One optimizer step per iteration; an iteration is one batch, whatever its micro-batches.

    The optimization is manual in Lightning's terms, because a step must be taken or skipped on the
    device, and because the GAN stage, which has to be manual, then works the same way.

    Args:
        generator: maps lq to sr, (N, 3, H, W) in [0, 1].
        losses: name to loss; None leaves the term out. Each is logged under its name.
        optimizer: completed here with the generator's parameters.
        schedule: completed here with the optimizer; counts iterations.
        ema_decay: how much of the average of the weights stays per iteration; None: no average.
        guard: takes the steps, unless a gradient is not finite.
        num_micro_batches: parts that a batch is computed in, one after the other, to save memory.
        seed: every random number of a step follows from it, the iteration and the rank.
    """

    def __init__(
        self,
        *,
        generator: nn.Module,
        losses: Mapping[str, nn.Module | None],
        optimizer: MakeOptimizer,
        schedule: MakeSchedule,
        ema_decay: float | None,
        guard: FiniteGuard,
        num_micro_batches: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        _check_ranges(ema_decay, num_micro_batches)
        # Convolutions of 3x3 run fastest, on CPUs and GPUs alike, with the channels last in memory.
        self.generator = generator.to(memory_format=torch.channels_last)
        self.ema = None if ema_decay is None else frozen_copy(self.generator)
        self.losses = nn.ModuleDict({k: v for k, v in losses.items() if v is not None})
        if not self.losses:
            raise ValueError("training.losses has no term: at least one must not be null")
        self.guard = guard
        self.make_optimizer, self.make_schedule = optimizer, schedule
        self.ema_decay = ema_decay
        self.num_micro_batches = num_micro_batches
        self.seed = seed
        self.iteration = 0
        self.configure_optimizers()  # refuses wrong numbers now, before anything is written

    @property
    def evaluated(self) -> nn.Module:
        """The network that is validated and released: the average, where there is one."""
        return self.generator if self.ema is None else self.ema

    def on_fit_start(self) -> None:
        # Deterministic algorithms come with a debugging aid that writes all new memory twice.
        deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # not in its stub

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = self.make_optimizer(self.generator.parameters())
        return {"optimizer": optimizer, "lr_scheduler": self.make_schedule(optimizer)}

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Update the weights and their average; returns what is logged, on the device."""
        torch.manual_seed(step_seed(self.seed, self.iteration, self.global_rank))
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, Optimizer)
        optimizer.zero_grad()
        statistics = [buffer.clone() for buffer in self.generator.buffers()]
        values = self._accumulate_gradients(batch)
        loss = torch.stack(list(values.values())).sum()
        finite, norm = self.guard.step(optimizer, loss)
        restore_where(finite, list(self.generator.buffers()), statistics)
        if self.ema is not None and self.ema_decay is not None:
            decay = warmed_up(self.ema_decay, self.iteration)
            update_average(self.ema, self.generator, decay=decay, keep=finite)
        schedule = self.lr_schedulers()
        assert isinstance(schedule, LRScheduler)
        schedule.step()
        self.iteration += 1
        return values | {"gradient_norm": norm}

    def _accumulate_gradients(self, batch: Batch) -> dict[str, Tensor]:
        dtype = next(self.generator.parameters()).dtype
        values = {name: torch.zeros((), device=self.device) for name in self.losses}
        for lq, gt in _micro_batches(batch, self.num_micro_batches):
            lq, gt = _to_float(lq, dtype), _to_float(gt, dtype)
            sr = self.generator(lq).to(dtype)  # the losses are computed in full precision
            terms = {
                name: loss(sr, gt) / self.num_micro_batches for name, loss in self.losses.items()
            }
            self.manual_backward(torch.stack(list(terms.values())).sum())
            for name, term in terms.items():
                values[name] = values[name] + term.detach()
        return values

    def training_state(self) -> TrainingState:
        """All that a continued run needs, as plain containers of tensors and numbers."""
        return {
            "iteration": self.iteration,
            "architecture": getattr(self.generator, "architecture", None),
            "generator": self.generator.state_dict(),
            "ema": None if self.ema is None else self.ema.state_dict(),
            "guard": self.guard.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.trainer.optimizers],
            "schedules": [config.scheduler.state_dict() for config in self._schedules()],
        }

    def load_training_state(self, state: TrainingState) -> None:
        """Continue from what `training_state` returned; called when the optimizers exist."""
        self.iteration = state["iteration"]
        self.generator.load_state_dict(state["generator"])
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])
        self.guard.load_state_dict(state["guard"])
        for optimizer, values in zip(self.trainer.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(values)
        for config, values in zip(self._schedules(), state["schedules"], strict=True):
            config.scheduler.load_state_dict(values)

    def _schedules(self) -> list[Any]:
        return list(self.trainer.lr_scheduler_configs)


def step_seed(seed: int, iteration: int, rank: int) -> int:
    """The seed of one step on one rank."""
    mixed = np.random.SeedSequence((seed, iteration, rank)).generate_state(1, np.uint64)
    return int(mixed[0])


def _check_ranges(ema_decay: float | None, num_micro_batches: int) -> None:
    if ema_decay is not None and not 0 < ema_decay < 1:
        raise ValueError(
            f"training.ema_decay ({ema_decay}) must lie between 0 and 1, e.g. 0.999; "
            "null trains without an average"
        )
    if num_micro_batches < 1:
        raise ValueError(f"training.num_micro_batches ({num_micro_batches}) must be at least 1")


def _micro_batches(batch: Batch, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    size = len(batch["gt"])
    if size % count:
        raise ValueError(
            f"training.num_micro_batches ({count}) must divide the {size} samples of a batch"
        )
    yield from zip(batch["lq"].chunk(count), batch["gt"].chunk(count), strict=True)


def _to_float(images: Tensor, dtype: torch.dtype) -> Tensor:
    # A view: bytes stored with the channels last are what channels_last means.
    return images.permute(0, 3, 1, 2).to(dtype) / 255
