"""Plain loops, as anybody writes them first, that do what train.py does."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from bench.turns import DEVICE, AfterIteration

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as VGG19 wants it

Step = Callable[[Tensor, Tensor], None]
"""Trains networks on lq and gt, (N, 3, H, W) in [0, 1]."""
Judge = Callable[[Tensor], Tensor]


def batches(cfg: DictConfig, count: int) -> DataLoader[Any]:
    """One batch, `count` times: bytes, (N, H, W, 3), as the data module gives them."""
    random = torch.Generator().manual_seed(0)
    batch = {}
    for name, side in (("lq", cfg.patch_size // cfg.scale), ("gt", cfg.patch_size)):
        shape = (cfg.batch_size, side, side, 3)
        batch[name] = torch.randint(0, 256, shape, dtype=torch.uint8, generator=random)
    dataset: Any = [batch] * count
    return DataLoader(dataset, batch_size=None, pin_memory=DEVICE.type == "cuda")


def networks_of(
    cfg: DictConfig, layout: torch.memory_format, device: torch.device = DEVICE
) -> dict[str, nn.Module]:
    """Those of a plain loop, by the names that it has for them."""
    networks = {"generator": instantiate(cfg.generator)}
    if cfg.discriminator:
        networks["vgg"] = instantiate(cfg.training.losses.perceptual.loss).vgg
        networks["discriminator"] = instantiate(cfg.discriminator)
    return {name: n.to(device, memory_format=layout) for name, n in networks.items()}


def images_of(
    cfg: DictConfig, layout: torch.memory_format, device: torch.device = DEVICE
) -> tuple[Tensor, Tensor]:
    """The lq and gt of one of the `batches`, as numbers."""
    (batch,) = batches(cfg, 1)
    lq, gt = (
        (images.permute(0, 3, 1, 2).float() / 255).to(device, memory_format=layout)
        for images in batch.values()
    )
    return lq, gt


def plain_loop(
    cfg: DictConfig,
    prepare: Callable[..., Step],
    iterations: int,
    after_iteration: AfterIteration,
    *,
    channels_last: bool = False,
    bf16: bool = False,
) -> None:
    """Steps that `prepare` makes of the networks by their names, computed in bfloat16 or not."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    step = prepare(**networks_of(cfg, layout), bf16=bf16)
    lq, gt = images_of(cfg, layout)
    for _ in range(iterations):
        step(lq, gt)
        after_iteration()


def plain_psnr(*, generator: nn.Module, bf16: bool) -> Step:
    """What anybody writes first: Adam and L1, no average of the weights, no guard."""
    optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.9, 0.99))

    def step(lq: Tensor, gt: Tensor) -> None:
        optimizer.zero_grad()
        torch.autograd.backward([F.l1_loss(_run(generator, lq, bf16=bf16), gt)])
        optimizer.step()

    return step


def plain_gan(
    passes: Callable[[Judge, Tensor, Tensor], None],
    *,
    generator: nn.Module,
    vgg: nn.Module,
    discriminator: nn.Module,
    bf16: bool,
) -> Step:
    """Both networks with Adam, no average of the weights, no guards.

    The generator minimises 1e-2 pixel + perceptual, by VGG19 to conv5_4, + 5e-3 adversarial;
    `passes` give the discriminator its gradient on sr and gt.
    """
    of_generator, of_discriminator = (
        torch.optim.Adam(network.parameters(), lr=1e-4, betas=(0.9, 0.99))
        for network in (generator, discriminator)
    )
    vgg.requires_grad_(False)
    weight = next(generator.parameters())
    mean, std = (torch.tensor(rgb).to(weight).view(3, 1, 1) for rgb in (MEAN, STD))
    judge = partial(_run, discriminator, bf16=bf16)

    def features(images: Tensor) -> Tensor:
        return _run(vgg, (images - mean) / std, bf16=bf16)

    def step(lq: Tensor, gt: Tensor) -> None:
        discriminator.requires_grad_(False)
        of_generator.zero_grad()
        sr = _run(generator, lq, bf16=bf16)
        content = 1e-2 * F.l1_loss(sr, gt) + F.l1_loss(features(sr), features(gt))
        real, fake = judge(gt).detach(), judge(sr)
        terms = _cross_entropy(real - fake.mean(), 0) + _cross_entropy(fake - real.mean(), 1)
        torch.autograd.backward([content + 5e-3 * terms / 2])
        of_generator.step()
        discriminator.requires_grad_(True)
        of_discriminator.zero_grad()
        passes(judge, sr.detach(), gt)
        of_discriminator.step()

    return step


def five_passes(judge: Judge, sr: Tensor, gt: Tensor) -> None:
    """As BasicSR does it since August 2020: each of the terms on its own."""
    fake, real = judge(sr).detach(), judge(gt)
    torch.autograd.backward([_cross_entropy(real - fake.mean(), 1) / 2])
    torch.autograd.backward([_cross_entropy(judge(sr) - real.detach().mean(), 0) / 2])


def four_passes(judge: Judge, sr: Tensor, gt: Tensor) -> None:
    """As in the paper (equation 1), and in the authors' code of 2018: both terms at once."""
    real, fake = judge(gt), judge(sr)
    terms = _cross_entropy(real - fake.mean(), 1) + _cross_entropy(fake - real.mean(), 0)
    torch.autograd.backward([terms / 2])


def _run(network: nn.Module, images: Tensor, *, bf16: bool) -> Tensor:
    """A pass whose output has the type of the images again, for the losses."""
    with torch.autocast(DEVICE.type, torch.bfloat16, enabled=bf16):
        output: Tensor = network(images)
    return output.to(images.dtype)


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
