"""From the shapes of the weights to the discriminator that they belong to."""

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor

from esrgan.networks import SRGANDiscriminator, UNetDiscriminator, VGGDiscriminator

Discriminator = VGGDiscriminator | UNetDiscriminator | SRGANDiscriminator

FIRST_LAYERS = ("conv0_0.weight", "conv0_0.weight_orig")
"""Of those that end in linear layers, without and with spectral normalisation."""


def is_discriminator(state: Mapping[str, Tensor]) -> bool:
    return _is_unet(state) or any(key in state for key in FIRST_LAYERS)


def build_discriminator_for(state: Mapping[str, Tensor]) -> Discriminator:
    """The discriminator whose weights these are, without values (on the meta device).

    Args:
        state: weights under the names of BasicSR and Real-ESRGAN.

    Raises:
        ValueError: the weights are of no discriminator known here.
    """
    with torch.device("meta"):
        if _is_unet(state):
            return UNetDiscriminator(num_features=_shape(state, "conv0.weight", 4)[0])
        if any(key in state for key in FIRST_LAYERS):
            return _build_with_linear_layers(state)
    if "conv_first.weight" in state:
        raise ValueError("it holds a generator (conv_first.weight), and a discriminator is needed")
    raise ValueError(
        "it holds neither VGGDiscriminator nor SRGANDiscriminator (conv0_0.weight) nor "
        "UNetDiscriminator (conv0.weight, conv1.weight_orig and conv9.weight), but "
        f"{', '.join(list(state)[:5])}, …"
    )


def _is_unet(state: Mapping[str, Tensor]) -> bool:
    return all(key in state for key in ("conv0.weight", "conv1.weight_orig", "conv9.weight"))


def _build_with_linear_layers(
    state: Mapping[str, Tensor],
) -> VGGDiscriminator | SRGANDiscriminator:
    spectral_norm = "conv0_0.weight_orig" in state
    part = "weight_orig" if spectral_norm else "weight"
    first, second = _shape(state, f"conv0_0.{part}", 4), _shape(state, f"conv0_1.{part}", 4)
    input_size = _input_size(state, part)
    if second[-1] == 3:  # VGG's kernels of 4 halve the map, SRGAN's of 3
        return SRGANDiscriminator(input_size=input_size, num_features=first[0])
    return VGGDiscriminator(
        input_size=input_size,
        num_features=first[0],
        batch_norm="bn0_1.weight" in state,
        spectral_norm=spectral_norm,
        conv_bias="conv0_1.bias" in state,
    )


def _input_size(state: Mapping[str, Tensor], part: str) -> int:
    """The last map times 2 for each stage, of which it is known how many there are."""
    stages = sum(re.fullmatch(rf"conv\d+_1\.{part}", key) is not None for key in state)
    channels = _shape(state, f"conv{stages - 1}_1.{part}", 4)[0]
    inputs = _shape(state, f"linear1.{part}", 2)[1]
    side = math.isqrt(inputs // max(channels, 1))
    if side**2 * channels != inputs:
        raise ValueError(
            f"linear1 takes {inputs} numbers, which is no square map of the {channels} channels "
            "before it"
        )
    return side << stages


def _shape(state: Mapping[str, Tensor], key: str, dimensions: int) -> tuple[int, ...]:
    shape = tuple(state[key].shape) if key in state else ()
    if len(shape) != dimensions:
        raise ValueError(f"{key} must have {dimensions} dimensions, its shape is {shape or 'none'}")
    return shape
