"""The GAN stage: what ESRGAN adds to the PSNR stage (paper, sections 3.2 and 3.3, equation 3)."""

from collections.abc import Mapping

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from esrgan.training.adversary import Adversary
from esrgan.training.batch_norm import synchronise_batch_norm
from esrgan.training.ema import frozen_copy, update_average, warmed_up
from esrgan.training.guard import FiniteGuard
from esrgan.training.health import gan_concerns
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

Pairs = list[tuple[Tensor, Tensor]]
"""lq and gt, or sr and gt, of the parts that a batch is computed in."""

_SQUARED_NORMS = ("content_gradient", "adversarial_gradient")
"""Of the gradients at the generated images, among a step's figures until their roots are taken."""


class GANTraining(LightningModule):
    """An update of the generator, then one of the discriminator, on the same generated images.

    Both gradients are taken at the weights that the iteration began with. The relativistic means,
    and BatchNorm, are those of a part, where a batch is computed in several: `num_micro_batches`
    saves memory, but only with 1 is the step exactly that of the paper.

    Args:
        generator: maps lq to sr, (N, 3, H, W) in [0, 1].
        losses: name to loss (sr, gt); None leaves the term out. Each is logged under its name.
        adversary: the discriminator with its loss, optimizer and schedule.
        optimizer: completed here with the generator's parameters.
        schedule: completed here with the optimizer; counts iterations.
        ema_decay: how much of the average of the generator stays per iteration; None: no average.
        guard: takes the generator's steps, unless a gradient is not finite.
        num_micro_batches: parts that a batch is computed in, one after the other, to save memory.
        seed: every random number of a step follows from it, the iteration and the rank.
    """

    def __init__(  # noqa: PLR0913 # those of PSNRTraining, and the adversary
        self,
        *,
        generator: nn.Module,
        losses: Mapping[str, nn.Module | None],
        adversary: Adversary,
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
        self.generator = generator.to(memory_format=torch.channels_last)
        self.ema = None if ema_decay is None else frozen_copy(self.generator)
        self.losses = nn.ModuleDict({k: v for k, v in losses.items() if v is not None})
        self.adversary = adversary
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
        return {"generator": self.guard, "discriminator": self.adversary.guard}

    def setup(self, stage: str) -> None:
        leave_new_memory_empty()
        synchronise_batch_norm(self.generator)
        synchronise_batch_norm(self.adversary.discriminator)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = self.make_optimizer(self.generator.parameters())
        theirs = self.adversary.make_optimizer(self.adversary.discriminator.parameters())
        schedules = [self.make_schedule(optimizer), self.adversary.make_schedule(theirs)]
        return [optimizer, theirs], schedules

    def training_step(self, batch: Batch, batch_idx: int) -> Values:
        """Update both networks and the average; returns what is logged, on the device."""
        torch.manual_seed(step_seed(self.seed, self.iteration, self.global_rank))
        dtype = next(self.generator.parameters()).dtype
        parts = list(micro_batches(batch, self.num_micro_batches, dtype))
        if self.adversary.lets_generator_step(self.iteration):
            values, generated = self._update_generator(parts)
        else:
            with torch.no_grad():
                values, generated = {}, [(self.generator(lq).to(dtype), gt) for lq, gt in parts]
        values |= self._update_discriminator(generated)
        step_schedules(self.trainer)
        self.iteration += 1
        return values

    def _update_generator(self, parts: Pairs) -> tuple[Values, Pairs]:
        generated: Pairs = []
        step = take_step(
            self.trainer.optimizers[0],
            self.guard,
            backward=lambda: self._generator_backward(parts, generated),
            buffers=[*self.generator.buffers(), *self.adversary.discriminator.buffers()],
        )
        if self.ema is not None and self.ema_decay is not None:
            decay = warmed_up(self.ema_decay, self.iteration)
            update_average(self.ema, self.generator, decay=decay, keep=step.taken)
        values = step.values
        content, adversarial = (values.pop(name).sqrt() for name in _SQUARED_NORMS)
        share = adversarial / (content + adversarial)
        return values | {"gradient_norm": step.norm, "adversarial_share": share}, generated

    def _generator_backward(self, parts: Pairs, generated: Pairs) -> Values:
        """Leave the generator's gradient; append what it generated, without its graph."""
        values: Values = {}
        for lq, gt in parts:
            sr = self.generator(lq).to(gt.dtype)  # the losses are computed in full precision
            generated.append((sr.detach(), gt))
            gradient, terms = self._gradient_at(sr.detach().requires_grad_(), gt)
            torch.autograd.backward([sr], [gradient])
            accumulate(values, terms)
        return values

    def _gradient_at(self, sr: Tensor, gt: Tensor) -> tuple[Tensor, Values]:
        """The gradient of all terms with respect to the generated images, and the terms.

        Each term sends its gradient as far as the images and is forgotten: VGG and discriminator
        need their memory one after the other, and the parts of the gradient can be compared.
        """
        terms = {}
        content = torch.zeros_like(sr)
        for name, loss in self.losses.items():
            terms[name] = loss(sr, gt) / self.num_micro_batches
            content += torch.autograd.grad(terms[name], sr)[0]
        terms["adversarial"] = self.adversary.generator_term(sr, gt) / self.num_micro_batches
        adversarial = torch.autograd.grad(terms["adversarial"], sr)[0]
        for name, gradient in zip(_SQUARED_NORMS, (content, adversarial), strict=True):
            terms[name] = gradient.square().sum()
        return content + adversarial, terms

    def _update_discriminator(self, generated: Pairs) -> Values:
        step = take_step(
            self.trainer.optimizers[1],
            self.adversary.guard,
            backward=lambda: self._discriminator_backward(generated),
            buffers=list(self.adversary.discriminator.buffers()),
        )
        return step.values | {"discriminator_gradient_norm": step.norm}

    def _discriminator_backward(self, generated: Pairs) -> Values:
        values: Values = {}
        for sr, gt in generated:
            loss, terms = self.adversary.discriminator_terms(sr, gt)
            torch.autograd.backward([loss / self.num_micro_batches])
            accumulate(
                values, {name: term / self.num_micro_batches for name, term in terms.items()}
            )
        return values

    def concerns(self, values: Mapping[str, float]) -> dict[str, str]:
        """What the figures of an interval say of the health of the training, by short names."""
        return gan_concerns(values)

    def training_state(self) -> TrainingState:
        """All that a continued run needs, as plain containers of tensors and numbers."""
        return stage_state(self) | {"discriminator": self.adversary.discriminator.state_dict()}

    def load_training_state(self, state: TrainingState) -> None:
        """Continue from what `training_state` returned; called when the optimizers exist."""
        load_stage_state(self, state)
        self.adversary.discriminator.load_state_dict(state["discriminator"])
