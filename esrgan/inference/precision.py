"""Which number format a device multiplies fastest."""

from pathlib import Path

import torch

CPU_FLAGS = Path("/proc/cpuinfo")


def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where hardware multiplies it, float16 on older GPUs of CUDA, else float32."""
    if device.type == "cuda":
        newer = torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if newer else torch.float16
    if device.type == "cpu" and _cpu_multiplies_bf16():
        return torch.bfloat16
    return torch.float32


def _cpu_multiplies_bf16() -> bool:
    # AMX and AVX512-BF16 on x86, BF16 on Arm. Without them bfloat16 is emulated and slower.
    names = {"amx_bf16", "avx512_bf16", "bf16"}
    return CPU_FLAGS.exists() and not names.isdisjoint(CPU_FLAGS.read_text().split())
