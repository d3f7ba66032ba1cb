"""A page that compares images under a slider: one file that any browser opens from disk."""

import base64
import io
import json
import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import IO

from jinja2 import Environment, Template
from PIL import Image as Pillow

from esrgan.evaluation.benchmarks import Benchmark, BenchmarkResult, Comparison
from esrgan.files import refusals_name, refuse_existing, writing_whole
from esrgan.reports.tables import table_of_means
from esrgan.types import Image

LARGE_PAGE = 100  # MB
_BYTES_PER_PIXEL = 1.5  # of each image; Set5 has 1.2
_MAX_WEBP_SIDE = 16383  # of the format


@dataclass(frozen=True)
class Page:
    """Takes images one at a time, and keeps none of them in memory.

    `images` is an empty file to collect them in, a line of JSON for all versions of each.
    """

    path: Path
    title: str
    overwrite: bool
    template: Template
    images: IO[str]

    def add(self, benchmark: str, comparison: Comparison) -> None:
        """Shows an image below those before it."""
        height, width = comparison.gt.shape[:2]
        scores = {score.method: score.values for score in comparison.scores}
        versions = []
        for name, image in comparison.images().items():
            media_type, data = encode(image)
            lines = [f"{m.name} {m.text(value)}" for m, value in scores.get(name, {}).items()]
            versions.append({"name": name, "type": media_type, "data": data, "scores": lines})
        about = {"key": comparison.key, "benchmark": benchmark, "height": height, "width": width}
        self.images.write(json.dumps({**about, "versions": versions}) + "\n")

    def finish(self, results: Sequence[BenchmarkResult]) -> None:
        """Writes the file: title, tables and protocols of the results, images."""
        self.images.seek(0)
        parts = self.template.generate(
            title=self.title,
            results=[(result, table_of_means(result)) for result in results],
            images=map(json.loads, self.images),
        )
        with writing_whole(self.path, overwrite=self.overwrite) as page:
            # A file's name may have bytes that are no characters; they become question marks.
            page.writelines(part.encode(errors="replace") for part in parts)


@contextmanager
def open_page(path: Path, *, title: str, overwrite: bool = False) -> Iterator[Page]:
    """A page to add images to. Its file appears, complete, with `Page.finish`, or never."""
    refuse_existing(path, overwrite=overwrite)
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    text = files(__package__).joinpath("page.html").read_text("utf-8")
    template = environment.from_string(text)
    with (
        refusals_name(path),
        tempfile.TemporaryFile("w+", encoding="utf-8", dir=path.parent) as images,
    ):
        yield Page(path, title, overwrite, template, images)


def size_warning(
    benchmarks: Sequence[Benchmark], num_images: int | None, *, num_methods: int
) -> str | None:
    """What to know of a page with the first images of each benchmark, None: all; if it is large."""
    sizes = [list(benchmark.gt_sizes().values())[:num_images] for benchmark in benchmarks]
    pixels = sum(map(math.prod, chain(*sizes)))
    megabytes = pixels * (num_methods + 1) * _BYTES_PER_PIXEL / 1e6
    if megabytes <= LARGE_PAGE:
        return None
    return (
        f"the page will have about {megabytes:.0f} MB, which a browser opens slowly: "
        "--page-images N limits it to the first N images of each benchmark"
    )


def encode(image: Image) -> tuple[str, str]:
    """Media type and content in base 64, lossless.

    Measured on Set5: WebP in this setting has 70 % of a PNG's size, in less time; higher ones
    take up to a hundred times as long for the last 6 %.
    """
    buffer = io.BytesIO()
    if max(image.shape) > _MAX_WEBP_SIDE:
        media_type = "image/png"
        Pillow.fromarray(image).save(buffer, "PNG")
    else:
        media_type = "image/webp"
        Pillow.fromarray(image).save(buffer, "WEBP", lossless=True, quality=20, method=2)
    return media_type, base64.b64encode(buffer.getbuffer()).decode()
