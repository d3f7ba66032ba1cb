"""What the command is asked for, and all that can be refused before it begins."""

import argparse
from decimal import Decimal
from pathlib import Path

from esrgan.evaluation import Panel, plot_panels

NEEDS = {"strip": "images", "gif": "images", "curve": "benchmark"}
CONCERNS = {
    "output": ("alpha",),
    "images": ("strip", "gif"),
    "crop_size": ("strip",),
    "benchmark": ("curve",),
    "steps": ("curve",),
}
PICTURES = {"strip": ".png", "gif": ".gif", "curve": ".png"}
CROP_SIZE = 96
STEPS = 10


def parse_arguments(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("a", metavar="A")
    add("b", metavar="B")
    add("--alpha", type=float, nargs="+", help="write weights, as interp_08.pth for 0.8")
    add("--output", type=Path, metavar="FOLDER", help="of the weights; default: the current one")
    add("--images", type=Path, nargs="+", metavar="IMAGE", help="low-resolution images or folders")
    add("--strip", type=Path, metavar="FILE.png", help="crops of both interpolations side by side")
    add("--crop-size", type=int, metavar="N", help=f"of the strip, in pixels; default: {CROP_SIZE}")
    add("--gif", type=Path, metavar="FILE.gif", help="one image from A to B; in 256 colours only")
    add("--curve", type=Path, metavar="FILE.png", help="PSNR-Y of both interpolations")
    add("--benchmark", help="of the curve: as for evaluate.py")
    add("--steps", type=int, metavar="N", help=f"of the curve; default: {STEPS}")
    add("--device", help="cpu, cuda, cuda:1, ...; default: cuda where there is one, else cpu")
    add("--overwrite", action="store_true", help="write over earlier files")
    arguments = parser.parse_args()
    _refuse_options(arguments)
    _refuse_numbers(arguments)
    _refuse_targets(arguments)
    return arguments


def weight_files(arguments: argparse.Namespace) -> dict[Path, float]:
    """The files to be written and their alpha. The names are those of the authors' script."""
    folder = arguments.output or Path()
    return {folder / f"interp_{_digits(alpha)}.pth": alpha for alpha in arguments.alpha or ()}


def _digits(alpha: float) -> str:
    """Without the point: 08 for 0.8, 025 for 0.25, 10 for 1."""
    return f"{Decimal(str(abs(alpha))):f}".replace(".", "")


def _refuse_options(arguments: argparse.Namespace) -> None:
    given = {name for name, value in vars(arguments).items() if value not in (None, False)}
    if not given & {"alpha", *PICTURES}:
        raise ValueError("there is nothing to do: give --alpha, --strip, --gif or --curve")
    for name, needed in NEEDS.items():
        if name in given and needed not in given:
            raise ValueError(f"--{name} needs --{needed}")
    for name, concerned in CONCERNS.items():
        if name in given and not given & set(concerned):
            choices = " or ".join(f"--{other}" for other in concerned)
            raise ValueError(f"--{name.replace('_', '-')} has no effect without {choices}")
    if arguments.curve:
        plot_panels([Panel("", "", "", {})])  # says so where matplotlib is missing


def _refuse_numbers(arguments: argparse.Namespace) -> None:
    for alpha in arguments.alpha or ():
        if not 0 <= alpha <= 1:
            raise ValueError(f"--alpha ({alpha:g}) must be from 0 (A) to 1 (B)")
    for option, value in (("crop-size", arguments.crop_size), ("steps", arguments.steps)):
        if value is not None and value < 1:
            raise ValueError(f"--{option} ({value}) must be at least 1")


def _refuse_targets(arguments: argparse.Namespace) -> None:
    folder = arguments.output or Path()
    if arguments.alpha and (folder / "checkpoints").is_dir():
        raise ValueError(
            f"{folder.resolve()} is the folder of a run, which would then stand for the newest "
            "mixture in it: choose another --output"
        )
    paths = list(weight_files(arguments))
    for name, suffix in PICTURES.items():
        path = getattr(arguments, name)
        if path and path.suffix != suffix:
            raise ValueError(f"--{name} {path} must end in {suffix}")
        paths += [path] if path else []
    if len(set(paths)) < len(paths):
        raise ValueError("--strip and --curve are one file: give them different names")
    for path in paths:
        if path.is_dir() or (path.exists() and not arguments.overwrite):
            raise ValueError(f"{path} exists: choose another name, or give --overwrite")
        existing = next(parent for parent in path.parents if parent.exists())
        if not existing.is_dir():
            raise ValueError(f"{path} cannot be written: {existing} is not a folder")
