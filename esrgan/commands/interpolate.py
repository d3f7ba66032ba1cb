"""Mix two trained networks, and see what lies between them (section 3.4 of the ESRGAN paper).

A and B are weights (.pth, .safetensors, a checkpoint) or the folder of a run, which stands for its
newest release or checkpoint. One must have been trained on from the other: A is usually the network
trained for PSNR, and B the adversarial one that began as A. ALPHA is the part of B, from 0 to 1.

Image interpolation, which the pictures compare with, mixes the 8-bit outputs of A and B.

example: interpolate.py experiments/rrdb_psnr experiments/esrgan --alpha 0.8 --output models
"""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from esrgan.commands import DEVICE_HELP
from esrgan.commands.inputs import open_benchmarks
from esrgan.data import list_images, read_image, write_png
from esrgan.errors import refuse_alone, refuse_below_one, report_errors
from esrgan.evaluation import border_of
from esrgan.evaluation.benchmarks import Benchmark
from esrgan.files import check_target, write_whole
from esrgan.reports.interpolation_pictures import (
    GIF_ALPHAS,
    STRIP_ALPHAS,
    Output,
    curve_table,
    encode_gif,
    measure_curves,
    strip_rows,
)
from esrgan.reports.plot import Panel, plot_panels
from esrgan.reports.sheet import CROP_SIZE, comparison_sheet
from esrgan.runs import RunFolder, find_weights
from esrgan.types import Image

_STEPS = 10
_NEEDS = {"strip": ("images",), "gif": ("images",), "curve": ("benchmark",)}
_HAS_NO_EFFECT_WITHOUT = {
    "output": ("alpha",),
    "images": ("strip", "gif"),
    "crop_size": ("strip",),
    "benchmark": ("curve",),
    "steps": ("curve",),
}


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command is asked for; None and False: not given."""

    a: str
    b: str
    alpha: Sequence[float] | None
    output: Path | None
    images: Sequence[Path] | None
    strip: Path | None
    crop_size: int | None
    gif: Path | None
    curve: Path | None
    benchmark: str | None
    steps: int | None
    device: str | None
    overwrite: bool

    @property
    def weights(self) -> dict[Path, float]:
        """The files of weights and their alpha, named as by the authors' script: 08 for 0.8."""
        names = {f"{Decimal(str(abs(alpha))):f}": alpha for alpha in self.alpha or ()}
        folder = self.output or Path()
        return {folder / f"interp_{n.replace('.', '')}.pth": alpha for n, alpha in names.items()}


def main(argv: Sequence[str] | None = None) -> int:
    return report_errors(lambda: _interpolate(parse_arguments(argv)))


def parse_arguments(argv: Sequence[str] | None) -> Arguments:
    """With all refused that can be before the work begins."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
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
    add("--steps", type=int, metavar="N", help=f"of the curve; default: {_STEPS}")
    add("--device", help=DEVICE_HELP)
    add("--overwrite", action="store_true", help="write over earlier files")
    arguments = Arguments(**vars(parser.parse_args(argv)))
    _refuse_options(arguments)
    _refuse_targets(arguments)
    return arguments


def _refuse_options(arguments: Arguments) -> None:
    if not (arguments.alpha or arguments.strip or arguments.gif or arguments.curve):
        raise ValueError("there is nothing to do: give --alpha, --strip, --gif or --curve")
    refuse_alone(arguments, _NEEDS, rule="needs")
    refuse_alone(arguments, _HAS_NO_EFFECT_WITHOUT)
    if arguments.curve:
        plot_panels([Panel("", "", "", {})])  # says so where matplotlib is missing
    for alpha in arguments.alpha or ():
        if not 0 <= alpha <= 1:
            raise ValueError(f"--alpha ({alpha:g}) must be from 0 (A) to 1 (B)")
    refuse_below_one({"crop-size": arguments.crop_size, "steps": arguments.steps})


def _refuse_targets(arguments: Arguments) -> None:
    folder = arguments.output or Path()
    if arguments.alpha and RunFolder(folder).checkpoints.is_dir():
        raise ValueError(
            f"{folder.resolve()} is the folder of a run, which would then stand for the newest "
            "mixture in it: choose another --output"
        )
    if arguments.strip and arguments.strip == arguments.curve:
        raise ValueError("--strip and --curve are one file: give them different names")
    targets = {arguments.strip: ".png", arguments.gif: ".gif", arguments.curve: ".png"}
    targets.update(dict.fromkeys(arguments.weights, ".pth"))
    for path, suffix in targets.items():
        if path:
            check_target(path, overwrite=arguments.overwrite, suffixes=(suffix,))


def _interpolate(arguments: Arguments) -> None:
    # Here because torch takes seconds, and a mistake in the arguments is to be told at once
    from esrgan.hardware import choose_device, naming_memory
    from esrgan.inference import upscale
    from esrgan.weights import (
        interpolate,
        lineage_warning,
        load_generator,
        note_for_others,
        save_release,
        scale_of,
    )

    parents = {"A": find_weights(arguments.a), "B": find_weights(arguments.b)}
    device = choose_device(arguments.device)
    a, b = (load_generator(file).to(device) for file in parents.values())
    warning = lineage_warning(a, b, names="A and B")  # refuses networks of other architecture
    images = _read_images(arguments)
    words = [arguments.benchmark] if arguments.benchmark else []
    benchmarks = open_benchmarks(words, scale=scale_of(a))
    if warning:
        sys.stderr.write(f"warning: {warning}\n")

    def output(alpha: float, lq: Image) -> Image:
        with naming_memory():
            return upscale(interpolate(a, b, alpha), lq)

    # Everything is computed before anything is written: what fails leaves nothing behind.
    pictures, gif = _draw(output, images, benchmarks, arguments)
    for path in filter(None, (*arguments.weights, *pictures, arguments.gif)):
        path.parent.mkdir(parents=True, exist_ok=True)
    # Of the parents only the names: their folder is nobody's business
    origin = {f"parent_{name.lower()}": parent.name for name, parent in parents.items()}
    overwrite = arguments.overwrite
    for path, alpha in arguments.weights.items():
        about = {"alpha": str(alpha), **origin}
        save_release(path, interpolate(a, b, alpha), metadata=about, overwrite=overwrite)
        if said := note_for_others(a, name=path.name):
            sys.stderr.write(f"note: {said}\n")
    for path, picture in pictures.items():
        write_png(path, picture, overwrite=overwrite)
    if arguments.gif:
        write_whole(arguments.gif, gif, overwrite=overwrite)


def _read_images(arguments: Arguments) -> list[tuple[str, Image]]:
    """Names and contents."""
    files: list[Path] = []
    for path in arguments.images or ():
        files += list_images(path) if path.is_dir() else [path]
    if arguments.gif and len(files) != 1:
        raise ValueError(f"--gif shows one image, and --images has {len(files)}: name one")
    return [(file.stem, read_image(file)) for file in files]


def _draw(
    output: Output,
    images: Sequence[tuple[str, Image]],
    benchmarks: Sequence[Benchmark],
    arguments: Arguments,
) -> tuple[dict[Path, Image], bytes]:
    """The pictures by their files, and the animation; the numbers of the curve are printed."""
    alphas = {*(STRIP_ALPHAS if arguments.strip else ()), *(GIF_ALPHAS if arguments.gif else ())}
    pictures, rows, gif = {}, [], b""
    for name, lq in images:
        sys.stderr.write(f"{name}\n")
        outputs = {alpha: output(alpha, lq) for alpha in alphas}  # each network sees an image once
        if arguments.strip:
            rows += strip_rows(name, outputs, crop_size=arguments.crop_size or CROP_SIZE)
        if arguments.gif:
            gif = encode_gif(outputs)
    if arguments.strip and rows:
        pictures[arguments.strip] = comparison_sheet(rows)
    if arguments.curve:
        (benchmark,) = benchmarks
        pairs, crop = benchmark.pairs, border_of(benchmark.pairs.scale)
        curves = measure_curves(output, pairs, steps=arguments.steps or _STEPS, crop=crop)
        border = f" without {crop} pixels at each border" if crop else ""
        sys.stdout.write(
            f"PSNR-Y in dB on {benchmark.name}, mean of {len(pairs)} images{border}; "
            f"low-resolution images: {benchmark.lq_origin}\n\n"
            f"{curve_table(curves)}\n"
        )
        panel = Panel(benchmark.name, "alpha", "PSNR-Y in dB", curves)
        pictures[arguments.curve] = plot_panels([panel])
    return pictures, gif
