"""Time and memory of a training step: the project's own against the plainest loops."""

from functools import partial
from statistics import median
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import Callback
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from bench.recipe import experiment, quiet_lightning
from bench.sizes import Step
from bench.table import Cell, Table
from bench.turns import AfterIteration, Form, Timing, time_in_turns
from esrgan.training import choose_precision

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SCALE = 4
MIB = 1 << 20
GPU_ITERATIONS = 20  # for each on a CPU: rounds that last as long


def step_table(step: Step, *, rounds: int) -> Table:
    """Compare the forms of a step; each is timed `rounds` times."""
    precision = choose_precision(precision="auto", accelerator="auto")
    forms: dict[str, Form] = {
        "plain loop, fp32": partial(plain_loop, step, channels_last=False, bf16=False),
        "plain loop, fp32, channels last": partial(
            plain_loop, step, channels_last=True, bf16=False
        ),
        "plain loop, bf16, channels last": partial(plain_loop, step, channels_last=True, bf16=True),
        f"train.py ({precision}, EMA, guard)": partial(as_configured, step),
    }
    iterations = step.iterations * (GPU_ITERATIONS if DEVICE.type == "cuda" else 1)
    timings = time_in_turns(forms, rounds=rounds, iterations=iterations)
    plain = next(iter(timings.values()))
    return Table(
        f"Training step, {step}",
        f"The best of {rounds} rounds in turns, with the median to judge the noise by. Memory is "
        f"{'that of the GPU' if DEVICE.type == 'cuda' else 'what the process needs at most'}, "
        "without the libraries; loading is left out.",
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


def plain_loop(
    step: Step, iterations: int, after_iteration: AfterIteration, *, channels_last: bool, bf16: bool
) -> None:
    """What anybody writes first: Adam and L1, no average of the weights, no guard."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network: nn.Module = instantiate(_settings(step).generator).to(DEVICE, memory_format=layout)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.9, 0.99))
    lq, gt = (
        (images.permute(0, 3, 1, 2).float() / 255).to(DEVICE, memory_format=layout)
        for images in _random_batch(step).values()
    )
    for _ in range(iterations):
        optimizer.zero_grad()
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=bf16):
            sr = network(lq)
        F.l1_loss(sr.float(), gt).backward()  # type: ignore[no-untyped-call] # torch's
        optimizer.step()
        after_iteration()


def as_configured(step: Step, iterations: int, after_iteration: AfterIteration) -> None:
    """What `train.py` runs, but for the loading of data, the logs and the checkpoints."""
    quiet_lightning()
    cfg = _settings(step)
    stage = instantiate(cfg.training, generator=instantiate(cfg.generator), _convert_="all")
    trainer = instantiate(cfg.trainer, callbacks=[_After(after_iteration)], logger=False)
    batches: DataLoader[Any] = DataLoader(
        [_random_batch(step)] * iterations,  # type: ignore[arg-type] # a list is a dataset
        batch_size=None,
        pin_memory=DEVICE.type == "cuda",
    )
    trainer.fit(stage, batches)


class _After(Callback):
    def __init__(self, after_iteration: AfterIteration) -> None:
        self.after_iteration = after_iteration

    def on_train_batch_end(self, *_: Any) -> None:
        self.after_iteration()


def _settings(step: Step) -> DictConfig:
    return experiment(
        "rrdb_psnr_basicsr",  # it has an average of the weights; the paper's has none
        generator__num_features=step.num_features,
        generator__num_blocks=step.num_blocks,
        generator__growth_channels=step.growth_channels,
    )


def _random_batch(step: Step) -> dict[str, torch.Tensor]:
    """Bytes, (N, H, W, 3), as the data module gives them."""
    numbers = torch.Generator().manual_seed(0)
    sizes = {"lq": step.patch_size // SCALE, "gt": step.patch_size}
    return {
        name: torch.randint(
            0, 256, (step.batch_size, size, size, 3), dtype=torch.uint8, generator=numbers
        )
        for name, size in sizes.items()
    }
