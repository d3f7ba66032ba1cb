"""What a benchmark tells: the machine that it ran on, and tables."""

import os
import platform
import re
from pathlib import Path
from typing import NamedTuple

from esrgan import __version__
from esrgan.reports.tables import markdown_table

Cell = str | float | None

_CPU_INFO = Path("/proc/cpuinfo")
# What decides over the speed of bfloat16 and of float32 on x86, and of bfloat16 on Arm
_FLAGS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2", "bf16")


class Table(NamedTuple):
    """Rows of equal columns, and what has to be known to read them."""

    title: str
    notes: str
    rows: list[dict[str, Cell]]

    def as_markdown(self) -> str:
        rows = [[_text(cell) for cell in row.values()] for row in self.rows]
        return f"## {self.title}\n\n{self.notes}\n\n{markdown_table(list(self.rows[0]), rows)}"


def _text(cell: Cell) -> str:
    if cell is None or isinstance(cell, str):
        return cell or "?"
    return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"


def describe_machine() -> dict[str, str]:
    import torch  # takes a second, and the processes that time steps import this file too

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    name, instructions = _processor()
    return {
        "CPU": name,
        "instructions": instructions,
        "GPU": ", ".join(gpus) or "none",
        "threads": str(torch.get_num_threads()),
        "load before": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "torch": torch.__version__,
        "esrgan": __version__,
    }


def _processor() -> tuple[str, str]:
    text = _CPU_INFO.read_text(encoding="utf-8") if _CPU_INFO.exists() else ""
    found = re.search(r"model name\s*: (.+)", text)
    name = found[1] if found else platform.processor() or platform.machine()
    flags = " ".join(flag for flag in _FLAGS if flag in text.split())
    return name, flags or f"none of {' '.join(_FLAGS)}"
