"""Builds a data set for training from folders of images.

Whatever interrupts it, the same command continues where it was.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Never

from tqdm import tqdm

from esrgan.data import CODECS, Recipe, SubImages, build_dataset
from esrgan.degradations import CONVENTIONS
from esrgan.errors import report_errors

_CONVENTION_HELP = (
    "of MATLAB's bicubic, which makes the low-res. images: double (default), as for the files of"
    " ESRGAN and BasicSR, whose recipe this is; uint8, as for those of EDSR and RCAN"
)


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What was asked for."""

    gt: tuple[Path, ...]
    lq: tuple[Path, ...]
    output: Path
    recipe: Recipe
    processes: int
    skip_bad: bool


def main(argv: Sequence[str] | None = None) -> int:
    return report_errors(lambda: _run(parse_arguments(argv)))


def parse_arguments(argv: Sequence[str] | None) -> Arguments:
    """The arguments; a ValueError where `Recipe` refuses the scale."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("gt", nargs="+", type=Path, metavar="GT_FOLDER", help="high-res. images")
    add("--output", required=True, type=Path, metavar="FOLDER", help="to make: data/NAME")
    add("--scale", type=int, default=4, metavar="N", help="default: %(default)s")
    lq_help = "low-res. images, if ready-made"
    add("--lq", nargs="+", type=Path, default=[], metavar="FOLDER", help=lq_help)
    add("--convention", choices=CONVENTIONS, help=_CONVENTION_HELP)
    add("--subimages", type=int, metavar="SIZE", help="cut the images into squares, such as 480")
    add("--step", type=int, metavar="N", help="from square to square; default: half of SIZE")
    add("--codec", choices=CODECS, default="raw", help="of stored images; default: %(default)s")
    cores = os.cpu_count() or 1
    add("--processes", type=int, default=cores, metavar="N", help="default: all cores")
    add("--skip-bad", action="store_true", help="leave out images that cannot be used")
    given = parser.parse_args(argv)
    if given.step is not None and given.subimages is None:
        parser.error("--step has no effect without --subimages")
    if given.convention and given.lq:
        parser.error("--convention has no effect on ready-made images (--lq)")
    subimages = None
    if given.subimages is not None:
        step = given.subimages // 2 if given.step is None else given.step
        subimages = SubImages(given.subimages, step)
    downscale = None if given.lq else CONVENTIONS[given.convention or "double"]
    return Arguments(
        gt=tuple(given.gt),
        lq=tuple(given.lq),
        output=given.output,
        recipe=Recipe(given.scale, CODECS[given.codec], downscale, subimages),
        processes=given.processes,
        skip_bad=given.skip_bad,
    )


def _run(arguments: Arguments) -> None:
    try:
        with tqdm(unit=" images", delay=0.2) as bar:
            built = build_dataset(
                arguments.output,
                arguments.recipe,
                gt_folders=arguments.gt,
                lq_folders=arguments.lq,
                processes=arguments.processes,
                skip_bad=arguments.skip_bad,
                progress=partial(_show, bar),
            )
    except KeyboardInterrupt:
        sys.stderr.write("the same command continues where it was\n")
        raise
    for bad in built.left_out:
        sys.stderr.write(f"left out: {bad}\n")
    sys.stdout.write(f"{arguments.output}: {built.num_records} pairs\n")


def _show(bar: "tqdm[Never]", done: int, total: int) -> None:
    if bar.total is None:  # what an earlier run has done says nothing about the speed
        bar.total, bar.initial, bar.n = total, done - 1, done - 1
    bar.update(done - bar.n)
