"""What training will see, as a sheet and as a page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment
from PIL import Image as Pillow

from esrgan.files import write_whole
from esrgan.reports.grid import Cell, draw_grid, enlarge_pixels
from esrgan.reports.page import encode
from esrgan.types import Image

_CELL = 384  # pixels of a side: what the captions need to be legible
_SAMPLES_PER_ROW = 2
_BARS = 24

KNOWN_STRENGTHS = {"published": (23.9, 20.9), "photo": (26.2, 21.9), "compression": (28.2, 24.9)}
"""Median and tenth percentile in dB, of 90 draws on three photographs, of the code that each preset
has its numbers from; at scale 4."""


@dataclass(frozen=True)
class PreviewSample:
    """What a sample number shows, and the steps of its degradation in words."""

    title: str
    gt: Image
    lq: Image
    steps: Sequence[str]


def preview_sheet(samples: Sequence[PreviewSample]) -> Image:
    """Ground truth and low-quality image side by side, with what was done below."""
    return draw_grid([*_cells(samples)], columns=2 * _SAMPLES_PER_ROW)


def _cells(samples: Sequence[PreviewSample]) -> Iterator[Cell]:
    for sample in samples:
        zoom = -(-_CELL // max(sample.gt.shape[:2]))
        scale = sample.gt.shape[0] // sample.lq.shape[0]
        yield Cell(enlarge_pixels(sample.gt, zoom), sample.title)
        yield Cell(enlarge_pixels(sample.lq, zoom * scale), "\n".join(sample.steps))


def steps_sheet(stages: Sequence[tuple[str, Image]], *, columns: int = 4) -> Image:
    """One image after each step, all shown in the size of the first."""
    height, width = stages[0][1].shape[:2]
    cells = []
    for text, image in stages:
        smaller = image.shape[0] <= height
        how = Pillow.Resampling.NEAREST if smaller else Pillow.Resampling.LANCZOS
        shown = np.asarray(Pillow.fromarray(image).resize((width, height), how), np.uint8)
        cells.append(Cell(shown, f"{text}\n{image.shape[0]}x{image.shape[1]}"))
    return draw_grid(cells, columns=columns)


def strength_lines(values: Sequence[float]) -> str:
    """Median and tenth percentile, beside those that are known."""
    rows = [
        f"  {row['name']:17}{row['median']:5.1f} dB, a tenth below {row['tenth']:.1f} dB"
        for row in _rows(values)
    ]
    return "\n".join(
        [f"PSNR of the low-quality images against clean ones ({len(values)} samples):", *rows]
    )


def write_preview_page(
    path: Path, *, title: str, samples: Sequence[PreviewSample], strength: Sequence[float] | None
) -> None:
    """One file that any browser opens from disk."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = files(__package__).joinpath("preview.html").read_text("utf-8")
    page = environment.from_string(template).render(
        title=title,
        strength=_summary(strength) if strength else None,
        samples=[
            {
                "title": sample.title,
                "gt": encode(sample.gt)[1],
                "lq": encode(sample.lq)[1],
                "lines": sample.steps,
            }
            for sample in samples
        ],
    )
    write_whole(path, page.encode(errors="replace"), overwrite=False)


def _rows(values: Sequence[float]) -> list[dict[str, Any]]:
    known = {f"{k} (x4)": {"median": m, "tenth": t} for k, (m, t) in KNOWN_STRENGTHS.items()}
    this = {"median": float(np.median(values)), "tenth": float(np.percentile(values, 10))}
    return [{"name": name, **row} for name, row in ({"this": this} | known).items()]


def _summary(values: Sequence[float]) -> dict[str, Any]:
    counts, edges = np.histogram(values, bins=_BARS)
    return {
        "count": len(values),
        "rows": _rows(values),
        "bars": (counts / max(counts.max(), 1)).tolist(),
        "ticks": [f"{edge:.1f}" for edge in edges[:: _BARS // 4]],
    }
