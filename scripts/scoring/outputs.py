"""What is left of an evaluation: texts, images, a sheet, a page."""

import argparse
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from esrgan import evaluation
from esrgan.data import write_png
from esrgan.durable import write_whole
from esrgan.evaluation import BenchmarkResult, Comparison, Page, SheetRow
from scoring.arguments import CROP_SIZE, REPORTS, SHEET_IMAGES
from scoring.benchmarks import Benchmark
from scoring.crops import Crop, choose_crops

LARGE_PAGE = 100  # MB
PAGE_BYTES_PER_PIXEL = 1.5  # of each image; Set5 has 1.2


class Outputs:
    """Takes images one at a time, and then the results."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        crops: Mapping[tuple[str, str], Sequence[Crop]],
        page: Page | None,
    ) -> None:
        self._arguments = arguments
        self._crops = crops
        self._page = page
        self._rows: list[SheetRow] = []

    def add(self, benchmark: str, number: int, comparison: Comparison) -> None:
        """`number` counts the images of the benchmark from 1."""
        arguments = self._arguments
        if arguments.save_images:
            _save_images(comparison, arguments.save_images / benchmark)
        for crop in self._crops.get((benchmark, comparison.key), ()):
            self._rows.append(
                evaluation.comparison_row(
                    comparison, metrics=arguments.captions, crop_size=crop.size, at=crop.at
                )
            )
        if self._page and number <= (arguments.page_images or number):
            self._page.add(benchmark, comparison)

    def finish(self, results: Sequence[BenchmarkResult]) -> None:
        arguments = self._arguments
        print(evaluation.as_markdown(results, per_image=arguments.per_image))
        if arguments.output:
            _write_reports(results, arguments.output)
        if arguments.sheet:
            arguments.sheet.parent.mkdir(parents=True, exist_ok=True)
            sheet = evaluation.comparison_sheet(self._rows)
            write_png(arguments.sheet, sheet, overwrite=arguments.overwrite)
        if self._page:
            self._page.finish(results)


@contextmanager
def open_outputs(
    arguments: argparse.Namespace, benchmarks: Sequence[Benchmark], methods: Iterable[str]
) -> Iterator[Outputs]:
    """Raises a ValueError if an image that the sheet is to show is not there."""
    crops: dict[tuple[str, str], list[Crop]] = {}
    if arguments.sheet:
        crops = choose_crops(
            benchmarks,
            images=arguments.sheet_images or (),
            crop_at=arguments.crop_at or (),
            size=arguments.crop_size or CROP_SIZE,
            default=SHEET_IMAGES,
        )
    if arguments.page is None:
        yield Outputs(arguments, crops, None)
        return
    methods = list(methods)
    _warn_of_size(benchmarks, arguments.page_images, num_images=len(methods) + 1)
    arguments.page.parent.mkdir(parents=True, exist_ok=True)
    title = f"{', '.join(methods)} on {', '.join(b.name for b in benchmarks)}"
    with evaluation.open_page(arguments.page, title=title, overwrite=arguments.overwrite) as page:
        yield Outputs(arguments, crops, page)


def _warn_of_size(benchmarks: Sequence[Benchmark], limit: int | None, *, num_images: int) -> None:
    pixels = sum(
        math.prod(benchmark.pairs.lq_size(index)) * benchmark.pairs.scale**2
        for benchmark in benchmarks
        for index in range(min(len(benchmark.pairs), limit or len(benchmark.pairs)))
    )
    megabytes = pixels * num_images * PAGE_BYTES_PER_PIXEL / 1e6
    if megabytes > LARGE_PAGE:
        print(
            f"warning: the page will have about {megabytes:.0f} MB, which a browser opens slowly: "
            "--page-images N limits it to the first N images of each benchmark",
            file=sys.stderr,
        )


def _save_images(comparison: Comparison, folder: Path) -> None:
    for name, sr in comparison.outputs.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        write_png(folder / name / f"{comparison.key}.png", sr, overwrite=True)


def _write_reports(results: Sequence[BenchmarkResult], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = json.dumps(evaluation.as_json(results), indent=2, allow_nan=False)
    texts = (f"{data}\n", evaluation.as_markdown(results))
    for name, text in zip(REPORTS, texts, strict=True):
        write_whole(folder / name, text.encode())
