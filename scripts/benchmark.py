"""Measures the speed of loading data, training and upscaling, and what bfloat16 costs in quality.

Prints Markdown tables, whose ratios compare what was measured in turns, in one run, on one machine.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.machine import describe_machine
from bench.sizes import PAPER_STEP, PAPER_UPSCALING, QUICK, USUAL, Sizes
from bench.table import Table
from esrgan.command_line import report_errors
from esrgan.data.sample import write_sample_photographs

SUBJECTS = ("data", "step", "gan", "bf16", "upscale")
CONCERNS = {
    "images": ("data", "bf16"),
    "held_out": ("bf16", "upscale"),
    "rounds": ("data", "step", "gan", "upscale"),
    "iterations": ("bf16",),
    "seeds": ("bf16",),
    "full": ("step", "gan", "upscale"),
    "weights": ("upscale",),
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--only", nargs="+", choices=SUBJECTS, default=SUBJECTS, help="default: all, 10 minutes")
    add("--images", type=Path, metavar="FOLDER", help="to train on; default: sample photographs")
    add(
        "--held-out",
        type=Path,
        metavar="FOLDER",
        help="to score on, and the first to upscale; default: sample photographs",
    )
    add("--rounds", type=int, metavar="N", help=f"of all but bf16; default: {USUAL.rounds}")
    add("--iterations", type=int, metavar="N", help=f"of bf16; default: {USUAL.iterations}")
    add("--seeds", type=int, metavar="N", help=f"runs of bf16; default: {USUAL.seeds}")
    add("--weights", type=Path, metavar="FILE", help="the network to upscale with; default: random")
    add("--full", action="store_true", help="the paper's network too; on a GPU it always is")
    add("--quick", action="store_true", help="as little as shows that everything works")
    add("--output", type=Path, metavar="FILE.json", help="write the tables there too")
    arguments = parser.parse_args()
    for name, subjects in CONCERNS.items():
        given = getattr(arguments, name) not in (None, False)
        if given and not set(subjects) & set(arguments.only):
            option = f"--{name.replace('_', '-')}"
            parser.error(f"{option} has no effect without --only {' or '.join(subjects)}")
    return arguments


def benchmark(arguments: argparse.Namespace) -> None:
    if arguments.output and arguments.output.exists():
        raise ValueError(f"{arguments.output} exists and is not overwritten: choose another name")
    sizes = chosen_sizes(arguments)
    machine = describe_machine()
    print("\n".join(f"- {name}: {value}" for name, value in machine.items()))
    tables = []
    with TemporaryDirectory(prefix="esrgan-benchmark-") as folder:
        for table in measure(arguments, sizes, Path(folder)):
            print(f"\n{table.as_markdown()}", flush=True)
            tables.append(table._asdict())
    if arguments.output:
        write(arguments.output, {"machine": machine, "tables": tables})


def chosen_sizes(arguments: argparse.Namespace) -> Sizes:
    names = ("rounds", "iterations", "seeds")
    given = {name: getattr(arguments, name) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    return (QUICK if arguments.quick else USUAL)._replace(**given).checked()


def measure(arguments: argparse.Namespace, sizes: Sizes, folder: Path) -> Iterator[Table]:
    # Imported where they are needed: torch and Lightning take seconds, and most mistakes are found
    # before. The processes that time the steps import this file too.
    if "data" in arguments.only:
        from bench.loading import loading_table

        images = arguments.images or sample_photographs(folder)[0]
        yield loading_table(images, folder / "loading", sizes)
    if {"step", "gan"} & set(arguments.only):
        yield from measure_steps(arguments, sizes)
    if "bf16" in arguments.only:
        from bench.quality import quality_table

        train, held_out = sample_photographs(folder)
        images = (arguments.images or train, arguments.held_out or held_out)
        yield quality_table(*images, folder / "quality", sizes)
    if "upscale" in arguments.only:
        yield from measure_upscaling(arguments, sizes, folder)


def measure_steps(arguments: argparse.Namespace, sizes: Sizes) -> Iterator[Table]:
    import torch
    from bench.gan_step import gan_table
    from bench.psnr_step import psnr_table

    full = arguments.full or (torch.cuda.is_available() and not arguments.quick)
    subjects = {"step": (psnr_table, sizes.step), "gan": (gan_table, sizes.gan)}
    for subject, (table, step) in subjects.items():
        if subject in arguments.only:
            yield table(step, rounds=sizes.rounds)
            if full:
                yield table(PAPER_STEP, rounds=sizes.rounds)


def measure_upscaling(arguments: argparse.Namespace, sizes: Sizes, folder: Path) -> Iterator[Table]:
    import torch
    from bench.upscaling import upscaling_table

    images = arguments.held_out or sample_photographs(folder)[1]
    full = arguments.full or (torch.cuda.is_available() and not arguments.quick)
    networks = (
        [sizes.upscaling, PAPER_UPSCALING] if full and not arguments.weights else [sizes.upscaling]
    )
    for upscaling in networks:
        yield upscaling_table(
            upscaling,
            images,
            folder / f"upscaling_{upscaling.num_blocks}",
            rounds=sizes.rounds,
            weights=arguments.weights,
        )


def sample_photographs(folder: Path) -> tuple[Path, Path]:
    """Folders of photographs to train on and to score on."""
    photographs = write_sample_photographs(folder / "sample")
    return photographs.train[0].parent, photographs.held_out[0].parent


def write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x") as file:
        json.dump(content, file, indent=2)


if __name__ == "__main__":
    sys.exit(report_errors(lambda: benchmark(parse_arguments())))
