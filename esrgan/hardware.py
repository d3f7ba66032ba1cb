"""What there is to compute on."""

from pathlib import Path

import torch

CPU_FLAGS = Path("/proc/cpuinfo")


def choose_device(asked: str | None) -> torch.device:
    """The device that a command's --device names; None: a GPU where there is one, else the CPU.

    Raises:
        ValueError: it cannot be used.
    """
    name = asked or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (AssertionError, RuntimeError) as error:  # which of them depends on the build of torch
        raise ValueError(f"--device {name} cannot be used: {error}") from error
    return device


def cpu_multiplies_bf16() -> bool:
    """Whether bfloat16 is worth it: where it is emulated, it is slower than float32."""
    names = {"amx_bf16", "avx512_bf16", "bf16"}  # the latter is Arm's
    return CPU_FLAGS.exists() and not names.isdisjoint(CPU_FLAGS.read_text().split())
