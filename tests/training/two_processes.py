"""Runs a function in two processes on one machine, over gloo."""

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, multiprocessing
from torch import distributed as dist

from esrgan.training.ranks import rank

COUNT = 2


def in_two_processes(
    function: Callable[[], None], folder: Path, *, start_method: str = "fork"
) -> None:
    """What the function raises in one of them is raised here.

    A fork takes 0.1 s, "spawn" 5 s; on a GPU only the latter works.
    """
    store = str(folder / "store")
    multiprocessing.start_processes(_join, (function, store), COUNT, start_method=start_method)


def _join(number: int, function: Callable[[], None], store: str) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=number, world_size=COUNT)
    function()
    dist.destroy_process_group()


def share(tensor: Tensor) -> Tensor:
    """This process's part of a global batch."""
    return tensor.chunk(COUNT)[rank()]
