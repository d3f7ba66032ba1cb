"""Mix two trained networks, and see what lies between them (section 3.4 of the ESRGAN paper).

A and B are weights (.pth, .safetensors, a checkpoint) or the folder of a run, which stands for its
newest release or checkpoint. One must have been trained on from the other: A is usually the network
trained for PSNR, and B the adversarial one that began as A. ALPHA is the part of B, from 0 to 1.

Image interpolation, which the pictures compare with, mixes the 8-bit outputs of A and B.

example: interpolate.py experiments/rrdb_psnr experiments/esrgan --alpha 0.8 --output models
"""

import argparse
import sys
from pathlib import Path

import torch
from interpolation.animation import GIF_ALPHAS, encode_gif, write_gif
from interpolation.arguments import CROP_SIZE, STEPS, parse_arguments, weight_files
from interpolation.between import network_output
from interpolation.curve import as_markdown, as_panel, measure
from interpolation.strip import STRIP_ALPHAS, strip_rows
from scoring.benchmarks import Benchmark, open_benchmark
from scoring.methods import load_networks

from esrgan.command_line import report_errors
from esrgan.data import Image, list_images, read_image, write_png
from esrgan.evaluation import SheetRow, comparison_sheet, plot_panels
from esrgan.hardware import choose_device
from esrgan.weights import (
    Generator,
    find_weights,
    interpolate,
    lineage_warning,
    save_release,
)


def main() -> None:
    try:
        interpolate_networks(parse_arguments(__doc__))
    except torch.OutOfMemoryError as error:
        raise ValueError("an image needs more memory than the GPU has: try --device cpu") from error


def interpolate_networks(arguments: argparse.Namespace) -> None:
    parents = [find_weights(word) for word in (arguments.a, arguments.b)]
    device = choose_device(arguments.device)
    a, b = load_networks(dict(zip("AB", parents, strict=True)), device).values()
    warning = lineage_warning(a, b, names="A and B")  # refuses networks of other architecture
    images = read_images(arguments)
    benchmark = open_benchmark(arguments.benchmark, a.scale, None) if arguments.curve else None
    if warning:
        print(f"warning: {warning}", file=sys.stderr)
    # Everything is computed before anything is written: what fails leaves nothing behind.
    rows, gif = draw_images(a, b, images, arguments)
    pictures = {arguments.strip: comparison_sheet(rows)} if rows else {}
    if benchmark:
        pictures[arguments.curve] = draw_curve(a, b, benchmark, arguments.steps or STEPS)
    for path in (*weight_files(arguments), *pictures, *([arguments.gif] if gif else [])):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_weights(a, b, parents, arguments)
    for path, picture in pictures.items():
        write_png(path, picture, overwrite=arguments.overwrite)
    if gif:
        write_gif(arguments.gif, gif)


def read_images(arguments: argparse.Namespace) -> list[tuple[str, Image]]:
    """Names and contents."""
    files: list[Path] = []
    for path in arguments.images or ():
        files += list_images(path) if path.is_dir() else [path]
    if arguments.gif and len(files) != 1:
        raise ValueError(f"--gif shows one image, and --images has {len(files)}: name one")
    return [(file.stem, read_image(file)) for file in files]


def draw_images(
    a: Generator, b: Generator, images: list[tuple[str, Image]], arguments: argparse.Namespace
) -> tuple[list[SheetRow], bytes]:
    """The rows of the strip, and the animation."""
    alphas = {*(STRIP_ALPHAS if arguments.strip else ()), *(GIF_ALPHAS if arguments.gif else ())}
    rows, gif = [], b""
    for name, lq in images:
        print(name, file=sys.stderr)
        outputs = {alpha: network_output(a, b, alpha, lq) for alpha in alphas}
        if arguments.strip:
            rows += strip_rows(name, outputs, crop_size=arguments.crop_size or CROP_SIZE)
        if arguments.gif:
            gif = encode_gif(outputs)
    return rows, gif


def draw_curve(a: Generator, b: Generator, benchmark: Benchmark, steps: int) -> Image:
    """Prints the numbers and returns the picture."""
    points = measure(a, b, benchmark.pairs, steps=steps)
    print(
        f"PSNR-Y in dB on {benchmark.name}, mean of {len(benchmark.pairs)} images without "
        f"{a.scale} pixels at each border; low-resolution images: {benchmark.lq_origin}\n\n"
        f"{as_markdown(points)}"
    )
    return plot_panels([as_panel(points, title=benchmark.name)])


def write_weights(
    a: Generator, b: Generator, parents: list[Path], arguments: argparse.Namespace
) -> None:
    parent_a, parent_b = (parent.name for parent in parents)  # its folder is nobody's business
    for path, alpha in weight_files(arguments).items():
        about = {"alpha": str(alpha), "parent_a": parent_a, "parent_b": parent_b}
        network = interpolate(a, b, alpha)
        save_release(path, network, metadata=about, overwrite=arguments.overwrite)


if __name__ == "__main__":
    sys.exit(report_errors(main))
