"""Time and memory of a training step: the project's own against plain loops."""

from collections.abc import Mapping
from statistics import median
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import Callback, LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader

from bench.recipe import experiment, quiet_lightning
from bench.sizes import Step
from bench.table import Cell, Table
from bench.turns import AfterIteration, Form, Timing, time_in_turns
from esrgan.training import choose_precision

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
MIB = 1 << 20
GPU_ITERATIONS = 20  # for each on a CPU: rounds that last as long


def step_table(
    title: str, forms: Mapping[str, Form], step: Step, *, rounds: int, notes: str
) -> Table:
    """Compare the forms of a step with the first of them; each is timed `rounds` times."""
    iterations = step.iterations * (GPU_ITERATIONS if DEVICE.type == "cuda" else 1)
    timings = time_in_turns(forms, rounds=rounds, iterations=iterations)
    plain = next(iter(timings.values()))
    if not multiplies_bf16():
        notes += " The plain loop in bf16 is left out: this processor would emulate it."
    return Table(
        f"{title}, {step}",
        f"The best of {rounds} rounds in turns, with the median to judge the noise by. Memory is "
        f"{'that of the GPU' if DEVICE.type == 'cuda' else 'what the process needs at most'}, "
        f"without the libraries; loading is left out.{notes}",
        [_row(name, timing, plain) for name, timing in timings.items()],
    )


def _row(name: str, timing: Timing, plain: Timing) -> dict[str, Cell]:
    return {
        "form": name,
        "iterations/s": 1 / timing.best,
        "s per iteration": timing.best,
        "median": median(timing.seconds),
        "× as fast": plain.best / timing.best,
        "MiB": timing.memory and timing.memory / MIB,
        "× the memory": timing.memory and plain.memory and timing.memory / plain.memory,
    }


def chosen_precision() -> str:
    """What `train.py` computes in here, in Lightning's words."""
    return choose_precision(precision="auto", accelerator="auto")


def multiplies_bf16() -> bool:
    return chosen_precision() == "bf16-mixed"


def settings(name: str, step: Step, **changes: object) -> DictConfig:
    """The configuration of an experiment with the sizes of a step."""
    return experiment(
        name,
        generator__num_features=step.num_features,
        generator__num_blocks=step.num_blocks,
        generator__growth_channels=step.growth_channels,
        batch_size=step.batch_size,
        patch_size=step.patch_size,
        **changes,
    )


def memory_format(*, channels_last: bool) -> torch.memory_format:
    return torch.channels_last if channels_last else torch.contiguous_format


def run_network(network: nn.Module, images: Tensor, *, bf16: bool) -> Tensor:
    """A pass whose output has the type of the images again, for the losses."""
    with torch.autocast(DEVICE.type, torch.bfloat16, enabled=bf16):
        output: Tensor = network(images)
    return output.to(images.dtype)


def random_batch(cfg: DictConfig) -> dict[str, Tensor]:
    """Bytes, (N, H, W, 3), as the data module gives them."""
    numbers = torch.Generator().manual_seed(0)
    sizes = {"lq": cfg.patch_size // cfg.scale, "gt": cfg.patch_size}
    return {
        name: torch.randint(
            0, 256, (cfg.batch_size, size, size, 3), dtype=torch.uint8, generator=numbers
        )
        for name, size in sizes.items()
    }


def random_images(cfg: DictConfig, layout: torch.memory_format) -> tuple[Tensor, Tensor]:
    """The same lq and gt as a plain loop takes them, (N, 3, H, W) in [0, 1]."""
    lq, gt = (
        (images.permute(0, 3, 1, 2).float() / 255).to(DEVICE, memory_format=layout)
        for images in random_batch(cfg).values()
    )
    return lq, gt


def as_configured(cfg: DictConfig, iterations: int, after_iteration: AfterIteration) -> None:
    """What `train.py` runs, but for the loading of data, the logs and the checkpoints."""
    quiet_lightning()
    fit(cfg, build_stage(cfg), iterations, after_iteration)


def build_stage(cfg: DictConfig) -> LightningModule:
    stage: LightningModule = instantiate(
        cfg.training, generator=instantiate(cfg.generator), _convert_="all"
    )
    return stage


def fit(
    cfg: DictConfig, stage: LightningModule, iterations: int, after_iteration: AfterIteration
) -> None:
    trainer = instantiate(cfg.trainer, callbacks=[_After(after_iteration)], logger=False)
    batches: DataLoader[Any] = DataLoader(
        [random_batch(cfg)] * iterations,  # type: ignore[arg-type] # a list is a dataset
        batch_size=None,
        pin_memory=DEVICE.type == "cuda",
    )
    trainer.fit(stage, batches)


class _After(Callback):
    def __init__(self, after_iteration: AfterIteration) -> None:
        self.after_iteration = after_iteration

    def on_train_batch_end(self, *_: Any) -> None:
        self.after_iteration()
