"""The discriminator's side of the GAN stage."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

from esrgan.training.guard import FiniteGuard
from esrgan.training.ranks import gather
from esrgan.training.step import MakeOptimizer, MakeSchedule, Values


class AdversarialLoss(Protocol):
    """What generator and discriminator minimise, given logits of any shape."""

    uses_real: bool

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor: ...

    def discriminator(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]: ...

    def margins(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]: ...


class Adversary(nn.Module):
    """A discriminator, what is made of its logits, and how it is updated.

    It stays in training mode in every pass, so BatchNorm normalises real and generated images
    separately, as in the authors' code. Means over "the batch" are those over all processes.

    Args:
        discriminator: maps images, (N, 3, H, W) in [0, 1], to logits.
        loss: standard, relativistic, ...
        weight: of the generator's term, lambda in the paper (equation 3).
        optimizer: completed with the discriminator's parameters.
        schedule: completed with the optimizer; counts iterations.
        guard: takes the discriminator's steps, unless a gradient is not finite.
        warmup_iterations: how long only the discriminator is trained at first.
        steps_per_generator_step: how often the discriminator is updated for each update of the
            generator.
    """

    def __init__(
        self,
        *,
        discriminator: nn.Module,
        loss: AdversarialLoss,
        weight: float,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule,
        guard: FiniteGuard,
        warmup_iterations: int,
        steps_per_generator_step: int,
    ) -> None:
        super().__init__()
        if not weight > 0:
            raise ValueError(
                f"training.adversary.weight ({weight}) must be more than 0: without an adversarial "
                "term, train with training=psnr"
            )
        if warmup_iterations < 0:
            raise ValueError(
                f"training.adversary.warmup_iterations ({warmup_iterations}) must be at least 0"
            )
        if steps_per_generator_step < 1:
            raise ValueError(
                f"training.adversary.steps_per_generator_step ({steps_per_generator_step}) must be "
                "at least 1"
            )
        self.discriminator = discriminator.to(memory_format=torch.channels_last)
        self.loss, self.weight, self.guard = loss, weight, guard
        self.make_optimizer, self.make_schedule = optimizer, schedule
        self.warmup_iterations = warmup_iterations
        self.steps_per_generator_step = steps_per_generator_step

    def lets_generator_step(self, iteration: int) -> bool:
        """Whether the generator is updated too in an iteration, counted from 0."""
        since = iteration - self.warmup_iterations
        return since >= 0 and (since + 1) % self.steps_per_generator_step == 0

    def generator_term(self, sr: Tensor, gt: Tensor) -> Tensor:
        """What the generator is to minimise, weighted; its gradient reaches `sr` only."""
        with _frozen(self.discriminator):
            real = self._logits(gt) if self.loss.uses_real else None
            fake = self._logits(sr)
        return self.weight * self.loss.generator(real, fake)

    def discriminator_terms(self, sr: Tensor, gt: Tensor) -> tuple[Tensor, Values]:
        """What the discriminator is to minimise, and figures that tell how it fares."""
        real, fake = self._logits(gt), self._logits(sr)
        real_term, fake_term = self.loss.discriminator(real, fake)
        with torch.no_grad():
            real_margin, fake_margin = self.loss.margins(real, fake)
            right = (real_margin > 0).to(real.dtype).mean() + (fake_margin < 0).to(
                real.dtype
            ).mean()
            values = {
                "discriminator_real": real_term.detach(),
                "discriminator_fake": fake_term.detach(),
                "logit_real": real.mean(),
                "logit_fake": fake.mean(),
                "logit_gap": real.mean() - fake.mean(),
                "discriminator_accuracy": right / 2,
            }
        return real_term + fake_term, values

    def _logits(self, images: Tensor) -> Tensor:
        logits: Tensor = self.discriminator(images)
        return gather(logits.to(images.dtype))  # the losses are computed in full precision


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Passes inside build no graph for the gradients of the weights."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)
