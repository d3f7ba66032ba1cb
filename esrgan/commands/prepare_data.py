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

_NO_LQ_HELP = (
    "store the high-res. images alone, for trainings that degrade them themselves (data=blind)"
)
_MULTI_SCALE_HELP = (
    "store each image also at 3/4, 1/2 and 1/3 of its size and with a shorter side of 400, reduced"
    " by Pillow's Lanczos, as Real-ESRGAN does"
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
    add("--scale", type=int, metavar="N", help="default: 4")
    lq_help = "low-res. images, if ready-made"
    add("--lq", nargs="+", type=Path, default=[], metavar="FOLDER", help=lq_help)
    add("--no-lq", action="store_true", help=_NO_LQ_HELP)
    add("--convention", choices=CONVENTIONS, help=_CONVENTION_HELP)
    add("--subimages", type=int, metavar="SIZE", help="cut the images into squares, such as 480")
    add("--step", type=int, metavar="N", help="from square to square; default: half of SIZE")
    add("--multi-scale", action="store_true", help=_MULTI_SCALE_HELP)
    small_help = "leave out images with a side under SIZE, and name them"
    add("--skip-small", type=int, metavar="SIZE", help=small_help)
    add("--codec", choices=CODECS, default="raw", help="of stored images; default: %(default)s")
    cores = os.cpu_count() or 1
    add("--processes", type=int, default=cores, metavar="N", help="default: all cores")
    add("--skip-bad", action="store_true", help="leave out images that cannot be used")
    given = parser.parse_args(argv)
    if contradiction := _contradiction(given):
        parser.error(contradiction)
    return Arguments(
        gt=tuple(given.gt),
        lq=tuple(given.lq),
        output=given.output,
        recipe=_recipe(given),
        processes=given.processes,
        skip_bad=given.skip_bad,
    )


def _contradiction(given: argparse.Namespace) -> str | None:
    """An option that has no effect beside another, in words."""
    if given.step is not None and given.subimages is None:
        return "--step has no effect without --subimages"
    if given.convention and given.lq:
        return "--convention has no effect on ready-made images (--lq)"
    if given.multi_scale and given.lq:
        return "--multi-scale has no effect on ready-made images (--lq)"
    made = {"--lq": given.lq, "--convention": given.convention, "--scale": given.scale}
    useless = [option for option, value in made.items() if value]
    return f"{useless[0]} has no effect with --no-lq" if given.no_lq and useless else None


def _recipe(given: argparse.Namespace) -> Recipe:
    subimages = None
    if given.subimages is not None:
        step = given.subimages // 2 if given.step is None else given.step
        subimages = SubImages(given.subimages, step)
    makes_lq = not (given.lq or given.no_lq)
    scale = 4 if given.scale is None else given.scale
    return Recipe(
        scale=1 if given.no_lq else scale,
        codec=CODECS[given.codec],
        downscale=CONVENTIONS[given.convention or "double"] if makes_lq else None,
        subimages=subimages,
        gt_only=given.no_lq,
        multi_scale=given.multi_scale,
        skip_small=given.skip_small,
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
    for name in built.too_small:
        sys.stderr.write(f"left out: {name} is smaller than {arguments.recipe.skip_small}\n")
    if built.too_small:
        sys.stderr.write(f"left out: {len(built.too_small)} images as too small\n")
    what = "images" if arguments.recipe.gt_only else "pairs"
    sys.stdout.write(f"{arguments.output}: {built.num_records} {what}\n")


def _show(bar: "tqdm[Never]", done: int, total: int) -> None:
    if bar.total is None:  # what an earlier run has done says nothing about the speed
        bar.total, bar.initial, bar.n = total, done - 1, done - 1
    bar.update(done - bar.n)
