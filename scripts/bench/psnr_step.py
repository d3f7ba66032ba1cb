"""The step of the PSNR stage, and the plainest loops that do the same."""

from functools import partial

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn
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


def psnr_table(step: Step, *, rounds: int) -> Table:
    cfg = settings("rrdb_psnr_basicsr", step)  # it has an average of the weights; the paper's none
    plain = partial(plain_loop, cfg)
    forms: dict[str, Form] = {
        "plain loop, fp32": partial(plain, channels_last=False, bf16=False),
        "plain loop, fp32, channels last": partial(plain, channels_last=True, bf16=False),
    }
    if multiplies_bf16():
        forms["plain loop, bf16, channels last"] = partial(plain, channels_last=True, bf16=True)
    forms[f"train.py ({chosen_precision()}, EMA, guard)"] = partial(as_configured, cfg)
    return step_table("Training step", forms, step, rounds=rounds, notes="")


def plain_loop(
    cfg: DictConfig,
    iterations: int,
    after_iteration: AfterIteration,
    *,
    channels_last: bool,
    bf16: bool,
) -> None:
    """What anybody writes first: Adam and L1, no average of the weights, no guard."""
    layout = memory_format(channels_last=channels_last)
    network: nn.Module = instantiate(cfg.generator).to(DEVICE, memory_format=layout)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.9, 0.99))
    lq, gt = random_images(cfg, layout)
    for _ in range(iterations):
        optimizer.zero_grad()
        sr = run_network(network, lq, bf16=bf16)
        F.l1_loss(sr, gt).backward()  # type: ignore[no-untyped-call] # torch's
        optimizer.step()
        after_iteration()
