"""From a file's weights, and what it says of them, to the network that they belong to."""

import math
import re
from collections.abc import Mapping
from typing import Any, TypedDict, cast

import torch
from torch import Tensor, nn

from esrgan import networks
from esrgan.networks import Architecture

Generator = nn.Module
"""A module that makes images larger: `lq` in, `sr` out, (N, 3, H, W).

It has the attributes `scale` and `architecture`, and `unshuffle` where height and width of `lq`
must be multiples of a number.
"""

Discriminator = networks.VGGDiscriminator | networks.UNetDiscriminator | networks.SRGANDiscriminator

_READ_FROM_SHAPES = {"RRDBNet", "SRResNet", "MSRResNet", "SRGANGenerator", "SRVGGNetCompact"}


class _Sizes(TypedDict):
    scale: int
    num_features: int
    num_blocks: int


def scale_of(network: Generator) -> int:
    """Size of its output, that of its input being 1."""
    return cast(int, network.scale)


def architecture_of(network: Generator) -> Architecture:
    """The arguments that build it again, and the name of its class under `network`."""
    return cast(Architecture, network.architecture)


def multiple_of(network: Generator) -> int:
    """What height and width of its input must be multiples of."""
    return int(getattr(network, "unshuffle", 1))


def origin_of(network: Generator) -> str | None:
    """Whose network it is, and under which licence its code comes, in words; None: it is ours."""
    if not isinstance(network, networks.SpandrelNetwork):
        return None
    return f"{network.architecture['network']} of spandrel, whose code is under {network.licence}"


def build_generator(state: Mapping[str, Tensor], declared: Mapping[str, Any]) -> Generator:
    """The generator whose weights, in the names of released networks, these are; without values.

    `declared` is what the file says of its network. Of those that shapes tell, only what shapes
    cannot show is taken from it; what it does not say is as published. Any other network of
    `esrgan.networks`, and those of spandrel, are built from it.

    Raises:
        ValueError: the weights are of no network known here.
    """
    if network := _build_as_declared(declared):
        return network
    with torch.device("meta"):
        if "body.0.rdb1.conv1.weight" in state:
            return _build_rrdb(state, declared)
        if "prelu_first.weight" in state:
            return networks.SRGANGenerator(**_sizes(state, step="conv_up"))
        if "body.0.conv1.weight" in state and "conv_body.weight" in state:
            return networks.SRResNet(
                **_sizes(state, step="conv_up"),
                residual_scaling=_number(declared, "residual_scaling", default=1.0),
                batch_norm="norm_body.weight" in state,
                batch_norm_hr="norm_hr.weight" in state,
            )
        if "body.0.conv1.weight" in state and "upconv1.weight" in state:
            return networks.MSRResNet(**_sizes(state, step="upconv"))
        if "body.0.weight" in state:
            return _build_srvgg(state, declared)
    if _is_unet(state) or _is_in_stages(state):
        raise ValueError(
            f"it holds a discriminator ({', '.join(list(state)[:3])}, …), and a generator is needed"
        )
    raise ValueError(
        f"it holds neither RRDBNet (body.0.rdb1.conv1.weight) nor SRResNet (body.0.conv1.weight "
        f"and conv_body.weight) nor MSRResNet (body.0.conv1.weight and upconv1.weight) nor "
        f"SRGANGenerator (prelu_first.weight) nor SRVGGNetCompact (body.0.weight), but "
        f"{', '.join(list(state)[:5])}, …"
    )


def build_discriminator(state: Mapping[str, Tensor]) -> Discriminator:
    """The discriminator whose weights these are, in the names of Real-ESRGAN, without their values.

    Raises:
        ValueError: the weights are of no discriminator known here.
    """
    with torch.device("meta"):
        if _is_unet(state):
            return networks.UNetDiscriminator(num_features=_shape(state, "conv0.weight", 4)[0])
        if _is_in_stages(state):
            return _build_in_stages(state)
    if "conv_first.weight" in state:
        raise ValueError("it holds a generator (conv_first.weight), and a discriminator is needed")
    raise ValueError(
        "it holds neither VGGDiscriminator nor SRGANDiscriminator (conv0_0.weight) nor "
        "UNetDiscriminator (conv0.weight, conv1.weight_orig and conv9.weight), but "
        f"{', '.join(list(state)[:5])}, …"
    )


def _build_as_declared(declared: Mapping[str, Any]) -> Generator | None:
    """Not on the meta device: buffers that are in no file need their values."""
    if declared.get("library") == networks.LIBRARY:
        return networks.rebuild_spandrel_network(declared)
    name = str(declared.get("network"))
    network_class = vars(networks).get(name)
    if (
        name in _READ_FROM_SHAPES
        or not isinstance(network_class, type)
        or not issubclass(network_class, nn.Module)
    ):
        return None
    try:
        with torch.random.fork_rng(devices=[]):
            network = network_class(**{k: v for k, v in declared.items() if k != "network"})
    except Exception as error:  # a file may say anything, which may fail in any way
        raise ValueError(f"its architecture entry builds no {name}: {error}") from error
    if not hasattr(network, "architecture"):
        raise ValueError(f"its architecture entry names {name}, which is no generator")
    return network


def _build_rrdb(state: Mapping[str, Tensor], declared: Mapping[str, Any]) -> networks.RRDBNet:
    num_features, channels = _conv_shape(state, "conv_first.weight")
    unshuffle = math.isqrt(channels // 3)
    if channels != 3 * unshuffle**2:
        raise ValueError(f"conv_first takes {channels} channels; RGB networks take 3, 12 or 48")
    num_steps = _count(state, r"conv_up(\d+)\.weight")
    # One step may be of 3: its layers do not show it
    is_by_3 = num_steps == 1 and unshuffle in (1, 3) and declared.get("scale") == 3 // unshuffle
    return networks.RRDBNet(
        scale=(3 if is_by_3 else 2**num_steps) // unshuffle,
        num_features=num_features,
        num_blocks=_count(state, r"body\.(\d+)\.rdb1\.conv1\.weight"),
        growth_channels=_conv_shape(state, "body.0.rdb1.conv1.weight")[0],
        residual_scaling=_number(declared, "residual_scaling", default=0.2),
        batch_norm="body.0.rdb1.norm1.weight" in state,
        unshuffle=unshuffle,
    )


def _build_srvgg(
    state: Mapping[str, Tensor], declared: Mapping[str, Any]
) -> networks.SRVGGNetCompact:
    num_features, _ = _conv_shape(state, "body.0.weight")
    count = _count(state, r"body\.\d+\.bias")  # of convolutions: activations have none
    last = f"body.{2 * count - 2}"
    channels, _ = _conv_shape(state, f"{last}.weight")
    scale = math.isqrt(channels // 3)
    if channels != 3 * scale**2:
        raise ValueError(f"{last} gives {channels} channels; those of RGB are 3 times a square")
    activation = str(declared.get("activation", "relu"))
    return networks.SRVGGNetCompact(
        scale=scale,
        num_features=num_features,
        num_convs=count - 2,
        activation="prelu" if "body.1.weight" in state else activation,
    )


def _sizes(state: Mapping[str, Tensor], *, step: str) -> _Sizes:
    """The arguments of networks of residual blocks and pixel-shuffle steps."""
    num_features, _ = _conv_shape(state, "conv_first.weight")
    num_steps = _count(state, rf"{step}(\d+)\.weight")
    is_by_3 = num_steps == 1 and _conv_shape(state, f"{step}1.weight")[0] == 9 * num_features
    return {
        "scale": 3 if is_by_3 else 2**num_steps,
        "num_features": num_features,
        "num_blocks": _count(state, r"body\.(\d+)\.conv1\.weight"),
    }


def _is_unet(state: Mapping[str, Tensor]) -> bool:
    return all(key in state for key in ("conv0.weight", "conv1.weight_orig", "conv9.weight"))


def _is_in_stages(state: Mapping[str, Tensor]) -> bool:
    """Whether it is a discriminator that ends in linear layers."""
    return "conv0_0.weight" in state or "conv0_0.weight_orig" in state


def _build_in_stages(state: Mapping[str, Tensor]) -> Discriminator:
    spectral_norm = "conv0_0.weight_orig" in state
    part = "weight_orig" if spectral_norm else "weight"
    first, second = _shape(state, f"conv0_0.{part}", 4), _shape(state, f"conv0_1.{part}", 4)
    input_size = _input_size(state, part)
    if second[-1] == 3:  # VGG's kernels of 4 halve the map, SRGAN's of 3
        return networks.SRGANDiscriminator(input_size=input_size, num_features=first[0])
    return networks.VGGDiscriminator(
        input_size=input_size,
        num_features=first[0],
        batch_norm="bn0_1.weight" in state,
        spectral_norm=spectral_norm,
        conv_bias="conv0_1.bias" in state,
    )


def _input_size(state: Mapping[str, Tensor], part: str) -> int:
    """The last map times 2 for each stage, of which it is known how many there are."""
    stages = _count(state, rf"conv\d+_1\.{part}")
    channels = _shape(state, f"conv{stages - 1}_1.{part}", 4)[0]
    inputs = _shape(state, f"linear1.{part}", 2)[1]
    side = math.isqrt(inputs // max(channels, 1))
    if side**2 * channels != inputs:
        raise ValueError(
            f"linear1 takes {inputs} numbers, which is no square map of the {channels} channels "
            "before it"
        )
    return side << stages


def _conv_shape(state: Mapping[str, Tensor], key: str) -> tuple[int, ...]:
    """Output and input channels."""
    if key not in state:
        raise ValueError(f"{key} is missing")
    return _shape(state, key, 4)[:2]


def _shape(state: Mapping[str, Tensor], key: str, dimensions: int) -> tuple[int, ...]:
    shape = tuple(state[key].shape) if key in state else ()
    if len(shape) != dimensions:
        raise ValueError(f"{key} must have {dimensions} dimensions, its shape is {shape or 'none'}")
    return shape


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    return sum(re.fullmatch(pattern, key) is not None for key in state)


def _number(declared: Mapping[str, Any], name: str, *, default: float) -> float:
    value = declared.get(name, default)
    if not isinstance(value, int | float):
        raise ValueError(f"its {name} ({value!r}) must be a number")
    return value
