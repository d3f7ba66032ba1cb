"""Runs a function in two processes on one machine, over gloo."""

import os
from collections.abc import Callable
from multiprocessing import set_forkserver_preload
from pathlib import Path

import torch
from torch import Tensor, multiprocessing
from torch import distributed as dist

from esrgan.training.ranks import rank

COUNT = 2


def in_two_processes(function: Callable[[], None], folder: Path) -> None:
    """What the function, which is a module's, raises in one of them is raised here.

    They are forks of a process that has imported what takes seconds and done nothing: in those of
    this one, neither a GPU nor, once the compiler was used here, a gradient can be had.
    """
    set_forkserver_preload(["esrgan.training"])
    store = str(folder / "store")
    multiprocessing.start_processes(_join, (function, store), COUNT, start_method="forkserver")


def _join(number: int, function: Callable[[], None], store: str) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=number, world_size=COUNT)
    function()
    dist.destroy_process_group()


def share(tensor: Tensor) -> Tensor:
    """This process's part of a global batch."""
    return tensor.chunk(COUNT)[rank()]
