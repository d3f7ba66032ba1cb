"""Compare runs: in which settings they differ, what they reach, what they cost.

RUN is the folder of a run, or a folder below which runs lie: it stands for all of them.

A table is printed. With --output FOLDER these files are written there:
  report.md    the table and the pictures
  report.csv   the table at full precision
  figure.png   what each run makes of images, as the paper's figure of its ablation: crops where the
               runs differ most, below the settings, in red where they change from column to column
  curves.png   validation and training losses over the iterations

example: report.py experiments/ablation --output results/ablation --benchmark data/Set14
"""

import argparse
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from esrgan.errors import report_errors, suggestion
from esrgan.evaluation import STANDARD
from esrgan.files import check_target, write_whole
from esrgan.reports.figure import Figure, caption, draw_figure
from esrgan.reports.plot import plot_panels
from esrgan.reports.run_curves import curve_panels
from esrgan.reports.run_table import as_csv, as_markdown, choose_metrics
from esrgan.runs import RunRecord, find_runs
from esrgan.types import Pair

if TYPE_CHECKING:
    from esrgan.evaluation.benchmarks import Benchmark

_FILES = ("report.md", "report.csv", "figure.png", "curves.png")
_OF_THE_FILES = ("benchmark", "crops", "images", "crop_size", "device", "overwrite")
_ROWS = 4
_CROP_SIZE = 96


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command is asked for; None and False: not given."""

    runs: Sequence[Path]
    metrics: Sequence[str] | None
    output: Path | None
    overwrite: bool
    benchmark: Sequence[str] | None
    crops: int | None
    images: Sequence[str] | None
    crop_size: int | None
    device: str | None


@dataclass(frozen=True)
class _Images:
    """Images of benchmarks, by their numbers there: `WholeImages` for the figure."""

    places: Sequence[tuple["Benchmark", int]]

    def __len__(self) -> int:
        return len(self.places)

    def key(self, index: int) -> str:
        benchmark, number = self.places[index]
        return f"{benchmark.pairs.key(number)} ({benchmark.name})"

    def read(self, index: int) -> Pair:
        benchmark, number = self.places[index]
        return benchmark.pairs.read(number)


def main(argv: Sequence[str] | None = None) -> int:
    return report_errors(lambda: _report(parse_arguments(argv)))


def parse_arguments(argv: Sequence[str] | None) -> Arguments:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN")
    add(
        "--metrics",
        nargs="+",
        metavar="NAME",
        help="of the validation, e.g. PSNR-Y; default: all, and PSNR-Y under the crops",
    )
    add("--output", type=Path, metavar="FOLDER", help="write the files there")
    add("--overwrite", action="store_true", help="write over those of an earlier report")
    figure = parser.add_argument_group("the figure")
    add = figure.add_argument
    add(
        "--benchmark",
        nargs="+",
        metavar="BENCHMARK",
        help="images, given as to evaluate.py; default: those that the runs were validated on",
    )
    which = figure.add_mutually_exclusive_group()
    which.add_argument("--crops", type=int, metavar="N", help=f"rows; default: {_ROWS}")
    which.add_argument("--images", nargs="+", metavar="NAME", help="a row for each of these")
    add("--crop-size", type=int, metavar="N", help=f"in pixels; default: {_CROP_SIZE}")
    add("--device", help="cpu, cuda, cuda:1, ...; default: cuda where there is one, else cpu")
    arguments = Arguments(**vars(parser.parse_args(argv)))
    for name in _OF_THE_FILES:
        if arguments.output is None and getattr(arguments, name) not in (None, False):
            parser.error(f"--{name.replace('_', '-')} has no effect without --output")
    return arguments


def _check(arguments: Arguments) -> None:
    """Refuse what can be refused before anything is read."""
    for name, value in (("crops", arguments.crops), ("crop-size", arguments.crop_size)):
        if value is not None and value < 1:
            raise ValueError(f"--{name} ({value}) must be at least 1")
    if arguments.output:
        for name in _FILES:
            check_target(arguments.output / name, overwrite=arguments.overwrite)


def _report(arguments: Arguments) -> None:
    _check(arguments)
    runs = find_runs(arguments.runs)
    metrics = choose_metrics(runs, arguments.metrics)
    if arguments.output is None:
        sys.stdout.write(f"{as_markdown(runs, metrics)}\n")
        return
    # Here because torch takes seconds, and the table alone has no use for it
    from esrgan.data import write_png

    figure = _open_figure(runs, metrics, arguments)
    panels = curve_panels(runs, metrics)
    pictures = {"curves.png": plot_panels(panels)} if panels else {}
    table = as_markdown(runs, metrics)
    sys.stdout.write(f"{table}\n")
    sys.stdout.flush()
    if figure.weights and len(figure.pairs):
        pictures["figure.png"] = draw_figure(figure)
    document = _document(table, figure, pictures)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, text in {"report.md": document, "report.csv": as_csv(runs, metrics)}.items():
        write_whole(arguments.output / name, text.encode(), overwrite=arguments.overwrite)
    for name, picture in pictures.items():
        write_png(arguments.output / name, picture, overwrite=arguments.overwrite)


def _open_figure(runs: Sequence[RunRecord], metrics: Sequence[str], arguments: Arguments) -> Figure:
    """Find and load everything, so that what can be refused has been.

    Each run stands for its newest release or checkpoint.

    Raises:
        ValueError: weights or a benchmark cannot be used, scales differ, or an image is in none.
    """
    from esrgan.data import FolderPairs
    from esrgan.degradations import CONVENTIONS
    from esrgan.evaluation.benchmarks import common_scale, open_benchmarks
    from esrgan.hardware import choose_device
    from esrgan.inference import upscale
    from esrgan.weights import load_generator, scale_of

    found = {run.name: run.folder.newest_weights() for run in runs}
    weights = {name: file for name, file in found.items() if file is not None}
    device = choose_device(arguments.device)
    networks = {name: load_generator(file).to(device) for name, file in weights.items()}
    scale = common_scale({name: scale_of(network) for name, network in networks.items()}, None)
    texts = arguments.benchmark
    if texts is None:
        sets = dict.fromkeys(run.settings.get("validation_set") for run in runs)
        texts = [folder for folder in sets if folder is not None and Path(folder).is_dir()]
    benchmarks = open_benchmarks(
        texts, scale=scale, convention=None, conventions=CONVENTIONS, open_pairs=FolderPairs
    )
    places = _find_images(benchmarks, arguments.images)
    methods = {
        name: lambda _key, lq, network=network: upscale(network, lq)
        for name, network in networks.items()
    }
    below = [name for name in metrics if arguments.metrics and name in STANDARD]
    return Figure(
        runs=runs,
        weights=weights,
        methods=methods,
        scale=scale,
        pairs=_Images(places),
        origins=list(dict.fromkeys(f"{b.name}, low resolution: {b.lq_origin}" for b, _ in places)),
        metrics=below or ["PSNR-Y"],
        crop_size=arguments.crop_size or _CROP_SIZE,
        num_rows=None if arguments.images else arguments.crops or _ROWS,
    )


def _find_images(
    benchmarks: Sequence["Benchmark"], asked: Sequence[str] | None
) -> list[tuple["Benchmark", int]]:
    """Those asked for, in this order, in every benchmark that has them; None: all."""
    places = [(b, number) for b in benchmarks for number in range(len(b.pairs))]
    names = [benchmark.pairs.key(number) for benchmark, number in places]
    for name in asked or ():
        if names and name not in names:
            raise ValueError(f"--images: {name} is no image there: {suggestion(name, set(names))}")
    chosen = [n for name in asked or () for n, own in enumerate(names) if own == name]
    return [places[n] for n in chosen] if asked else places


def _document(table: str, figure: Figure, pictures: Collection[str]) -> str:
    """Markdown; `pictures` are the names of the files beside it."""
    sections = ["# Runs", table]
    if "figure.png" in pictures:
        sections += ["![What the runs make of images](figure.png)", caption(figure)]
    elif figure.weights:
        sections.append("No figure: its images are not there (--benchmark names others).")
    else:
        sections.append("No figure: none of the runs has weights yet.")
    if "curves.png" in pictures:
        sections.append("![Validation and training over the iterations](curves.png)")
    return "\n\n".join(sections) + "\n"
