"""Time and memory of a training step: that of train.py, and plain loops that do the same."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback, LambdaCallback
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from bench.record import precision_of
from bench.result import Cell, Table
from bench.roof import roofs
from bench.sizes import Sizes
from bench.turns import DEVICE, AfterIteration, Form, compare_in_turns
from esrgan.commands.configs import configs_folder
from esrgan.commands.first_weights import new_generator
from esrgan.hardware import choose_precision
from esrgan.runs import Settings
from esrgan.training import Feed, Ranks, StopSignal
from esrgan.training.stage import Stage

PRECISION = choose_precision(precision="auto", accelerator="auto")
RANDOM_VGG = {"training.losses.perceptual.loss.weights": "random"}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as VGG19 wants it

Step = Callable[[Tensor, Tensor], None]
"""Trains networks on lq and gt, (N, 3, H, W) in [0, 1]."""
Judge = Callable[[Tensor], Tensor]


def psnr_table(sizes: Sizes, train_set: Path) -> Table:
    # Not the paper's, which has no average of the weights
    cfg = experiment("rrdb_psnr_basicsr", sizes, {"train_set": train_set})
    slow = partial(plain_loop, cfg, plain_psnr)
    fast = partial(slow, channels_last=True)
    forms: dict[str, Form] = {
        "plain loop, fp32": slow,
        "plain loop, fp32, channels last": fast,
        "plain loop, bf16, channels last": partial(fast, bf16=True),
        f"train.py ({PRECISION}, EMA, guard)": partial(as_configured, cfg),
    }
    return _table("Training step", sizes, forms, cfg)


def gan_table(sizes: Sizes, train_set: Path) -> Table:
    settings = {"train_set": train_set, "adversarial": "relativistic", **RANDOM_VGG}
    cfg = experiment("esrgan_basicsr", sizes, settings)
    fast = partial(plain_loop, cfg, partial(plain_gan, four_passes), channels_last=True)
    forms: dict[str, Form] = {
        "plain loop, five passes, fp32": partial(plain_loop, cfg, partial(plain_gan, five_passes)),
        "plain loop, four passes, fp32, channels last": fast,
        "plain loop, four passes, bf16, channels last": partial(fast, bf16=True),
        f"train.py ({PRECISION}, EMA, guards)": partial(as_configured, cfg),
    }
    notes = (
        " Five passes of the discriminator are those of BasicSR, which takes the means in its step "
        "for constants, four those of the authors' code; train.py has the same gradients from two. "
        "VGG19 has random weights, which cost what the real ones do."
    )
    return _table("GAN step", sizes, forms, cfg, notes)


def _table(
    title: str, sizes: Sizes, forms: Mapping[str, Form], cfg: DictConfig, notes: str = ""
) -> Table:
    """The forms, with the share that each has of what the processor can do; train.py stands last.

    Beside the steps, and in turns with them, there are convolutions alone, whose best is the roof.
    """
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16}
    if PRECISION != "bf16-mixed":
        forms = {name: form for name, form in forms.items() if "bf16" not in name}
        del dtypes["bf16"]
        notes += " The plain loop in bf16 is left out: this processor would emulate it."
    peaks = {
        f"convolutions, {name}, {number}": form
        for name, dtype in dtypes.items()
        for number, form in enumerate(roofs(dtype))
    }
    table, _, flops = compare_in_turns(
        f"{title}, {sizes.trained}, {sizes.batch_size} patches of {sizes.patch_size}",
        {**forms, **peaks},
        "",
        rounds=sizes.rounds,
        iterations=20 if DEVICE.type == "cuda" else 1,  # rounds that last as long
        unit="iteration",
        counted=True,
    )
    for row, count in zip(table.rows, flops, strict=True):
        row["GFLOP/s"] = count / float(row["s per iteration"] or 0) / 1e9
    rows, alone = table.rows[: len(forms)], table.rows[len(forms) :]
    best = {name: max(_speeds(alone, name)) for name in dtypes}
    for row in rows:
        name = precision_of(str(row["form"]))
        row["share of the roof"] = float(row["GFLOP/s"] or 0) / best[name]
        row["waits for data"] = "-"  # they have none to wait for
    rows[-1]["waits for data"] = f"{share_of_waiting(cfg, sizes.waiting_iterations):.1%}"
    told = ", ".join(f"{speed:,.0f} GFLOP/s in {name}" for name, speed in best.items())
    about = (
        f"{table.notes}Loading is left out of the times; its share of those of a training of "
        f"{sizes.waiting_iterations} iterations is what it waits for data. The roof is the best "
        f"that convolutions alone reached in the same turns, {told} (a share above 1: other work "
        f"disturbed them); of the steps, convolutions and matrix products are counted.{notes}"
    )
    return Table(table.title, about, rows)


def _speeds(rows: Sequence[Mapping[str, Cell]], precision: str) -> list[float]:
    return [float(row["GFLOP/s"] or 0) for row in rows if precision in str(row["form"])]


def share_of_waiting(cfg: DictConfig, count: int) -> float:
    """Of the time of a training as `train.py` does it, with its loading processes.

    Two iterations more are done at first, and left out: much is made in them for the first time.
    """
    cfg = cfg.copy()
    cfg.iterations = count + 2
    feed = feed_of(cfg)
    starts: list[float] = []
    ends: list[float] = []
    clock = LambdaCallback(
        on_train_batch_start=lambda *_: starts.append(perf_counter()),
        on_train_batch_end=lambda *_: ends.append(perf_counter()),
    )
    train(cfg, feed, clock)
    waits = [start - end for start, end in zip(starts[2:], ends[1:], strict=False)]
    return sum(waits) / (ends[-1] - ends[1])


def feed_of(cfg: DictConfig) -> Feed:
    """The batches of a whole run, as `train.py` loads them."""
    data = instantiate(cfg.data, train=instantiate(cfg.data.train), start_iteration=0)
    return Feed(data, stop=StopSignal(), ranks=Ranks(), longest_wait=cfg.longest_wait)


def experiment(name: str, sizes: Sizes, settings: Mapping[str, object]) -> DictConfig:
    """The configuration of `train.py experiment=NAME`, of these sizes."""
    ConfigStore.instance().store("settings", Settings)
    changes = {
        "experiment": name,
        "name": "benchmark",
        "batch_size": sizes.batch_size,
        "patch_size": sizes.patch_size,
        **{f"generator.{key}": value for key, value in sizes.trained._asdict().items()},
        **settings,
    }
    with initialize_config_dir(version_base="1.3", config_dir=str(configs_folder())):
        return compose("train", [f"{key}={value}" for key, value in changes.items()])


def train(cfg: DictConfig, data: Any, *callbacks: Callback) -> Stage:  # noqa: ANN401
    """Train on what Lightning takes for data, from the seed, without logs and checkpoints."""
    # No advice on a training that has no workers and ends after seconds, by intention
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    generator = new_generator(cfg, with_weights=False)
    stage: Stage = instantiate(cfg.training, generator=generator, _convert_="all")
    instantiate(cfg.trainer, callbacks=list(callbacks), logger=False).fit(stage, data)
    return stage


def as_configured(cfg: DictConfig, iterations: int, after_iteration: AfterIteration) -> None:
    """What `train.py` runs, but for the loading of data, the logs and the checkpoints."""
    after = LambdaCallback(on_train_batch_end=lambda *_: after_iteration())
    train(cfg, batches(cfg, iterations), after)


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
