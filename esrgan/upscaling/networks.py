"""The network that a command line asks for."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from esrgan.data import Picture
from esrgan.inference import Upscaler, fastest_dtype
from esrgan.weights import SAME_LINEAGE, Generator, interpolate, lineage_similarity, load_generator

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def find_weights(word: str) -> Path:
    """A file of weights, or the newest release or checkpoint of a run.

    Raises:
        ValueError: it is neither.
    """
    path = Path(word)
    if path.is_file():
        return path
    releases = sorted([*path.glob("*.pth"), *path.glob("*.safetensors")])
    checkpoints = sorted(path.glob("checkpoints/*.ckpt"))  # their names begin with the iteration
    files = [*checkpoints[-1:], *releases]
    if not files:
        raise ValueError(f"{word} must be a file of weights, or the folder of a run that has some")
    return max(files, key=lambda file: file.stat().st_mtime_ns)


class Upscalers(NamedTuple):
    """One network for pictures of 8 and of 16 bits."""

    eight_bits: Upscaler
    sixteen_bits: Upscaler

    @property
    def scale(self) -> int:
        return self.eight_bits.scale

    def of(self, picture: Picture) -> Upscaler:
        return self.eight_bits if picture.colour.dtype == np.uint8 else self.sixteen_bits


def open_network(arguments: argparse.Namespace) -> tuple[Upscalers, str]:
    """The network of the command line, and a line that says what it is.

    Raises:
        ValueError: weights, device, or interpolation cannot be used.
    """
    device = _device(arguments.device)
    network, name = _network(arguments)
    try:
        network.to(device)
    except (AssertionError, RuntimeError) as error:  # which of them depends on the build of torch
        raise ValueError(f"--device {device} cannot be used: {error}") from error
    make = partial(Upscaler, network, tile=arguments.tile, self_ensemble=arguments.self_ensemble)
    about = f"{name}: x{network.scale}, on {device}"
    if arguments.precision != "auto":
        upscaler = make(dtype=DTYPES[arguments.precision])
        return Upscalers(upscaler, upscaler), f"{about}, {arguments.precision}"
    fastest = fastest_dtype(device)
    # Half precision has 8 or 11 bits: it would leave steps in the gradients of 16-bit pictures.
    upscalers = Upscalers(make(dtype=fastest), make(dtype=torch.float32))
    precision = next(name for name, dtype in DTYPES.items() if dtype == fastest)
    return upscalers, f"{about}, {precision} (16-bit pictures: fp32)"


def _network(arguments: argparse.Namespace) -> tuple[Generator, str]:
    path = find_weights(arguments.weights)
    if arguments.other is None:
        return load_generator(path), str(path)
    other, alpha = find_weights(arguments.other), arguments.alpha
    network = _between(load_generator(path), load_generator(other), alpha)
    return network, f"{1 - alpha:.2g} {path} + {alpha:.2g} {other}"


def _device(name: str | None) -> torch.device:
    try:
        return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise ValueError(f"--device {name} cannot be used: {error}") from error


def _between(a: Generator, b: Generator, alpha: float) -> Generator:
    similarity = lineage_similarity(a, b)
    if similarity < SAME_LINEAGE:
        sys.stderr.write(
            f"warning: these networks have hardly a training in common (the similarity of their "
            f"weights is {similarity:.2f}, not {SAME_LINEAGE} or more). What lies between them "
            "means nothing, unless one was trained on from the other\n"
        )
    return interpolate(a, b, alpha)
