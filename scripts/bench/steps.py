"""Time and memory of a training step: that of train.py, and plain loops that do the same."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, LambdaCallback

from bench.plain import batches, five_passes, four_passes, plain_gan, plain_loop, plain_psnr
from bench.record import precision_of
from bench.result import Cell, Table
from bench.roof import roofs
from bench.sizes import Sizes
from bench.turns import DEVICE, AfterIteration, Form, compare_in_turns
from esrgan.commands.configs import configs_folder
from esrgan.commands.first_weights import new_generator
from esrgan.hardware import choose_precision
from esrgan.runs import Settings
from esrgan.training import Feed, Ranks, StopSignal, compile_parts, record_generator
from esrgan.training.stage import Stage

PRECISION = choose_precision(precision="auto", accelerator="auto")
RANDOM_VGG = {"training.losses.perceptual.loss.weights": "random"}


def psnr_table(sizes: Sizes, train_set: Path) -> Table:
    # Not the paper's, which has no average of the weights
    cfg = experiment("rrdb_psnr_basicsr", sizes, {"train_set": train_set})
    slow = partial(plain_loop, cfg, plain_psnr)
    fast = partial(slow, channels_last=True)
    forms: dict[str, Form] = {
        "plain loop, fp32": slow,
        "plain loop, fp32, channels last": fast,
        "plain loop, bf16, channels last": partial(fast, bf16=True),
        **_as_configured(cfg, "EMA, guard"),
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
        **_as_configured(cfg, "EMA, guards"),
    }
    notes = (
        " Five passes of the discriminator are those of BasicSR, which takes the means in its step "
        "for constants, four those of the authors' code; train.py has the same gradients from two. "
        "VGG19 has random weights, which cost what the real ones do."
    )
    return _table("GAN step", sizes, forms, cfg, notes)


def _as_configured(cfg: DictConfig, extras: str) -> dict[str, Form]:
    """What train.py does by default; on a GPU, where it matters, also with other settings."""
    about = f"train.py ({PRECISION}, {extras})"
    others: dict[str, dict[str, object]] = {}
    if DEVICE.type == "cuda":
        others = {
            f"train.py (32-true, {extras})": {"precision": "32-true"},
            f"{about}, not deterministic": {"deterministic": False},
            f"{about}, compiled": {"compile": True},
            f"{about}, CUDA graph": {"cuda_graph": True},
        }
    forms: dict[str, Form] = {
        name: partial(as_configured, with_settings(cfg, changes))
        for name, changes in others.items()
    }
    return {**forms, about: partial(as_configured, cfg)}


def with_settings(cfg: DictConfig, changes: Mapping[str, object]) -> DictConfig:
    changed = cfg.copy()
    for key, value in changes.items():
        OmegaConf.update(changed, key, value)
    return changed


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
    trainer = instantiate(cfg.trainer, callbacks=list(callbacks), logger=False)
    compile_parts(stage, cfg.compile, device=trainer.strategy.root_device)
    if cfg.cuda_graph:
        record_generator(stage, trainer)
    trainer.fit(stage, data)
    return stage


def as_configured(cfg: DictConfig, iterations: int, after_iteration: AfterIteration) -> None:
    """What `train.py` runs, but for the loading of data, the logs and the checkpoints."""
    after = LambdaCallback(on_train_batch_end=lambda *_: after_iteration())
    train(cfg, batches(cfg, iterations), after)
