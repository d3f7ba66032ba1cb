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
from collections.abc import Sequence
from pathlib import Path

from reporting.metrics import choose_metrics, under_crops
from reporting.runs import Run, find_runs
from reporting.table import as_csv, as_markdown

from esrgan.command_line import report_errors

FILES = ("report.md", "report.csv", "figure.png", "curves.png")
ROWS = 4
CROP_SIZE = 96
OF_THE_FILES = ("benchmark", "crops", "images", "crop_size", "device", "overwrite")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN")
    add(
        "--metrics",
        nargs="+",
        metavar="NAME",
        help="of the validation, e.g. psnr_y; default: all, and psnr_y under the crops",
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
    which.add_argument("--crops", type=int, metavar="N", help=f"rows; default: {ROWS}")
    which.add_argument("--images", nargs="+", metavar="NAME", help="a row for each of these")
    add("--crop-size", type=int, metavar="N", help=f"in pixels; default: {CROP_SIZE}")
    add("--device", help="cpu, cuda, cuda:1, ...; default: cuda where there is one, else cpu")
    arguments = parser.parse_args()
    for name in OF_THE_FILES:
        if arguments.output is None and getattr(arguments, name) not in (None, False):
            parser.error(f"--{name.replace('_', '-')} has no effect without --output")
    return arguments


def report(arguments: argparse.Namespace) -> None:
    check(arguments)
    runs = find_runs(arguments.runs)
    metrics = choose_metrics(runs, arguments.metrics)
    if arguments.output is None:
        print(as_markdown(runs, metrics))
    else:
        write_report(runs, metrics, arguments)


def check(arguments: argparse.Namespace) -> None:
    """Refuse what can be refused before anything is read."""
    for name in ("crops", "crop_size"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} ({value}) must be at least 1")
    folder = arguments.output
    if folder is None:
        return
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--output ({folder}) is a file: name a folder")
    for path in (folder / name for name in FILES):
        if path.exists() and not arguments.overwrite:
            raise ValueError(f"{path} exists: choose another folder, or give --overwrite")


def write_report(
    runs: Sequence[Run], metrics: Sequence[str], arguments: argparse.Namespace
) -> None:
    # Imported here because torch takes seconds, and the table alone has no use for it
    from reporting.curves import curve_panels
    from reporting.document import as_document
    from reporting.figure import Layout, draw_figure
    from reporting.subject import open_subject

    from esrgan.data import write_png
    from esrgan.evaluation import plot_panels

    subject = open_subject(
        runs, arguments.benchmark, images=arguments.images, device=arguments.device
    )
    layout = Layout(
        metrics=under_crops(arguments.metrics),
        crop_size=arguments.crop_size or CROP_SIZE,
        num_rows=None if arguments.images else arguments.crops or ROWS,
    )
    panels = curve_panels(runs, metrics)
    pictures = {"curves.png": plot_panels(panels)} if panels else {}
    table = as_markdown(runs, metrics)
    print(table, flush=True)
    if subject.can_be_shown:
        pictures["figure.png"] = draw_figure(subject, layout)
    arguments.output.mkdir(parents=True, exist_ok=True)
    texts = {
        "report.md": as_document(table, subject, layout, pictures),
        "report.csv": as_csv(runs, metrics),
    }
    for name, text in texts.items():
        (arguments.output / name).write_text(text, encoding="utf-8")
    for name, picture in pictures.items():
        write_png(arguments.output / name, picture, overwrite=True)


if __name__ == "__main__":
    sys.exit(report_errors(lambda: report(parse_arguments())))
