"""The network that a command line asks for."""

import argparse
import sys
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from esrgan.data import Picture
from esrgan.hardware import choose_device
from esrgan.inference import Upscaler, fastest_dtype
from esrgan.weights import Generator, find_weights, interpolate, lineage_warning, load_generator

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


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
    device = choose_device(arguments.device)
    network, name = _network(arguments)
    network.to(device)
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


def _between(a: Generator, b: Generator, alpha: float) -> Generator:
    warning = lineage_warning(a, b, names="these networks")
    if warning:
        sys.stderr.write(f"warning: {warning}\n")
    return interpolate(a, b, alpha)
