"""How long the messages of a training step keep it waiting: a model, to be checked.

A step computes without a pause, but for the small messages of BatchNorm, and sends gradients when
they are ready. The link takes them one after the other; what it has not done when all is computed
is waited for.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bench.link import Link
from bench.result import Cell, Table
from esrgan.training.averaging import MESSAGE

# Nominal, in each direction
LINKS = (
    Link("25 GbE", latency=20e-6, bandwidth=25e9 / 8),
    Link("PCIe 4.0 ×16", latency=5e-6, bandwidth=31.5e9),
    Link("NVLink 4", latency=3e-6, bandwidth=450e9),
)
# Seconds of a step with 16 patches of 128 on one H200: experiments/README.md
ON_ONE_GPU = {"PSNR": 0.114, "GAN": 0.123}


class Traffic(NamedTuple):
    """What a step sends.

    Attributes:
        gradients: bytes of each message, and the share of the step after which it is ready.
        waits: how many small messages are waited for at once.
    """

    gradients: Sequence[tuple[float, float]]
    waits: int

    @property
    def num_bytes(self) -> float:
        return sum(size for _, size in self.gradients)


def traffic(cfg: DictConfig) -> Traffic:
    """Of the step of train.py; its parts take the shares that their multiplications have."""
    generator = instantiate(cfg.generator)
    low, high = (
        torch.empty(1, 3, side, side, device="meta")
        for side in (cfg.patch_size // cfg.scale, cfg.patch_size)
    )
    # A backward pass to the images takes what a forward one does, to the weights too twice that
    before = _multiplications(generator, low)
    backward = 2 * before
    opposite, waits = 0, 0
    if cfg.discriminator:
        discriminator = instantiate(cfg.discriminator)
        # sr, gt, and back to sr; the discriminator then goes back to its weights for each, too
        before += 3 * _multiplications(instantiate(cfg.training.losses.perceptual.loss).vgg, high)
        before += 7 * _multiplications(discriminator, high)
        opposite = _num_bytes(discriminator)
        # Each layer: forward twice, back three times; and the logits
        waits = 5 * sum(isinstance(m, nn.BatchNorm2d) for m in discriminator.modules()) + 2
    count = max(1, round(_num_bytes(generator) / MESSAGE))
    size = _num_bytes(generator) / count
    ready = [before + backward * (number + 1) / count for number in range(count)]
    gradients = [(before, opposite), *((time, size) for time in ready)]
    return Traffic([(time / (before + backward), size) for time, size in gradients], waits)


def _multiplications(network: nn.Module, images: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.to("meta")(images)
    return int(counter.get_total_flops())


def _num_bytes(network: nn.Module) -> int:
    return sum(weight.nbytes for weight in network.parameters())


def waiting(traffic: Traffic, link: Link, *, computing: float, processes: int) -> float:
    """Seconds that a step takes longer than it computes."""
    pause = traffic.waits * link.latency * (processes - 1)
    done = 0.0
    for share, size in traffic.gradients:
        done = max(done, share * computing) + link.seconds(size, processes)
    return pause + max(0.0, done + link.latency * (processes - 1) - computing)


def traffic_table(steps: Mapping[str, DictConfig], *, processes: int = 8) -> Table:
    """What the steps would wait for on links between GPUs, by their names in `ON_ONE_GPU`."""
    rows: list[dict[str, Cell]] = []
    for name, cfg in steps.items():
        sent, computing = traffic(cfg), ON_ONE_GPU[name]
        at_once = Traffic([(1.0, size) for _, size in sent.gradients], sent.waits)
        for link in LINKS:
            seconds, unhidden = (
                waiting(each, link, computing=computing, processes=processes)
                for each in (sent, at_once)
            )
            rows.append(
                {
                    "step": name,
                    "link": link.name,
                    "MB": sent.num_bytes / 1e6,
                    "ms computing": computing * 1e3,
                    "ms waiting": seconds * 1e3,
                    "ms, all sent at the end": unhidden * 1e3,
                    "of the step": f"{seconds / (computing + seconds):.1%}",
                }
            )
    about = (
        "RRDB 64/23/32, VGG discriminator, 16 patches of 128 each, computed as fast as on one "
        "H200; nominal bandwidths, a ring, gradients in float32. It is a model, which the tables "
        "above check with two processes."
    )
    return Table(f"What {processes} GPUs would wait for", about, rows)
