"""Networks that spandrel has, as generators: in training, in files, applied to images."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from inspect import Parameter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from esrgan.networks import spandrel_library
from esrgan.networks.blocks import Architecture
from esrgan.networks.spandrel_library import (
    Choice,
    Descriptor,
    choices,
    described,
    parameters_of,
    quietly,
)

LIBRARY = "spandrel"

# What the constructors of spandrel's networks call the scale, and the channels of their images
_SCALE = ("upscale", "scale", "upscaling_factor", "upscale_factor", "up_scale")
_CHANNELS = ("num_in_ch", "num_out_ch", "in_nc", "out_nc")
_RGB = 3
_INSIDE = "network."


class SpandrelNetwork(nn.Module):
    """A network of spandrel as a generator.

    The names of its weights are those of the network itself, which are what other programs look
    for. Images of any size are mirrored at the right and bottom up to one that the network takes,
    as spandrel does, and the output is cropped.

    Evaluation leaves no trace: where a network computes weights anew in its forward pass, as SPAN
    fuses its convolutions, they are put back. Else what a validation leaves would differ between
    the processes of a run, and between a run and its continuation.

    Attributes:
        supports: The number formats besides float32 that spandrel says it computes in.
        licence: Under what its code comes, in words.
    """

    def __init__(self, network: nn.Module, descriptor: Descriptor) -> None:
        super().__init__()
        self.network = network
        self.scale = descriptor.scale
        self.architecture: Architecture = {
            "network": type(network).__name__,
            "library": LIBRARY,
            "scale": descriptor.scale,
            "parameters": _as_json(getattr(network, "hyperparameters", {})),
        }
        self.supports = {
            torch.float16: descriptor.supports_half,
            torch.bfloat16: descriptor.supports_bfloat16,
        }
        self.licence = spandrel_library.licence_of(str(descriptor.architecture.id))
        self._size: Any = descriptor.size_requirements
        # The way in that its own call takes, too, which can be trained through
        self._call: Callable[[nn.Module, Tensor], Tensor] = descriptor._call_fn
        self.register_state_dict_post_hook(_strip_inside)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_add_inside)  # type: ignore[no-untyped-call]

    def forward(self, lq: Tensor) -> Tensor:
        height, width = lq.shape[-2:]
        padded = self._padded(lq)
        traces = self.training or torch.compiler.is_exporting()
        sr = self._call(self.network, padded) if traces else self._without_traces(padded)
        return sr[..., : height * self.scale, : width * self.scale]

    @torch.compiler.disable  # type: ignore[untyped-decorator] # a compiled one would not put back
    def _without_traces(self, padded: Tensor) -> Tensor:
        with _put_back(self.network):
            return self._call(self.network, padded)

    def settle(self) -> None:
        """Compute the weights that evaluation computes anew, and keep them: for a file.

        From here on it is in evaluation mode.
        """
        self.eval()
        weight = next(self.parameters())
        with torch.no_grad(), torch.autocast(weight.device.type, enabled=False):
            self._call(self.network, self._padded(weight.new_zeros(1, _RGB, 8, 8)))

    def writes_weights(self) -> bool:
        """Whether evaluation computes weights anew."""
        other = deepcopy(self)
        before = [weight.data_ptr() for weight in other.parameters()]
        other.settle()
        return before != [weight.data_ptr() for weight in other.parameters()]

    def _padded(self, lq: Tensor) -> Tensor:
        """Mirrored, and what is larger than the image repeats its last row and column.

        It is a copy: RCAN, for one, writes over its input.
        """
        height, width = lq.shape[-2:]
        columns, rows = self._size.get_padding(width, height)
        if not (rows or columns):
            return lq.clone()
        mirrored = (0, min(columns, width - 1), 0, min(rows, height - 1))
        lq = F.pad(lq, mirrored, mode="reflect")
        return F.pad(lq, (0, columns - mirrored[1], 0, rows - mirrored[3]), mode="replicate")


def new_spandrel_network(
    *, architecture: str | None, scale: int, parameters: Mapping[str, Any] | None = None
) -> SpandrelNetwork:
    """A network of spandrel with the first weights that its own code draws.

    Args:
        architecture: its name in spandrel (SPAN, PLKSR), or that of its class (RealPLKSR).
        scale: handed on under the name that the network has for it.
        parameters: of the network, by its own names; what is not given is as its code has it.

    Raises:
        ValueError: spandrel is not installed, there is no such architecture or parameter, or they
            make no network of this scale that spandrel reads.
    """
    choice = choices().get(architecture or "")
    if architecture is None or choice is None:
        raise ValueError(
            f"generator.architecture ({architecture}) must be one of spandrel's: "
            f"{spandrel_library.listed_choices()}"
        )
    given = dict(parameters or {})
    own = parameters_of(choice.network_class)
    listed = ", ".join(filter(None, map(_as_given, own.values())))
    if unknown := sorted(given.keys() - own.keys()):
        raise ValueError(
            f"generator.parameters.{unknown[0]} is no parameter of {architecture}, which has "
            f"{listed}"
        )
    automatic = {name: scale for name in _SCALE if name in own}
    automatic |= dict.fromkeys((name for name in _CHANNELS if name in own), _RGB)
    where = f"generator.architecture={architecture} with {given or 'no parameters'}"
    network = _built(choice, automatic | given, where=where, listed=listed)
    try:
        descriptor = described(network.state_dict())
    except ValueError as error:
        raise ValueError(f"{where} makes no network to train: {error}") from error
    if descriptor.scale != scale:
        raise ValueError(
            f"{where} makes a network of scale {descriptor.scale}, not {scale}: see scale and "
            f"generator.parameters ({listed})"
        )
    return _tried(SpandrelNetwork(network, descriptor), where=where, listed=listed)


def read_spandrel_network(state: Mapping[str, Tensor]) -> SpandrelNetwork:
    """The network whose weights these are, as spandrel reads them, with the weights.

    Raises:
        ValueError: spandrel is not installed or knows no such network, or it is not for RGB images.
    """
    with torch.random.fork_rng(devices=[]):
        descriptor = described(state)
    return SpandrelNetwork(descriptor.model, descriptor)


def rebuild_spandrel_network(declared: Mapping[str, Any]) -> SpandrelNetwork:
    """The network that an `architecture` entry of `SpandrelNetwork` tells, without its weights.

    Raises:
        ValueError: there is no such network.
    """
    name, parameters = str(declared.get("network")), declared.get("parameters")
    choice = choices().get(name)
    if choice is None or not isinstance(parameters, Mapping):
        raise ValueError(f"its architecture entry names {name}, which this spandrel does not have")
    with torch.random.fork_rng(devices=[]):
        network = _built(choice, parameters, where="its architecture entry", listed="")
        return SpandrelNetwork(network, described(network.state_dict()))


def spandrel_keys(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Weights by the names that spandrel's own network has; as they are, where it reads none."""
    try:
        with torch.random.fork_rng(devices=[]):
            named: Mapping[str, Tensor] = described(state).model.state_dict()
    except ValueError:
        return state
    return named


def _built(choice: Choice, parameters: Mapping[str, Any], *, where: str, listed: str) -> nn.Module:
    try:
        with quietly():
            return choice.network_class(**parameters)
    except Exception as error:  # any code of others
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        fix = f". Its parameters are {listed}" if listed else ""
        raise ValueError(
            f"{where} builds no {choice.network_class.__name__} ({reason}){fix}"
        ) from error


def _tried(network: SpandrelNetwork, *, where: str, listed: str) -> SpandrelNetwork:
    """The network, if it can be run: some numbers only fail there."""
    try:
        with torch.random.fork_rng(devices=[]):
            network.settle()
    except Exception as error:  # any code of others
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ValueError(
            f"{where} builds a network that cannot be run ({reason}). Its parameters are {listed}"
        ) from error
    return network.train()


def _as_given(parameter: Parameter) -> str:
    """Its name and default; "" for what no config can give: a class or a function."""
    if parameter.default is Parameter.empty:
        return parameter.name
    return "" if callable(parameter.default) else f"{parameter.name}={parameter.default}"


def _as_json(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Those that a file can say; what is left out are classes and functions, as in the defaults."""
    said = {}
    for name, value in parameters.items():
        try:
            said[name] = json.loads(json.dumps(value))
        except TypeError:
            continue
    return said


@contextmanager
def _put_back(network: nn.Module) -> Iterator[None]:
    """Parameters that are given other values in the block have those of before after it."""
    before = [(parameter, parameter.data) for parameter in network.parameters()]
    try:
        yield
    finally:
        for parameter, data in before:
            if parameter.data_ptr() != data.data_ptr():
                parameter.data = data


def _strip_inside(
    _module: nn.Module, state: dict[str, Tensor], prefix: str, _metadata: object
) -> None:
    inside = prefix + _INSIDE
    for key in [key for key in state if key.startswith(inside)]:
        state[prefix + key.removeprefix(inside)] = state.pop(key)


def _add_inside(
    _module: nn.Module, state: dict[str, Tensor], prefix: str, *_others: object
) -> None:
    for key in [key for key in state if key.startswith(prefix)]:
        state[prefix + _INSIDE + key.removeprefix(prefix)] = state.pop(key)
