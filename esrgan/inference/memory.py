"""Memory for a tile: how much is at hand, and how it shows that it was too little."""

from pathlib import Path

import torch

MEMORY_INFO = Path("/proc/meminfo")
CPU_LIMIT = 7 << 28
"""Bytes that a tile may take on a CPU: 1.75 GiB, so that with a result of 100 megapixels it is 2.

Larger tiles save the time of overlaps, but ever less of it.
"""

CPU_MESSAGES = ("can't allocate memory", "could not create a primitive")
"""Of torch's allocator and of oneDNN, which has no other words for it."""


def memory_for_a_tile(device: torch.device) -> int:
    """Bytes of what is free now, with a part left for others."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return (free + kept) * 3 // 4
    return min(CPU_LIMIT, _available() // 2)


def _available() -> int:
    text = MEMORY_INFO.read_text() if MEMORY_INFO.exists() else ""
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 2 * CPU_LIMIT


def is_out_of_memory(error: RuntimeError | MemoryError) -> bool:
    """Whether it was memory that lacked: for that of a CPU, torch has no type of error."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(message in str(error) for message in CPU_MESSAGES)
