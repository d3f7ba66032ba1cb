"""What the command is asked for, and all that can be refused before it begins."""

import argparse
from pathlib import Path

from esrgan.degradations import CONVENTIONS
from scoring.metrics import NAMES, STANDARD, parse_names

REPORTS = ("scores.json", "scores.md")
NIQE_MODEL = Path("data/niqe/niqe_pris_params.npz")
SHEET_IMAGES = 5
CROP_SIZE = 96
CAPTIONS = ["PSNR-Y", "SSIM-Y"]  # of the default metrics
NEEDS = {"sheet_images": "sheet", "crop_at": "sheet", "crop_size": "sheet", "page_images": "page"}
SUFFIXES = {"sheet": ".png", "page": ".html"}


def parse_arguments(description: str | None) -> argparse.Namespace:
    """With `metrics` as checked names, and `captions`, those below the crops of the sheet.

    Raises:
        ValueError: they cannot be used together, or would write over something.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _add_protocol(parser)
    _add_outputs(parser)
    arguments = parser.parse_args()
    asked = arguments.metrics
    arguments.metrics = parse_names(asked or STANDARD)
    arguments.captions = arguments.metrics if asked else CAPTIONS
    _refuse_options(arguments)
    _refuse_files(arguments)
    _refuse_to_overwrite(arguments)
    return arguments


def _add_protocol(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("methods", nargs="+", metavar="METHOD")
    add("--benchmark", nargs="+", required=True, metavar="BENCHMARK")
    add(
        "--metrics",
        nargs="+",
        metavar="NAME",
        help=f"of {', '.join(NAMES)}; default: {', '.join(STANDARD)}",
    )
    add("--scale", type=int, help="of bicubic and of folders; default: that of the weights, else 4")
    add("--crop", type=int, help="pixels left out on each side; default: the scale")
    add(
        "--convention",
        choices=sorted(CONVENTIONS),
        help="MATLAB's bicubic on uint8 images (EDSR, RCAN) or after im2double (ESRGAN, BasicSR); "
        "default: the one that made the low-resolution files, else double",
    )
    add("--device", help="cpu, cuda, cuda:1, ...; default: cuda where there is one, else cpu")
    add("--niqe-model", type=Path, metavar="FILE", help=f"default: {NIQE_MODEL}")
    add(
        "--ma-scores",
        type=Path,
        metavar="FILE",
        help="for MA and PI: CSV with the columns image, method, score (and benchmark, where names "
        "recur), or JSON, a list of such objects; method GT is the ground truth. The authors' "
        "MATLAB code makes the scores, of files that --save-images writes",
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what is written").add_argument
    add("--per-image", action="store_true", help="print the values of each image, too")
    add("--output", type=Path, metavar="FOLDER", help=f"write {' and '.join(REPORTS)} there")
    add("--save-images", type=Path, metavar="FOLDER", help="as FOLDER/BENCHMARK/METHOD/IMAGE.png")
    add("--sheet", type=Path, metavar="FILE.png", help="crops of all methods side by side")
    add(
        "--sheet-images",
        nargs="+",
        metavar="IMAGE",
        help=f"cropped where the methods differ most; default: the first {SHEET_IMAGES} of each "
        "benchmark, unless --crop-at names others",
    )
    add("--crop-at", nargs="+", metavar="IMAGE:TOP,LEFT[,SIZE]", help="crops for the sheet")
    add("--crop-size", type=int, metavar="N", help=f"in pixels; default: {CROP_SIZE}")
    add("--page", type=Path, metavar="FILE.html", help="images under a slider, for a browser")
    add("--page-images", type=int, metavar="N", help="the first of each benchmark; default: all")
    add("--overwrite", action="store_true", help="write over the files of an earlier evaluation")


def _refuse_options(arguments: argparse.Namespace) -> None:
    for name, needed in NEEDS.items():
        if getattr(arguments, name) is not None and getattr(arguments, needed) is None:
            raise ValueError(f"--{name.replace('_', '-')} has no effect without --{needed}")
    for name in ("crop_size", "page_images"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} ({value}) must be at least 1")
    for name, suffix in SUFFIXES.items():
        path = getattr(arguments, name)
        if path and path.suffix != suffix:
            raise ValueError(f"--{name} {path} must end in {suffix}")


def _refuse_files(arguments: argparse.Namespace) -> None:
    """Of metrics that are not asked for, and the lack of one that is."""
    by_ma = {"MA", "PI"} & set(arguments.metrics)
    if by_ma and arguments.ma_scores is None:
        raise ValueError(f"--metrics {' '.join(sorted(by_ma))} needs --ma-scores FILE")
    if arguments.ma_scores and not by_ma:
        raise ValueError("--ma-scores has no effect without MA or PI among --metrics")
    if arguments.niqe_model and not {"NIQE", "PI"} & set(arguments.metrics):
        raise ValueError("--niqe-model has no effect without NIQE or PI among --metrics")


def _refuse_to_overwrite(arguments: argparse.Namespace) -> None:
    reports = [arguments.output / name for name in REPORTS] if arguments.output else []
    for path in (*reports, arguments.sheet, arguments.page):
        if path and (path.is_dir() or (path.exists() and not arguments.overwrite)):
            raise ValueError(f"{path} exists: choose another name, or give --overwrite")
    folder = arguments.save_images
    if folder and folder.exists() and not arguments.overwrite:
        raise ValueError(f"{folder} exists: choose another name, or give --overwrite")
    for path in (*reports, arguments.sheet, arguments.page, folder and folder / "image"):
        existing = path and next(parent for parent in path.parents if parent.exists())
        if existing and not existing.is_dir():
            raise ValueError(f"{path} cannot be written: {existing} is not a folder")
