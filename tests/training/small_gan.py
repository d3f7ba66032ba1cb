"""A GAN stage that trains in milliseconds, on the images of `small_stage`."""

from functools import partial

import torch
from torch import Tensor, nn

from esrgan.losses import RelativisticAverageGAN, WeightedLoss
from esrgan.training import AdversarialTerm, FiniteGuard, GANTraining, Learner

LAMBDA, ETA = 5e-3, 1e-2
constant = partial(torch.optim.lr_scheduler.ConstantLR, factor=1.0)


class Critic(nn.Sequential):
    """A discriminator with BatchNorm for images of 8 x 8; remembers which passes had a graph."""

    def __init__(self) -> None:
        layers = [nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.Flatten()]
        super().__init__(*layers, nn.Linear(64, 1))
        self.graphs: list[bool] = []

    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        self.graphs.append(logits.requires_grad)
        return logits


class Squares(nn.Module):
    """Stands for the perceptual loss: any function of both images with a gradient."""

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        return (sr.square() - gt.square()).abs().mean()


def stage(generator: nn.Module, critic: nn.Module, opponent=(), **changes) -> GANTraining:
    """`opponent` has changes of the adversarial part."""
    opponent = dict(opponent)
    schedule = partial(torch.optim.lr_scheduler.MultiStepLR, milestones=[2], gamma=0.1)
    term = AdversarialTerm(
        loss=opponent.pop("loss", RelativisticAverageGAN(detach_means=False)),
        weight=opponent.pop("weight", LAMBDA),
        sharpened_gt=opponent.pop("sharpened_gt", False),
    )
    discriminator = Learner(
        critic,
        optimizer=opponent.pop("optimizer", partial(torch.optim.Adam, lr=0.01, fused=True)),
        schedule=opponent.pop("schedule", schedule),
        guard=FiniteGuard(clip_norm=None, max_in_a_row=5),
        ema_decay=None,
    )
    losses = {"perceptual": Squares(), "pixel": WeightedLoss(loss=nn.L1Loss(), weight=ETA)}
    arguments = {
        "generator": generator,
        "losses": changes.pop("losses", losses) | {"adversarial": term},
        "discriminator": discriminator,
        "warmup_iterations": 0,
        "steps_per_generator_step": 1,
        "optimizer": partial(torch.optim.Adam, lr=0.1, fused=True),
        "schedule": schedule,
        "ema_decay": 0.5,
        "guard": FiniteGuard(clip_norm=None, max_in_a_row=5),
        "num_micro_batches": 1,
        "seed": 0,
    }
    return GANTraining(**(arguments | opponent | changes))
