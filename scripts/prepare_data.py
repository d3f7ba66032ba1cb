"""Builds a data set for training from folders of images.

Whatever interrupts it, the same command continues where it was.
"""

import argparse
import os
import sys
from pathlib import Path

from tqdm import tqdm

from esrgan.command_line import report_errors
from esrgan.data import CODECS, Built, Recipe, SubImages, build_dataset
from esrgan.degradations import CONVENTIONS

CONVENTION_HELP = (
    "of MATLAB's bicubic, which makes the low-res. images: double (default), as for the files of"
    " ESRGAN and BasicSR, whose recipe this is; uint8, as for those of EDSR and RCAN"
)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("gt", nargs="+", type=Path, metavar="GT_FOLDER", help="high-res. images")
    add("--output", required=True, type=Path, metavar="FOLDER", help="to make: data/NAME")
    add("--scale", type=int, default=4, metavar="N", help="default: %(default)s")
    add(
        "--lq",
        nargs="+",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="low-res. images, if ready-made",
    )
    add("--convention", choices=CONVENTIONS, help=CONVENTION_HELP)
    add("--subimages", type=int, metavar="SIZE", help="cut the images into squares, such as 480")
    add("--step", type=int, metavar="N", help="from square to square; default: half of SIZE")
    add("--codec", choices=CODECS, default="raw", help="of stored images; default: %(default)s")
    add(
        "--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="default: all cores"
    )
    add("--skip-bad", action="store_true", help="leave out images that cannot be used")
    arguments = parser.parse_args()
    if arguments.step is not None and arguments.subimages is None:
        parser.error("--step has no effect without --subimages")
    if arguments.convention and arguments.lq:
        parser.error("--convention has no effect on ready-made images (--lq)")
    return arguments


def build(arguments: argparse.Namespace) -> Built:
    size, step = arguments.subimages, arguments.step
    recipe = Recipe(
        scale=arguments.scale,
        codec=CODECS[arguments.codec],
        downscale=None if arguments.lq else CONVENTIONS[arguments.convention or "double"],
        subimages=None if size is None else SubImages(size, size // 2 if step is None else step),
    )
    with tqdm(unit=" images", delay=0.2) as bar:

        def show(done: int, total: int) -> None:
            if bar.total is None:  # what an earlier run has done says nothing about the speed
                bar.total, bar.initial, bar.n = total, done - 1, done - 1
            bar.update(done - bar.n)

        return build_dataset(
            arguments.output,
            recipe,
            gt_folders=arguments.gt,
            lq_folders=arguments.lq,
            processes=arguments.processes,
            skip_bad=arguments.skip_bad,
            progress=show,
        )


def main() -> None:
    arguments = parse_arguments()
    try:
        built = build(arguments)
    except KeyboardInterrupt:
        print("the same command continues where it was", file=sys.stderr)
        raise
    for bad in built.left_out:
        print(f"left out: {bad}", file=sys.stderr)
    print(f"{arguments.output}: {built.num_records} pairs")


if __name__ == "__main__":
    sys.exit(report_errors(main))
