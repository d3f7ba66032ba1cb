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

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from esrgan.commands import DEVICE_HELP, inputs
from esrgan.data import write_png
from esrgan.errors import refuse_alone, refuse_below_one, report_errors, suggestion
from esrgan.evaluation import STANDARD
from esrgan.evaluation.benchmarks import Benchmark
from esrgan.files import check_target, split_pair, write_whole
from esrgan.reports.figure import Figure, caption, draw_figure
from esrgan.reports.plot import plot_panels
from esrgan.reports.run_curves import curve_panels
from esrgan.reports.run_table import as_csv, as_markdown, choose_metrics
from esrgan.reports.sheet import CROP_SIZE
from esrgan.runs import RunRecord, find_runs
from esrgan.types import Pair

_FILES = ("report.md", "report.csv", "figure.png", "curves.png")
_OF_THE_FILES = ("benchmark", "crops", "images", "crop_size", "device", "overwrite")
_ROWS = 4


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

    places: Sequence[tuple[Benchmark, int]]

    def __len__(self) -> int:
        return len(self.places)

    def key(self, index: int) -> str:
        benchmark, number = self.places[index]
        return f"{benchmark.pairs.key(number)} ({benchmark.name})"

    def read(self, index: int) -> Pair:
        benchmark, number = self.places[index]
        return benchmark.pairs.read(number)

    def is_grey(self, index: int) -> bool:
        benchmark, number = self.places[index]
        return benchmark.pairs.is_grey(number)


def main(argv: Sequence[str] | None = None) -> int:
    return report_errors(lambda: _report(parse_arguments(argv)))


def parse_arguments(argv: Sequence[str] | None) -> Arguments:
    """With all refused that can be before anything is read."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN")
    text = "of the validation, e.g. PSNR-Y; default: all, and PSNR-Y under the crops"
    add("--metrics", nargs="+", metavar="NAME", help=text)
    add("--output", type=Path, metavar="FOLDER", help="write the files there")
    add("--overwrite", action="store_true", help="write over those of an earlier report")
    figure = parser.add_argument_group("the figure")
    add = figure.add_argument
    text = "images, given as to evaluate.py; default: those that the runs were validated on"
    add("--benchmark", nargs="+", metavar="BENCHMARK", help=text)
    which = figure.add_mutually_exclusive_group()
    which.add_argument("--crops", type=int, metavar="N", help=f"rows; default: {_ROWS}")
    which.add_argument("--images", nargs="+", metavar="NAME", help="a row for each of these")
    add("--crop-size", type=int, metavar="N", help=f"in pixels; default: {CROP_SIZE}")
    add("--device", help=DEVICE_HELP)
    arguments = Arguments(**vars(parser.parse_args(argv)))
    refuse_alone(arguments, dict.fromkeys(_OF_THE_FILES, ("output",)))
    refuse_below_one({"crops": arguments.crops, "crop-size": arguments.crop_size})
    if arguments.output:
        for name in _FILES:
            check_target(arguments.output / name, overwrite=arguments.overwrite)
    return arguments


def _report(arguments: Arguments) -> None:
    runs = find_runs(arguments.runs)
    metrics = choose_metrics(runs, arguments.metrics)
    table = as_markdown(runs, metrics)
    if arguments.output is None:
        sys.stdout.write(f"{table}\n")
        return
    figure = _open_figure(runs, metrics, arguments)
    panels = curve_panels(runs, metrics)
    pictures = {"curves.png": plot_panels(panels)} if panels else {}
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
    """
    from esrgan.hardware import choose_device  # imports torch: the table alone has no use for it

    found = {run.name: run.folder.newest_weights() for run in runs}
    weights = {name: file for name, file in found.items() if file is not None}
    methods, scale = inputs.open_networks(weights, device=choose_device(arguments.device))
    words = arguments.benchmark
    if words is None:
        sets = dict.fromkeys(run.settings.get("validation_set") for run in runs)
        words = [w for w in sets if w and all(map(Path.is_dir, split_pair(w) or [Path(w)]))]
    places = _find_images(inputs.open_benchmarks(words, scale=scale), arguments.images)
    below = [name for name in metrics if arguments.metrics and name in STANDARD]
    return Figure(
        runs=runs,
        weights=weights,
        methods=methods,
        scale=scale,
        pairs=_Images(places),
        origins=list(dict.fromkeys(f"{b.name}, low resolution: {b.lq_origin}" for b, _ in places)),
        metrics=below or ["PSNR-Y"],
        crop_size=arguments.crop_size or CROP_SIZE,
        num_rows=None if arguments.images else arguments.crops or _ROWS,
    )


def _find_images(
    benchmarks: Sequence[Benchmark], asked: Sequence[str] | None
) -> list[tuple[Benchmark, int]]:
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
