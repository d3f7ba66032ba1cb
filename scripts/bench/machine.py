"""What the numbers were measured on."""

import os
import platform
from pathlib import Path

from esrgan import __version__

CPU_INFO = Path("/proc/cpuinfo")
MEMORY_INFO = Path("/proc/self/status")
# What decides over the speed of bfloat16 and of float32 on x86, and of bfloat16 on Arm
FLAGS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2", "bf16")


def describe_machine() -> dict[str, str]:
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "CPU": _processor(),
        "GPU": ", ".join(gpus) or "none",
        "threads": str(torch.get_num_threads()),
        "load before": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "torch": torch.__version__,
        "esrgan": __version__,
    }


def _processor() -> str:
    text = CPU_INFO.read_text() if CPU_INFO.exists() else ""
    pairs = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    values = {key.strip(): value.strip() for key, value in pairs.items()}
    known = values.get("flags", values.get("Features", "")).split()
    flags = " ".join(flag for flag in FLAGS if flag in known)
    name = values.get("model name") or platform.processor() or platform.machine()
    return f"{name} ({flags or 'none of ' + ' '.join(FLAGS)})"


def memory_bytes() -> int | None:
    """What this process has in memory now; None where the system does not say."""
    return _status("VmRSS")


def peak_memory_bytes() -> int | None:
    """The most it ever had."""
    # Not getrusage: its maximum is handed down by the process that started this one.
    return _status("VmHWM")


def _status(key: str) -> int | None:
    text = MEMORY_INFO.read_text() if MEMORY_INFO.exists() else ""
    for line in text.splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return None
