"""The part of `upscale` that opens its networks: WEIGHTS, or a mixture, and those of --then."""

import sys
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from esrgan.commands.mixing import mixed_with
from esrgan.runs import find_weights

if TYPE_CHECKING:
    from esrgan.commands.upscale import Arguments
    from esrgan.inference import Enlarger
    from esrgan.weights import Generator


def open_networks(arguments: "Arguments") -> tuple[Mapping[int, "Enlarger"], str]:
    """For numbers of one and of two bytes; and a line that says what they are.

    Each is read once, and kept.

    Raises:
        ValueError: a file cannot be used; names it.
    """
    path = find_weights(arguments.weights)
    other, alpha = mixed_with(arguments.mixing, path)
    following = [find_weights(word) for word in arguments.then]
    # Not before: torch takes seconds, which --help and a misspelt name need not wait for
    import torch

    from esrgan.hardware import choose_device, fastest_dtype
    from esrgan.inference import Chain, Upscaler
    from esrgan.inference.chain import Link
    from esrgan.weights import load_generator

    device = choose_device(arguments.device)
    opened = [_open_first(path, other, alpha, scale=arguments.scale)]
    opened += [(load_generator(file), str(file)) for file in following]

    def make(dtype: torch.dtype) -> "Enlarger":
        options = {"tile": arguments.tile, "self_ensemble": arguments.self_ensemble}
        links = [
            Link(name, Upscaler(network.to(device), dtype=dtype, **options))
            for network, name in opened
        ]
        return Chain(links) if len(links) > 1 else links[0].upscaler

    about = f"{_described(opened)}, on {device}"
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if arguments.precision != "auto":
        upscaler = make(dtypes[arguments.precision])
        return {1: upscaler, 2: upscaler}, f"{about}, {arguments.precision}"
    fastest = fastest_dtype(device)
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
    """Their names, and the scale of all together."""
    from esrgan.weights import scale_of

    scales = [scale_of(network) for network, _ in opened]
    if len(opened) == 1:
        return f"{opened[0][1]}: x{scales[0]}"
    each = [f"{name} (x{scale})" for (_, name), scale in zip(opened, scales, strict=True)]
    return f"{', then '.join(each)}: x{prod(scales)}"
