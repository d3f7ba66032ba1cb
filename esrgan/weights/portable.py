"""What other programs make of a network's file, and the form of the network that they read.

Most of them (chaiNNer, ComfyUI, and others) read by spandrel, which finds out by the names and
shapes of the layers what a network is. What shapes do not show, it takes for as published.
"""

from copy import deepcopy
from itertools import product
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from esrgan.networks import RRDBNet, SpandrelNetwork, SRVGGNetCompact, read_spandrel_network
from esrgan.networks.rrdb import ResidualInResidualDenseBlock
from esrgan.weights.architecture import Generator, architecture_of
from esrgan.weights.keys import StateDict

OTHERS = "programs that read weights by spandrel (chaiNNer, ComfyUI, …)"
_GROWTH, _SCALING = 32, 0.2  # of all RRDB networks that they build
_UNSHUFFLE = (1, 2, 4)
_SEEN = 1e-4  # of the largest value: more is not rounding
_SLOPES = {"relu": 0.0, "leaky_relu": 0.1}


def never_read_by_others(network: Generator) -> str | None:
    """Why no form of this network is read by spandrel, in words; None: one is."""
    about: dict[str, Any] = {**architecture_of(network)}
    if isinstance(network, SpandrelNetwork):
        return _misread(network)
    if isinstance(network, SRVGGNetCompact):
        return None
    if not isinstance(network, RRDBNet):
        return f"{about['network']} is not among their networks"
    if about["growth_channels"] > _GROWTH:
        return f"they expect growth_channels of {_GROWTH}, not {about['growth_channels']}"
    if 3 in network.upsampling:
        return "they take its enlargement by 3 for one by 2"
    if network.unshuffle not in _UNSHUFFLE:
        return f"they do not know an unshuffle of {network.unshuffle}"
    return None


def _misread(network: SpandrelNetwork) -> str | None:
    """What of a network of spandrel's is not to be seen in its weights, if that changes images."""
    network = deepcopy(network).to("cpu", torch.float32).eval()
    try:
        read = read_spandrel_network(network.state_dict()).eval()
    except ValueError as error:
        return str(error)
    lq = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours, theirs = network(lq), read(lq)
    if ours.shape == theirs.shape and (ours - theirs).abs().max() <= _SEEN * ours.abs().max():
        return None
    about, taken = (each.architecture["parameters"] for each in (network, read))
    return "they take " + ", ".join(
        f"{name} {taken.get(name)} for {value}"
        for name, value in about.items()
        if value != taken.get(name)
    )


def unseen_by_others(network: Generator) -> list[str]:
    """The settings that spandrel takes for others, in words, and that `portable` does without."""
    about: dict[str, Any] = {**architecture_of(network)}
    if isinstance(network, SRVGGNetCompact):
        return [] if about["activation"] == "prelu" else [f"activation {about['activation']}"]
    if not isinstance(network, RRDBNet):
        return []
    found = ["batch_norm"] if about["batch_norm"] else []
    for name, known in (("residual_scaling", _SCALING), ("growth_channels", _GROWTH)):
        if about[name] != known:
            found.append(f"{name} {about[name]}")
    return found


def note_for_others(network: Generator, *, name: str) -> str | None:
    """What is to be said of the file `name` of this network as it is; None: all read it."""
    if why := never_read_by_others(network):
        return f"{OTHERS} will not read {name}, or read another network: {why}"
    if settings := unseen_by_others(network):
        return (
            f"{OTHERS} will not read {name}, or read another network, as they do not see its "
            f"{', '.join(settings)}: esrgan export writes the file for them"
        )
    return None


def portable(network: Generator) -> Generator:
    """The network in a form that spandrel reads: equal but for rounding, computed in float64.

    BatchNorm, as it is in evaluation mode, goes into the convolution before it, another residual
    scaling into the last convolution of each dense block, fewer growth channels are filled up with
    zeros, and an activation becomes a PReLU of its slope. A network that is read as it is, or in no
    form, comes back as it is.
    """
    if never_read_by_others(network) or not unseen_by_others(network):
        return network
    dtype = next(network.parameters()).dtype
    with torch.no_grad():
        if isinstance(network, SRVGGNetCompact):
            return _with_slopes(network).to(dtype)
        assert isinstance(network, RRDBNet)
        return _as_published(deepcopy(network)).to(dtype)


def _with_slopes(network: SRVGGNetCompact) -> SRVGGNetCompact:
    about: dict[str, Any] = {**architecture_of(network)}
    del about["network"]
    slope = _SLOPES[about.pop("activation")]
    other = SRVGGNetCompact(**about).to(next(network.parameters()))
    other.load_state_dict(network.state_dict(), strict=False)
    for module in other.modules():
        if isinstance(module, nn.PReLU):
            module.weight.fill_(slope)
    return other.eval()


def _as_published(network: RRDBNet) -> RRDBNet:
    state = _without_batch_norm(network)
    blocks = [block for block in network.body if isinstance(block, ResidualInResidualDenseBlock)]
    for number, block in enumerate(blocks):
        _scale_residuals(state, f"body.{number}", block.scaling)
        for part, layer in product((1, 2, 3), range(1, 6)):
            _fill_up(state, f"body.{number}.rdb{part}.conv{layer}", layer)
    about: dict[str, Any] = {**architecture_of(network)}
    del about["network"]
    published = {"batch_norm": False, "residual_scaling": _SCALING, "growth_channels": _GROWTH}
    other = RRDBNet(**{**about, **published}).double()
    other.load_state_dict(state)
    return other.eval()


def _without_batch_norm(network: RRDBNet) -> StateDict:
    state = {k: v.double() for k, v in network.state_dict().items() if "norm" not in k}
    for name, norm in network.double().named_modules():
        if isinstance(norm, nn.BatchNorm2d):
            conv = name.replace("norm", "conv")
            mean, variance = norm.running_mean, norm.running_var
            assert mean is not None and variance is not None
            weight, bias = state[f"{conv}.weight"], state[f"{conv}.bias"]
            fused = fuse_conv_bn_weights(
                weight, bias, mean, variance, norm.eps, norm.weight, norm.bias
            )
            state[f"{conv}.weight"], state[f"{conv}.bias"] = fused
    return state


def _scale_residuals(state: StateDict, block: str, scaling: float) -> None:
    """Let the residuals have the published scaling.

    With f1 to f3 for what the dense blocks' convolutions are, s for `scaling`, t for the other:

    z = x + s f1(x) + s f2(x + s f1(x))        the input of the third
    x + s (z + s f3(z)) = x + t (z + t g(z))   where g(z) = (s² f3(z) + (s - t) z) / t²
    """
    known = _SCALING
    for part, factor in ((1, scaling / known), (2, scaling / known), (3, (scaling / known) ** 2)):
        for kind in ("weight", "bias"):
            state[f"{block}.rdb{part}.conv5.{kind}"] *= factor
    weight = state[f"{block}.rdb3.conv5.weight"]
    features = torch.arange(len(weight))
    weight[features, features, 1, 1] += (scaling - known) / known**2


def _fill_up(state: StateDict, conv: str, layer: int) -> None:
    """Add outputs that are zero, and inputs that are ignored, to a convolution of a dense block."""
    weight, bias = state[f"{conv}.weight"], state[f"{conv}.bias"]
    growth = (weight.shape[1] - len(weight)) // 4 if layer == 5 else len(weight)
    features = weight.shape[1] - (layer - 1) * growth
    outputs = len(weight) if layer == 5 else _GROWTH
    filled = weight.new_zeros(outputs, features + (layer - 1) * _GROWTH, 3, 3)
    filled[: len(weight), :features] = weight[:, :features]
    for group in range(layer - 1):
        ours, theirs = features + group * growth, features + group * _GROWTH
        filled[: len(weight), theirs : theirs + growth] = weight[:, ours : ours + growth]
    state[f"{conv}.weight"] = filled
    state[f"{conv}.bias"] = torch.cat((bias, bias.new_zeros(outputs - len(bias))))
