"""Time of a training step of two processes: that of train.py, and DistributedDataParallel."""

import os
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection
from statistics import median
from time import perf_counter
from typing import Any

import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import LambdaCallback
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from bench.link import LOOPBACK, SLOW, Link, Network
from bench.plain import (
    Step,
    batches,
    four_passes,
    images_of,
    networks_of,
    plain_gan,
    plain_psnr,
)
from bench.result import Cell, Table
from bench.sizes import PAPER, Sizes
from bench.steps import RANDOM_VGG, experiment, train
from bench.traffic import ON_ONE_GPU, traffic, traffic_table, waiting
from bench.turns import AfterIteration, worker
from esrgan.training.batch_norm import synchronise_batch_norm
from esrgan.training.quiet import quieten_lightning

COUNT = 2
CPU = torch.device("cpu")
LINKS = (LOOPBACK, SLOW)
Form = Callable[[DictConfig, Network, int, AfterIteration], None]
"""Runs a number of iterations of an experiment on a network, and calls a function after each."""


def processes_tables(sizes: Sizes) -> Iterator[Table]:
    small = sizes._replace(trained=sizes.of_two, batch_size=2, patch_size=sizes.patch_size // 2)
    for stage, plain in (("PSNR", PLAIN_PSNR), ("GAN", PLAIN_GAN)):
        yield _table(stage, _experiment(stage, small), plain, sizes.rounds)
    paper = sizes._replace(trained=PAPER, batch_size=16, patch_size=128)
    yield traffic_table({stage: _experiment(stage, paper) for stage in ON_ONE_GPU})


def _experiment(stage: str, sizes: Sizes) -> DictConfig:
    settings = {"trainer": "ddp", "trainer.devices": COUNT, "trainer.accelerator": "cpu"}
    settings |= {"precision": "32-true"}
    if stage == "PSNR":
        return experiment("rrdb_psnr_basicsr", sizes, settings)
    return experiment(
        "esrgan_basicsr", sizes, {**settings, "adversarial": "relativistic", **RANDOM_VGG}
    )


def _table(title: str, cfg: DictConfig, plain: Mapping[str, Form], rounds: int) -> Table:
    forms = {**plain, "train.py": with_replicas}
    seconds = _in_turns({name: partial(form, cfg) for name, form in forms.items()}, rounds)
    first = next(iter(forms))
    sent, computing = traffic(cfg), median(seconds["train.py", LOOPBACK.name])
    rows: list[dict[str, Cell]] = []
    for link in LINKS:
        model = computing + waiting(sent, link, computing=computing, processes=COUNT)
        for form in forms:
            theirs, ours = seconds[first, link.name], seconds[form, link.name]
            rows.append(
                {
                    "link": link.name,
                    "form": form,
                    "s per iteration": median(ours),
                    "best": min(ours),
                    "× as fast": median(a / b for a, b in zip(theirs, ours, strict=True)),
                    "by the model": model if form == "train.py" and link is SLOW else "",
                }
            )
    sizes = (cfg.generator[name] for name in ("num_features", "num_blocks", "growth_channels"))
    return Table(
        f"{title} step of {COUNT} processes, RRDB {'/'.join(map(str, sizes))}, {cfg.batch_size} "
        f"patches of {cfg.patch_size} each",
        f"gloo, one thread each, fp32, {sent.num_bytes / 1e6:.3g} MB of gradients; medians of "
        f"{rounds} rounds in turns, each of one iteration, and of the ratios within a round. The "
        "slow link is a wait beside the real message on the loopback, in the background where that "
        "is.",
        rows,
    )


def with_replicas(
    cfg: DictConfig, network: Network, iterations: int, after_iteration: AfterIteration
) -> None:
    """What `train.py` runs, but for the loading of data, the logs and the checkpoints."""
    quieten_lightning()
    network.slow_down()
    data = batches(cfg, iterations)
    train(cfg, data, LambdaCallback(on_train_batch_end=lambda *_: after_iteration()))


def with_ddp(
    plain: Callable[..., Step],
    cfg: DictConfig,
    network: Network,
    iterations: int,
    after_iteration: AfterIteration,
    *,
    together: bool = False,
) -> None:
    """What anybody writes first: each trained network in a DistributedDataParallel of its own.

    With BatchNorm over the samples of a process, or over those of all `together`.
    """
    dist.init_process_group("gloo")
    network.slow_down()
    # On the loopback, DDP's own messages are as they are, without a hook
    steps = {
        link: plain(**_networks(cfg, network, link, together=together), bf16=False)
        for link in LINKS
    }
    lq, gt = images_of(cfg, torch.channels_last, CPU)
    for _ in range(iterations):
        steps[network.link](lq, gt)
        after_iteration()


def _networks(
    cfg: DictConfig, network: Network, link: Link, *, together: bool
) -> dict[str, nn.Module]:
    networks = networks_of(cfg, torch.channels_last, CPU)
    for name, each in networks.items():
        if name == "vgg":
            continue
        # Buffers are BatchNorm's, which no step reads: to send them would only take DDP time
        warnings.filterwarnings("ignore", ".*broadcast_buffers")  # torch 2.14 renames it
        networks[name] = ddp = DistributedDataParallel(each, broadcast_buffers=False)
        if together:  # now: DDP takes it for PyTorch's, which a CPU does not have
            synchronise_batch_norm(each)
        if link is not LOOPBACK:
            network.slow_down_ddp(ddp)
    return networks


PLAIN_PSNR: Mapping[str, Form] = {"DistributedDataParallel": partial(with_ddp, plain_psnr)}
_PLAIN = partial(plain_gan, four_passes)
PLAIN_GAN: Mapping[str, Form] = {
    "DistributedDataParallel": partial(with_ddp, _PLAIN),
    "the same, BatchNorm over both": partial(with_ddp, _PLAIN, together=True),
}


def _in_turns(
    forms: Mapping[str, Callable[..., None]], rounds: int
) -> dict[tuple[str, str], list[float]]:
    """Seconds of an iteration, by form and link, after a round of each to warm up."""
    seconds: dict[tuple[str, str], list[float]] = {}
    turns: dict[str, list[Callable[[], Any]]] = {}
    with ExitStack() as stack, ThreadPoolExecutor(COUNT) as pool:
        for name, form in forms.items():
            port = _free_port()
            turns[name] = [
                stack.enter_context(worker(name, _serve, form, rank, port, rounds + 1))
                for rank in range(COUNT)
            ]
            list(pool.map(lambda turn: turn(), turns[name]))
        for number in range(rounds + 1):
            for link in LINKS:
                order = list(forms) if number % 2 else list(forms)[::-1]
                for name in order:
                    both = pool.map(lambda turn: turn(), turns[name])
                    seconds.setdefault((name, link.name), []).append(max(both))
    return {key: values[1:] for key, values in seconds.items()}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _serve(turns: Connection, form: Callable[..., None], rank: int, port: int, rounds: int) -> None:
    """Take an iteration per turn, on each link in turn; send its seconds."""
    torch.set_num_threads(1)
    # What torchrun says to the processes that it starts
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "benchmark",
        "WORLD_SIZE": str(COUNT),
        "LOCAL_WORLD_SIZE": str(COUNT),
        "GROUP_RANK": "0",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
    }
    network = Network()
    done, begin = 0, perf_counter()

    def after_iteration() -> None:
        nonlocal done, begin
        turns.send(perf_counter() - begin)
        done += 1
        turns.recv()
        network.link = LINKS[(done - 1) % len(LINKS)]
        begin = perf_counter()

    turns.recv()
    form(network, rounds * len(LINKS) + 1, after_iteration)
