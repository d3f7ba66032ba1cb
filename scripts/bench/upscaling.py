"""Time, memory and loss of upscaling a photograph: the project's own against a plain pass."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch

from bench.sizes import Upscaling
from bench.table import Cell, Table
from bench.turns import AfterIteration, Form, Timing, time_in_turns
from esrgan.data import Image, list_images, read_image
from esrgan.hardware import fastest_dtype
from esrgan.inference import Upscaler
from esrgan.networks import RRDBNet
from esrgan.weights import Generator, load_generator

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
MIB = 1 << 20
SHORT_NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
PLAIN = "plain pass, fp32"

Build = Callable[[], Generator]
"""Makes the network, on the CPU; it can be pickled."""
Run = Callable[[Generator, Image], Callable[[], Image]]
"""Prepares the upscaling of an image; it can be pickled."""


def upscaling_table(
    upscaling: Upscaling, images: Path, folder: Path, *, rounds: int, weights: Path | None
) -> Table:
    """Compare the forms with a plain pass; each is timed `rounds` times.

    Args:
        upscaling: the network, unless there are weights, and the sizes of image and tiles.
        images: the first of these photographs is upscaled.
        folder: to be made; what comes out is kept there.
        rounds: after one to warm up.
        weights: a file with another network.

    Raises:
        ValueError: the file of the weights cannot be loaded, or there are no photographs.
    """
    photograph = centre(read_image(list_images(images)[0]), upscaling.side)
    build: Build = partial(random_network, upscaling, photograph)
    if weights is not None:
        build = partial(load_generator, weights)
        build()  # raises what is wrong with the file here, not in another process
    forms: dict[str, Form] = {}
    folder.mkdir(parents=True)
    for number, (name, run) in enumerate(runs(upscaling).items()):
        forms[name] = partial(upscale_often, build, run, photograph, folder / f"{number}.npy")
    timings = time_in_turns(forms, rounds=rounds, iterations=1)
    results = [np.load(folder / f"{number}.npy") for number in range(len(forms))]
    rows = [
        _row(name, timing, timings[PLAIN], psnr(result, results[0]))
        for (name, timing), result in zip(timings.items(), results, strict=True)
    ]
    height, width = photograph.shape[:2]
    return Table(
        f"Upscaling, {weights.name if weights else upscaling}, {width} × {height} pixels",
        f"The best of {rounds} rounds in turns, with the median to judge the noise by. PSNR is "
        f"between the 8-bit result and that of the plain pass. Memory is "
        f"{'that of the GPU' if DEVICE.type == 'cuda' else 'what the process needs at most'}, "
        f"without the libraries. {'' if weights else 'The weights are random.'}".rstrip(),
        rows,
    )


def runs(upscaling: Upscaling) -> dict[str, Run]:
    """The forms by their names; half precision is left out where the device would emulate it."""
    forms: dict[str, Run] = {PLAIN: plain}
    for dtype in dict.fromkeys((torch.float32, fastest_dtype(DEVICE))):
        for words, tile in (
            ("whole", upscaling.side),
            (f"tiles of {upscaling.tile}", upscaling.tile),
        ):
            forms[f"Upscaler, {SHORT_NAMES[dtype]}, {words}"] = partial(
                ours, dtype=dtype, tile=tile
            )
    return forms


def upscale_often(
    build: Build,
    run: Run,
    photograph: Image,
    result: Path,
    iterations: int,
    after_iteration: AfterIteration,
) -> None:
    upscale = run(build().to(DEVICE), photograph)
    for iteration in range(iterations):
        sr = upscale()
        if iteration == 0:  # that is for warming up
            np.save(result, sr)
        after_iteration()


def random_network(upscaling: Upscaling, photograph: Image) -> RRDBNet:
    """From one seed; its last layer spreads the output over the range of an image, for a PSNR."""
    torch.manual_seed(0)
    network = RRDBNet(
        num_features=upscaling.num_features,
        num_blocks=upscaling.num_blocks,
        growth_channels=upscaling.growth_channels,
    ).eval()
    last = network.conv_last
    assert last.bias is not None
    with torch.no_grad():
        sr = network(as_tensor(photograph[:32, :32]))
        factor = 0.2 / sr.std()
        last.weight *= factor
        last.bias.copy_((last.bias - sr.mean()) * factor + 0.5)
    return network


def plain(network: Generator, photograph: Image) -> Callable[[], Image]:
    """What anybody writes first."""

    @torch.no_grad()
    def upscale() -> Image:
        sr = network(as_tensor(photograph).to(DEVICE))[0]
        pixels = (sr.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
        return np.asarray(pixels.cpu(), np.uint8)

    return upscale


def ours(
    network: Generator, photograph: Image, *, dtype: torch.dtype, tile: int
) -> Callable[[], Image]:
    upscaler = Upscaler(network, dtype=dtype, tile=tile)
    return lambda: np.asarray(upscaler(photograph), np.uint8)


def as_tensor(photograph: Image) -> torch.Tensor:
    return torch.from_numpy(photograph).permute(2, 0, 1).unsqueeze(0).float().contiguous() / 255


def centre(image: Image, side: int) -> Image:
    top, left = (max(length - side, 0) // 2 for length in image.shape[:2])
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def psnr(one: Image, other: Image) -> float:
    """In dB; infinite where all bytes are the same."""
    error = np.mean((one.astype(float) - other) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def _row(name: str, timing: Timing, plain: Timing, decibels: float) -> dict[str, Cell]:
    return {
        "form": name,
        "s": timing.best,
        "median": median(timing.seconds),
        "× as fast": plain.best / timing.best,
        "PSNR, dB": f"{decibels:.1f}",
        "MiB": timing.memory and timing.memory / MIB,
    }
