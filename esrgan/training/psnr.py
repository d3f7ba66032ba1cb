"""The PSNR stage: a generator that minimises its distance to the ground truth (paper, 4.1)."""

from collections.abc import Mapping

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import nn

from esrgan.training.batch_norm import synchronise_batch_norm
from esrgan.training.ema import frozen_copy, update_average, warmed_up
from esrgan.training.guard import FiniteGuard
from esrgan.training.state import TrainingState, load_stage_state, stage_state
from esrgan.training.step import (
    Batch,
    MakeOptimizer,
    MakeSchedule,
    Values,
    accumulate,
    check_step_settings,
    leave_new_memory_empty,
    micro_batches,
    step_schedules,
    step_seed,
    take_step,
)


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
        check_step_settings(ema_decay=ema_decay, num_micro_batches=num_micro_batches)
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

    @property
    def guards(self) -> dict[str, FiniteGuard]:
        return {"generator": self.guard}

    def setup(self, stage: str) -> None:
        leave_new_memory_empty()
        synchronise_batch_norm(self.generator)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = self.make_optimizer(self.generator.parameters())
        return {"optimizer": optimizer, "lr_scheduler": self.make_schedule(optimizer)}

    def training_step(self, batch: Batch, batch_idx: int) -> Values:
        """Update the weights and their average; returns what is logged, on the device."""
        torch.manual_seed(step_seed(self.seed, self.iteration, self.global_rank))
        step = take_step(
            self.trainer.optimizers[0],
            self.guard,
            backward=lambda: self._backward(batch),
            buffers=list(self.generator.buffers()),
        )
        if self.ema is not None and self.ema_decay is not None:
            decay = warmed_up(self.ema_decay, self.iteration)
            update_average(self.ema, self.generator, decay=decay, keep=step.taken)
        step_schedules(self.trainer)
        self.iteration += 1
        return step.values | {"gradient_norm": step.norm}

    def _backward(self, batch: Batch) -> Values:
        dtype = next(self.generator.parameters()).dtype
        values: Values = {}
        for lq, gt in micro_batches(batch, self.num_micro_batches, dtype):
            sr = self.generator(lq).to(dtype)  # the losses are computed in full precision
            terms = {
                name: loss(sr, gt) / self.num_micro_batches for name, loss in self.losses.items()
            }
            self.manual_backward(torch.stack(list(terms.values())).sum())
            accumulate(values, terms)
        return values

    def concerns(self, values: Mapping[str, float]) -> dict[str, str]:
        """Nothing that the figures of an interval could say of this stage needs words."""
        return {}

    def training_state(self) -> TrainingState:
        """All that a continued run needs, as plain containers of tensors and numbers."""
        return stage_state(self)

    def load_training_state(self, state: TrainingState) -> None:
        """Continue from what `training_state` returned; called when the optimizers exist."""
        load_stage_state(self, state)
