"""From the shapes of the weights to the network that they belong to."""

import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from esrgan.networks import MSRResNet, RRDBNet, SRGANGenerator, SRResNet
from esrgan.weights.discriminators import is_discriminator

Generator = RRDBNet | SRResNet | MSRResNet | SRGANGenerator


def build_for(state: Mapping[str, Tensor], declared: Mapping[str, Any]) -> Generator:
    """The generator whose weights these are, without values (on the meta device).

    Args:
        state: weights under the names of the released networks.
        declared: what the file says of its network. Only what shapes cannot show is taken from it;
            what it does not say is as published.

    Raises:
        ValueError: the weights are of no network known here.
    """
    with torch.device("meta"):
        if "body.0.rdb1.conv1.weight" in state:
            return _build_rrdb(state, declared)
        if "prelu_first.weight" in state:
            return _build_srgan(state)
        if "body.0.conv1.weight" in state and "conv_body.weight" in state:
            return _build_srresnet(state, declared)
        if "body.0.conv1.weight" in state and "upconv1.weight" in state:
            return _build_msrresnet(state)
    if is_discriminator(state):
        raise ValueError(
            f"it holds a discriminator ({', '.join(list(state)[:3])}, …), and a generator is needed"
        )
    raise ValueError(
        f"it holds neither RRDBNet (body.0.rdb1.conv1.weight) nor SRResNet (body.0.conv1.weight "
        f"and conv_body.weight) nor MSRResNet (body.0.conv1.weight and upconv1.weight) nor "
        f"SRGANGenerator (prelu_first.weight), but {', '.join(list(state)[:5])}, …"
    )


def multiple_of(network: nn.Module) -> int:
    """What height and width of its input must be multiples of."""
    return int(getattr(network, "unshuffle", 1))


def _build_rrdb(state: Mapping[str, Tensor], declared: Mapping[str, Any]) -> RRDBNet:
    num_features, channels = _conv_shape(state, "conv_first.weight")
    unshuffle = math.isqrt(channels // 3)
    if channels != 3 * unshuffle**2:
        raise ValueError(f"conv_first takes {channels} channels; RGB networks take 3, 12 or 48")
    num_steps = _count(state, r"conv_up(\d+)\.weight")
    is_one_step_of_3 = num_steps == unshuffle == 1 and declared.get("scale") == 3
    return RRDBNet(
        scale=3 if is_one_step_of_3 else 2**num_steps // unshuffle,
        num_features=num_features,
        num_blocks=_count(state, r"body\.(\d+)\.rdb1\.conv1\.weight"),
        growth_channels=_conv_shape(state, "body.0.rdb1.conv1.weight")[0],
        residual_scaling=_number(declared, "residual_scaling", default=0.2),
        batch_norm="body.0.rdb1.norm1.weight" in state,
        unshuffle=unshuffle,
        initialise=_leave_empty,
    )


def _build_srresnet(state: Mapping[str, Tensor], declared: Mapping[str, Any]) -> SRResNet:
    num_features, _ = _conv_shape(state, "conv_first.weight")
    return SRResNet(
        scale=_pixel_shuffle_scale(state, num_features),
        num_features=num_features,
        num_blocks=_count(state, r"body\.(\d+)\.conv1\.weight"),
        residual_scaling=_number(declared, "residual_scaling", default=1.0),
        batch_norm="norm_body.weight" in state,
        batch_norm_hr="norm_hr.weight" in state,
        initialise=_leave_empty,
    )


def _build_msrresnet(state: Mapping[str, Tensor]) -> MSRResNet:
    num_features, _ = _conv_shape(state, "conv_first.weight")
    return MSRResNet(
        scale=_pixel_shuffle_scale(state, num_features, name="upconv"),
        num_features=num_features,
        num_blocks=_count(state, r"body\.(\d+)\.conv1\.weight"),
        initialise=_leave_empty,
    )


def _build_srgan(state: Mapping[str, Tensor]) -> SRGANGenerator:
    num_features, _ = _conv_shape(state, "conv_first.weight")
    return SRGANGenerator(
        scale=_pixel_shuffle_scale(state, num_features),
        num_features=num_features,
        num_blocks=_count(state, r"body\.(\d+)\.conv1\.weight"),
    )


def _pixel_shuffle_scale(
    state: Mapping[str, Tensor], num_features: int, *, name: str = "conv_up"
) -> int:
    num_steps = _count(state, rf"{name}(\d+)\.weight")
    is_one_step_of_3 = (
        num_steps == 1 and _conv_shape(state, f"{name}1.weight")[0] == 9 * num_features
    )
    return 3 if is_one_step_of_3 else 2**num_steps


def _leave_empty(_: nn.Module) -> None:
    """No first weights: on the meta device there is nothing to draw."""


def _conv_shape(state: Mapping[str, Tensor], key: str) -> tuple[int, int]:
    """Output and input channels."""
    if key not in state:
        raise ValueError(f"{key} is missing")
    if state[key].dim() != 4:
        raise ValueError(f"{key} must have 4 dimensions, its shape is {tuple(state[key].shape)}")
    return state[key].shape[0], state[key].shape[1]


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    return sum(re.fullmatch(pattern, key) is not None for key in state)


def _number(declared: Mapping[str, Any], name: str, *, default: float) -> float:
    value = declared.get(name, default)
    if not isinstance(value, int | float):
        raise ValueError(f"its {name} ({value!r}) must be a number")
    return value
