"""The part of `upscale` that opens its networks: WEIGHTS, or a mixture, and those of --then."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from esrgan.commands.mixing import add_mixing_options, mixed_with
from esrgan.runs import find_weights

if TYPE_CHECKING:
    from esrgan.commands.upscale import Arguments
    from esrgan.inference import Enlarger
    from esrgan.weights import Generator

_FEWER_SHAPES = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64", "LRU_CACHE_CAPACITY": "64"}
"""Of a CPU's convolutions, the code that is kept for sizes of images that were seen, in numbers.

The default is 1,024 each: 2,000 pictures of as many sizes had 97 to 178 MiB of it in the end.
"""


def add_network_options(parser: ArgumentParser) -> None:
    text = "a network for what WEIGHTS made; again for one more. Nothing is rounded in between"
    parser.add_argument("--then", action="append", default=[], metavar="WEIGHTS", help=text)
    add_mixing_options(parser)
    text = "of WEIGHTS: 3, where an older file of RRDB does not tell"
    parser.add_argument("--scale", type=int, metavar="N", help=text)


def open_networks(arguments: "Arguments") -> tuple[Mapping[int, "Enlarger"], str]:
    """For numbers of one and of two bytes; and a line that says what they are.

    Each is read once, and kept.

    Raises:
        ValueError: a file cannot be used; names it.
    """
    path = find_weights(arguments.weights)
    other, alpha = mixed_with(arguments.mixing, path)
    following = [find_weights(word) for word in arguments.then]
    for name, number in _FEWER_SHAPES.items():
        os.environ.setdefault(name, number)  # is read with the first convolution
    # Not before: torch takes seconds, which --help and a misspelt name need not wait for
    import torch

    from esrgan.hardware import choose_device, fastest_dtype
    from esrgan.inference import Chain, Upscaler, computes_in
    from esrgan.inference.chain import Link
    from esrgan.weights import load_generator

    device = choose_device(arguments.device)
    opened = [_open_first(path, other, alpha, scale=arguments.scale)]
    opened += [(load_generator(file), str(file)) for file in following]

    def make(dtype: torch.dtype) -> "Enlarger":
        upscaler = partial(
            Upscaler,
            dtype=dtype,
            tile=arguments.tile,
            self_ensemble=arguments.self_ensemble,
            say=partial(tqdm.write, file=sys.stderr),  # beside the bar
        )
        links = [Link(name, upscaler(network.to(device))) for network, name in opened]
        return Chain(links) if len(links) > 1 else links[0].upscaler

    about = f"{_described(opened)}, on {device}"
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if arguments.precision != "auto":
        upscaler = make(dtypes[arguments.precision])
        return {1: upscaler, 2: upscaler}, f"{about}, {arguments.precision}"
    fastest = fastest_dtype(device)
    if not all(computes_in(network, fastest) for network, _ in opened):
        fastest = torch.float32
    precision = next(name for name, dtype in dtypes.items() if dtype == fastest)
    # Half precision has 8 or 11 bits: it would leave steps in the gradients of 16-bit pictures
    upscalers = {1: make(fastest), 2: make(torch.float32)}
    return upscalers, f"{about}, {precision} (16-bit pictures: fp32)"


def _open_first(
    path: Path, other: Path | None, alpha: float, *, scale: int | None
) -> tuple["Generator", str]:
    """The network, interpolated with `other` where there is one, and its name."""
    from esrgan.weights import interpolate, lineage_warning, load_generator

    network = load_generator(path, scale=scale)
    if other is None:
        return network, str(path)
    second = load_generator(other, scale=scale)
    if warning := lineage_warning(network, second, names="these networks"):
        sys.stderr.write(f"warning: {warning}\n")
    mixed = interpolate(network, second, alpha)
    return mixed, f"{1 - alpha:.2g} {path} + {alpha:.2g} {other}"


def _described(opened: list[tuple["Generator", str]]) -> str:
    """Whose networks they are, where that is not us; their names, and the scale of all together."""
    from esrgan.weights import origin_of, scale_of

    origins = [f"{name}: {said}\n" for network, name in opened if (said := origin_of(network))]
    scales = [scale_of(network) for network, _ in opened]
    if len(opened) == 1:
        return f"{''.join(origins)}{opened[0][1]}: x{scales[0]}"
    each = [f"{name} (x{scale})" for (_, name), scale in zip(opened, scales, strict=True)]
    return f"{''.join(origins)}{', then '.join(each)}: x{prod(scales)}"
