"""What the command is asked for, and what can be refused by looking at that alone."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from esrgan.upscaling.outputs import Existing

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
FORMATS = ("png", "jpg", "webp")

DESCRIPTION = """Enlarge pictures by a trained network.

WEIGHTS is a file (.pth, .safetensors, a checkpoint) or the folder of a run, which stands for its
newest release or checkpoint. IMAGES are files, folders with all their subfolders, or patterns.
PNG, JPEG, WebP, BMP and TIFF are read; 16 bits, grey, transparency and colour profiles are kept.

example: upscale.py experiments/esrgan photos --output results
"""


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """`existing` is of type `Existing`.

    Raises:
        ValueError: values out of range, or options that have no effect.
    """
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("weights", metavar="WEIGHTS")
    add("images", nargs="+", metavar="IMAGES")
    add("--output", type=Path, required=True, metavar="FOLDER", help="of the results")
    _add_files(parser)
    add("--with", dest="other", metavar="WEIGHTS", help="interpolate with these, see --alpha")
    add("--alpha", type=float, help="part of --with in the network, from 0 to 1")
    add("--outscale", type=float, metavar="FACTOR", help="of the results: resized by Lanczos")
    add("--self-ensemble", action="store_true", help="mean over 8 flips and turns: 8 times slower")
    add("--tile", type=int, metavar="N", help="side in pixels; default: as memory allows")
    add("--precision", choices=PRECISIONS, default="auto", help="default: the device's fastest")
    add("--device", help="cpu, cuda, cuda:1, ...; default: cuda where there is one, else cpu")
    arguments = parser.parse_args(argv)
    _refuse(arguments)
    return arguments


def _add_files(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--format", choices=FORMATS, default="png", help="of the results; default: png")
    add(
        "--quality",
        type=int,
        metavar="N",
        help="1 to 100, of jpg (default: 95) and of webp (default: lossless)",
    )
    add("--suffix", default="", metavar="TEXT", help="after the names: with _x4, a.jpg is a_x4.png")
    choice = parser.add_mutually_exclusive_group()
    for existing, text in (
        (Existing.SKIP, "leave results that are there, as to continue after an interruption"),
        (Existing.OVERWRITE, "write over earlier results"),
    ):
        name = {Existing.SKIP: "--skip-existing", Existing.OVERWRITE: "--overwrite"}[existing]
        choice.add_argument(name, dest="existing", action="store_const", const=existing, help=text)
    parser.set_defaults(existing=Existing.REFUSE)


def _refuse(arguments: argparse.Namespace) -> None:
    alpha, factor, quality = arguments.alpha, arguments.outscale, arguments.quality
    if (alpha is None) != (arguments.other is None):
        raise ValueError("--alpha and --with belong together: give both, or neither")
    if alpha is not None and not 0 <= alpha <= 1:
        raise ValueError(f"--alpha ({alpha:g}) must be from 0 (WEIGHTS) to 1 (--with)")
    if factor is not None and not (factor > 0 and math.isfinite(factor)):
        raise ValueError(f"--outscale ({factor:g}) must be a number above 0")
    if quality is not None and arguments.format == "png":
        raise ValueError("--quality has no effect on png: choose --format jpg or webp")
    if quality is not None and not 1 <= quality <= 100:
        raise ValueError(f"--quality ({quality}) must be from 1 to 100")
    if arguments.tile is not None and arguments.tile < 1:
        raise ValueError(f"--tile ({arguments.tile}) must be at least 1")
    if "/" in arguments.suffix or "\\" in arguments.suffix:
        raise ValueError(f"--suffix ({arguments.suffix}) must be without slashes")
