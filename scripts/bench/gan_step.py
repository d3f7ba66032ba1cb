"""The step of the GAN stage, and plain loops that do the same, BasicSR's among them."""

from collections.abc import Callable
from functools import partial

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.nn import functional as F

from bench.sizes import Step
from bench.step import (
    DEVICE,
    as_configured,
    chosen_precision,
    memory_format,
    multiplies_bf16,
    random_images,
    run_network,
    settings,
    step_table,
)
from bench.table import Table
from bench.turns import AfterIteration, Form

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as VGG19 wants it
NOTES = (
    " Five passes of the discriminator are those of BasicSR, which takes the means in its step for "
    "constants; four are enough with the gradient of the paper, as in train.py. VGG19 has random "
    "weights, which cost what the real ones do."
)


def gan_table(step: Step, *, rounds: int) -> Table:
    cfg = gan_settings(step, adversarial="relativistic")
    five, four = (
        partial(plain_loop, cfg, passes) for passes in (PlainGAN.five_passes, PlainGAN.four_passes)
    )
    forms: dict[str, Form] = {
        "plain loop, five passes, fp32": partial(five, channels_last=False, bf16=False),
        "plain loop, four passes, fp32, channels last": partial(
            four, channels_last=True, bf16=False
        ),
    }
    if multiplies_bf16():
        name = "plain loop, four passes, bf16, channels last"
        forms[name] = partial(four, channels_last=True, bf16=True)
    forms[f"train.py ({chosen_precision()}, EMA, guards)"] = partial(as_configured, cfg)
    return step_table("GAN step", forms, step, rounds=rounds, notes=NOTES)


def gan_settings(step: Step, **changes: object) -> DictConfig:
    return settings(
        "esrgan_basicsr", step, training__losses__perceptual__loss__weights="random", **changes
    )


class PlainGAN:
    """Updates of both networks with Adam: no average of the weights, no guards.

    Args:
        generator: maps lq to sr, (N, 3, H, W) in [0, 1].
        vgg: the layers of VGG19 to conv5_4.
        discriminator: maps images to logits.
        bf16: compute all networks in it.
    """

    def __init__(
        self, *, generator: nn.Module, vgg: nn.Module, discriminator: nn.Module, bf16: bool
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.vgg = vgg.requires_grad_(False)
        self.generator_optimizer, self.discriminator_optimizer = (
            torch.optim.Adam(network.parameters(), lr=1e-4, betas=(0.9, 0.99))
            for network in (generator, discriminator)
        )
        alike = next(generator.parameters())
        self.mean, self.std = (torch.tensor(rgb).to(alike).view(3, 1, 1) for rgb in (MEAN, STD))
        self._run = partial(run_network, bf16=bf16)

    def five_passes(self, lq: Tensor, gt: Tensor) -> None:
        """As BasicSR does it since August 2020: each of the discriminator's terms on its own."""
        sr = self._update_generator(lq, gt)
        self.discriminator_optimizer.zero_grad()
        fake = self._judge(sr).detach()
        real = self._judge(gt)
        _backward(_cross_entropy(real - fake.mean(), 1) / 2)
        fake = self._judge(sr.detach())
        _backward(_cross_entropy(fake - real.detach().mean(), 0) / 2)
        self.discriminator_optimizer.step()

    def four_passes(self, lq: Tensor, gt: Tensor) -> None:
        """As in the paper (equation 1), and in the authors' code of 2018: both terms at once."""
        sr = self._update_generator(lq, gt)
        self.discriminator_optimizer.zero_grad()
        real, fake = self._judge(gt), self._judge(sr.detach())
        terms = _cross_entropy(real - fake.mean(), 1) + _cross_entropy(fake - real.mean(), 0)
        _backward(terms / 2)
        self.discriminator_optimizer.step()

    def _update_generator(self, lq: Tensor, gt: Tensor) -> Tensor:
        """Minimise 1e-2 pixel + perceptual + 5e-3 adversarial; returns the generated images."""
        self.discriminator.requires_grad_(False)
        self.generator_optimizer.zero_grad()
        sr = self._run(self.generator, lq)
        content = 1e-2 * F.l1_loss(sr, gt) + F.l1_loss(self._features(sr), self._features(gt))
        real, fake = self._judge(gt).detach(), self._judge(sr)
        terms = _cross_entropy(real - fake.mean(), 0) + _cross_entropy(fake - real.mean(), 1)
        _backward(content + 5e-3 * terms / 2)
        self.generator_optimizer.step()
        self.discriminator.requires_grad_(True)
        return sr

    def _features(self, images: Tensor) -> Tensor:
        return self._run(self.vgg, (images - self.mean) / self.std)

    def _judge(self, images: Tensor) -> Tensor:
        return self._run(self.discriminator, images)


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def _backward(loss: Tensor) -> None:
    loss.backward()  # type: ignore[no-untyped-call] # torch's


def plain_loop(
    cfg: DictConfig,
    passes: Callable[[PlainGAN, Tensor, Tensor], None],
    iterations: int,
    after_iteration: AfterIteration,
    *,
    channels_last: bool,
    bf16: bool,
) -> None:
    layout = memory_format(channels_last=channels_last)
    networks = {
        "generator": instantiate(cfg.generator),
        "vgg": instantiate(cfg.training.losses.perceptual.loss).vgg,
        "discriminator": instantiate(cfg.discriminator),
    }
    networks = {name: n.to(DEVICE, memory_format=layout) for name, n in networks.items()}
    plain = PlainGAN(**networks, bf16=bf16)
    lq, gt = random_images(cfg, layout)
    for _ in range(iterations):
        passes(plain, lq, gt)
        after_iteration()
