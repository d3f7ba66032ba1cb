"""Time, memory and loss of upscaling a photograph: the project's own against a plain pass."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from bench.result import Table
from bench.sizes import RRDB, Sizes
from bench.turns import DEVICE, AfterIteration, Form, compare_in_turns
from esrgan.data import list_images, read_image
from esrgan.evaluation.full_reference import psnr_rgb
from esrgan.hardware import fastest_dtype
from esrgan.inference import Upscaler
from esrgan.networks import RRDBNet
from esrgan.types import Image, Pixels
from esrgan.weights import Generator, load_generator

SHORT_NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
Upscale = Callable[[Image], Pixels]


def upscaling_table(images: Path, sizes: Sizes, *, weights: Path | None) -> Table:
    """Compare the forms with a plain pass, on the middle of the first photograph.

    The network is that of the sizes, with random weights, or that of a file of weights.
    """
    photograph = centre(read_image(list_images(images)[0]), sizes.side)
    build: Callable[[], Generator] = partial(random_network, sizes.upscaling, photograph)
    if weights is not None:
        build = partial(load_generator, weights)
        build()  # raises what is wrong with the file here, not in another process
    repeat = partial(_repeat, photograph, build)
    forms: dict[str, Form] = {"plain pass, fp32": partial(repeat, plain)}
    for dtype in dict.fromkeys((torch.float32, fastest_dtype(DEVICE))):  # none that is emulated
        for words, tile in {"whole": sizes.side, f"tiles of {sizes.tile}": sizes.tile}.items():
            ours = partial(Upscaler, dtype=dtype, tile=tile)
            forms[f"Upscaler, {SHORT_NAMES[dtype]}, {words}"] = partial(repeat, ours)
    height, width = photograph.shape[:2]
    table, results, _ = compare_in_turns(
        f"Upscaling, {weights.name if weights else sizes.upscaling}, {width} × {height} pixels",
        forms,
        "PSNR is between the 8-bit result and that of the plain pass."
        + ("" if weights else " The weights are random."),
        rounds=sizes.rounds,
        iterations=1,
        unit="image",
    )
    for row, sr in zip(table.rows, results, strict=True):
        row["PSNR, dB"] = f"{psnr_rgb(sr, results[0], crop=0):.1f}"
    return table


def _repeat(
    photograph: Image,
    build: Callable[[], Generator],
    prepare: Callable[[Generator], Upscale],
    iterations: int,
    after_iteration: AfterIteration,
) -> Pixels:
    upscale = prepare(build().to(DEVICE))
    for _ in range(iterations):
        sr = upscale(photograph)
        after_iteration()
    return sr


def random_network(sizes: RRDB, photograph: Image) -> RRDBNet:
    """From one seed; its last layer spreads the output over the range of an image, for a PSNR."""
    torch.manual_seed(0)
    network = RRDBNet(**sizes._asdict()).eval()
    last = network.conv_last
    assert last.bias is not None
    with torch.no_grad():
        sr = network(_as_tensor(photograph[:32, :32]))
        factor = 0.2 / sr.std()
        last.weight *= factor
        last.bias.copy_((last.bias - sr.mean()) * factor + 0.5)
    return network


def plain(network: Generator) -> Upscale:
    """What anybody writes first."""

    @torch.no_grad()
    def upscale(photograph: Image) -> Image:
        sr = network(_as_tensor(photograph).to(DEVICE))[0]
        pixels = (sr.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
        return np.asarray(pixels.cpu(), np.uint8)

    return upscale


def _as_tensor(photograph: Image) -> torch.Tensor:
    return torch.from_numpy(photograph).permute(2, 0, 1).unsqueeze(0).float().contiguous() / 255


def centre(image: Image, side: int) -> Image:
    top, left = (max(length - side, 0) // 2 for length in image.shape[:2])
    return np.ascontiguousarray(image[top : top + side, left : left + side])
