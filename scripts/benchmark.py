"""Measures the speed of loading data, training and upscaling, and what bfloat16 costs in quality.

Prints Markdown tables, whose ratios compare what was measured in turns, in one run, on one machine.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.record import record
from bench.result import Table, describe_machine
from bench.sizes import PAPER, QUICK, USUAL, Sizes

from esrgan.data import CODECS, Recipe, build_dataset, write_sample_photographs
from esrgan.degradations import resize_double
from esrgan.errors import refuse_below_one, report_errors
from esrgan.files import check_folder, refuse_existing, write_whole

COUNTS: Sequence[str] = ("rounds", "iterations", "seeds")
ONLY_WITH = {
    "images": ("data", "step", "gan", "bf16"),
    "held_out": ("bf16", "upscale"),
    "rounds": ("data", "degradation", "step", "gan", "processes", "upscale"),
    "iterations": ("bf16",),
    "seeds": ("bf16",),
    "full": ("step", "gan", "upscale"),
    "weights": ("upscale",),
}


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What is measured, and on what; None: on sample photographs, by a random network."""

    only: Sequence[str]
    sizes: Sizes
    images: Path | None = None
    held_out: Path | None = None
    weights: Path | None = None
    full: bool = False
    quick: bool = False
    output: Path | None = None
    record: Path | None = None


def parse_arguments() -> Arguments:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--only",
        nargs="+",
        choices=list(SUBJECTS),
        default=list(SUBJECTS),
        help="default: all, 12 minutes",
    )
    add("--images", type=Path, metavar="FOLDER", help="to train on; default: sample photographs")
    about = "to score on, and the first to upscale; default: sample photographs"
    add("--held-out", type=Path, metavar="FOLDER", help=about)
    add("--rounds", type=int, metavar="N", help=f"of all but bf16; default: {USUAL.rounds}")
    add("--iterations", type=int, metavar="N", help=f"of bf16; default: {USUAL.iterations}")
    add("--seeds", type=int, metavar="N", help=f"runs of bf16; default: {USUAL.seeds}")
    add("--weights", type=Path, metavar="FILE", help="the network to upscale with; default: random")
    add("--full", action="store_true", help="the paper's network too; on a GPU it always is")
    add("--quick", action="store_true", help="as little as shows that everything works")
    add("--output", type=Path, metavar="FILE.json", help="write the tables there too")
    about = "append what was timed to a file there, named after this machine"
    add("--record", type=Path, metavar="FOLDER", help=about)
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    for name, subjects in ONLY_WITH.items():
        if given.get(name) and not set(subjects) & set(given["only"]):
            option = f"--{name.replace('_', '-')}"
            parser.error(f"{option} has no effect without --only {' or '.join(subjects)}")
    numbers = {name: given.pop(name) for name in COUNTS if name in given}
    refuse_below_one(numbers)
    if numbers.get("iterations", 2) < 2:
        raise ValueError(f"--iterations ({numbers['iterations']}) must be at least 2")
    return Arguments(sizes=(QUICK if given["quick"] else USUAL)._replace(**numbers), **given)


def benchmark(arguments: Arguments) -> None:
    if arguments.output:
        refuse_existing(arguments.output, fix="choose another name")
        check_folder(arguments.output.absolute().parent, what=arguments.output)
    machine = describe_machine()
    print("\n".join(f"- {name}: {value}" for name, value in machine.items()))
    tables = []
    with TemporaryDirectory(prefix="esrgan-benchmark-") as folder:
        for table in measure(arguments, Path(folder)):
            print(f"\n{table.as_markdown()}", flush=True)
            tables.append(table)
            if arguments.record:
                record(arguments.record, machine, [table])
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps(
            {"machine": machine, "tables": [table._asdict() for table in tables]}, indent=2
        )
        write_whole(arguments.output, content.encode(), overwrite=False)


def measure(arguments: Arguments, folder: Path) -> Iterator[Table]:
    """The tables of the subjects that were asked for, in the order of `SUBJECTS`.

    What a subject needs is imported where it begins: torch and Lightning take seconds, and the
    processes that are timed import this file too.
    """
    for subject, tables in SUBJECTS.items():
        if subject in arguments.only:
            yield from tables(arguments, folder)


def _loading(arguments: Arguments, folder: Path) -> Iterator[Table]:
    from bench.loading import loading_table

    images = arguments.images or sample(folder, "train")
    yield loading_table(images, folder / "loading", arguments.sizes)


def _degrading(arguments: Arguments, _folder: Path) -> Iterator[Table]:
    from bench.degrading import degrading_table

    yield degrading_table(arguments.sizes)


def _psnr_step(arguments: Arguments, folder: Path) -> Iterator[Table]:
    from bench.steps import psnr_table

    train_set = _train_set(arguments, folder)
    yield from (psnr_table(sizes, train_set) for sizes in _networks(arguments))


def _gan_step(arguments: Arguments, folder: Path) -> Iterator[Table]:
    from bench.steps import gan_table

    train_set = _train_set(arguments, folder)
    yield from (gan_table(sizes, train_set) for sizes in _networks(arguments))


def _processes(arguments: Arguments, _folder: Path) -> Iterator[Table]:
    from bench.processes import processes_tables

    yield from processes_tables(arguments.sizes)


def _quality(arguments: Arguments, folder: Path) -> Iterator[Table]:
    from bench.quality import quality_table

    images = arguments.images or sample(folder, "train")
    held_out = arguments.held_out or sample(folder, "held_out")
    yield quality_table(images, held_out, folder / "quality", arguments.sizes)


def _upscaling(arguments: Arguments, folder: Path) -> Iterator[Table]:
    from bench.upscaling import upscaling_table

    held_out, weights = arguments.held_out or sample(folder, "held_out"), arguments.weights
    for each in [arguments.sizes] if weights else _networks(arguments):
        yield upscaling_table(held_out, each, weights=weights)


SUBJECTS = {
    "data": _loading,
    "degradation": _degrading,
    "step": _psnr_step,
    "gan": _gan_step,
    "processes": _processes,
    "bf16": _quality,
    "upscale": _upscaling,
}


def _networks(arguments: Arguments) -> list[Sizes]:
    import torch

    networks = [arguments.sizes]
    if arguments.full or (torch.cuda.is_available() and not arguments.quick):
        networks.append(arguments.sizes._replace(trained=PAPER, upscaling=PAPER, batch_size=16))
    return networks


def _train_set(arguments: Arguments, folder: Path) -> Path:
    """What a training loads, as `prepare-data` makes it."""
    path = folder / "train_x4"
    if not path.exists():
        recipe = Recipe(scale=4, codec=CODECS["raw"], downscale=resize_double)
        images = arguments.images or sample(folder, "train")
        build_dataset(path, recipe, gt_folders=[images])
    return path


def sample(folder: Path, part: str) -> Path:
    """The photographs to train on, or the others, which are `held_out`."""
    write_sample_photographs(folder / "sample")
    return folder / "sample" / part


if __name__ == "__main__":
    raise SystemExit(report_errors(lambda: benchmark(parse_arguments())))
