"""What there is to compute on, and in which number format it is fastest."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
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
        why = str(error).partition("\n")[0].partition(". ")[0]  # torch lists all that it knows
        raise ValueError(f"--device {name} cannot be used: {why}") from error
    return device


def require_accelerator(name: str) -> None:
    """A ValueError where there is none of a kind that Lightning's word asks for."""
    there = {
        "gpu": torch.cuda.is_available() or torch.backends.mps.is_available(),
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(name, True):
        raise ValueError(
            f"trainer.accelerator ({name}) cannot be used: PyTorch sees none here. auto takes what "
            "there is, cpu the processor"
        )


def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where hardware multiplies it, float16 on older GPUs of CUDA, else float32."""
    if device.type == "cuda":
        newer = torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if newer else torch.float16
    if device.type == "cpu" and cpu_multiplies_bf16():
        return torch.bfloat16
    return torch.float32


def choose_precision(*, precision: str, accelerator: str) -> str:
    """Lightning's name of the number format to train in.

    Args:
        precision: "auto": bfloat16 where the device multiplies it in hardware, else float32; or
            "bf16-mixed" or "32-true" (or "64-true", which tests use) to have it decided.
        accelerator: Lightning's word: "auto", "cpu", "gpu" or "cuda", "mps".

    Raises:
        ValueError: another word. "16-mixed" is one: float16 needs a loss scale, and bfloat16,
            which does not, is there on every GPU with fast float16 since 2020.
    """
    allowed = ("auto", "bf16-mixed", "32-true", "64-true")
    if precision not in allowed:
        raise ValueError(f"precision ({precision}) must be one of {', '.join(allowed)}")
    if precision != "auto":
        return precision
    if accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available()):
        in_hardware = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        in_hardware = accelerator in ("auto", "cpu") and cpu_multiplies_bf16()
    return "bf16-mixed" if in_hardware else "32-true"


def cpu_multiplies_bf16() -> bool:
    """Whether bfloat16 is worth it: where it is emulated, it is slower than float32."""
    names = {"amx_bf16", "avx512_bf16", "bf16"}  # the latter is Arm's
    return CPU_FLAGS.exists() and not names.isdisjoint(
        CPU_FLAGS.read_text(encoding="utf-8").split()
    )


def cpu_has_avx512() -> bool:
    return "AVX512" in torch.backends.cpu.get_cpu_capability()


def free_memory() -> int:
    """Bytes of the host's memory that programs can have without others being swapped out."""
    return int(psutil.virtual_memory().available)


@contextmanager
def naming_memory() -> Iterator[None]:
    """What a GPU says that is too small, as a mistake that a user can mend.

    Raises:
        ValueError: the GPU has too little memory.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ValueError("it needs more memory than the GPU has: try --device cpu") from error
