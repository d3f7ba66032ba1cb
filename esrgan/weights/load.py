"""Networks from weight files."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn

from esrgan.networks.spandrel_library import (
    INSTALL,
    UnusableNetworkError,
    is_installed,
    name_of,
)
from esrgan.networks.spandrel_network import (
    SpandrelNetwork,
    read_spandrel_network,
    spandrel_keys,
)
from esrgan.weights import architecture, reading
from esrgan.weights.architecture import Discriminator, Generator
from esrgan.weights.keys import StateDict
from esrgan.weights.reading import GENERATOR, Part, WeightsError, WeightsFile

_NUM_NAMED = 5  # keys of each kind, in a report

_Network = TypeVar("_Network", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class MatchReport:
    """Keys of a file and a network, compared; as text, a few lines for people."""

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    """In the network, not in the file."""
    unexpected: tuple[str, ...]
    """In the file, not in the network."""
    mismatched: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    """In both, in different shapes: that in the file, then that in the network."""

    @property
    def complete(self) -> bool:
        return not (self.missing or self.unexpected or self.mismatched)

    def __str__(self) -> str:
        num_in_network = len(self.matched) + len(self.missing) + len(self.mismatched)
        shapes = tuple(
            f"{key} (file {'x'.join(map(str, in_file))}, network {'x'.join(map(str, in_network))})"
            for key, (in_file, in_network) in self.mismatched.items()
        )
        fit = "" if self.complete or not self.matched else f": {_parts(self.matched)}"
        lines = [f"{len(self.matched)} of the network's {num_in_network} tensors fit{fit}"]
        kinds = {"missing from the file": self.missing, "not in the network": self.unexpected}
        for what, keys in (kinds | {"of another shape": shapes}).items():
            more = ", …" if len(keys) > _NUM_NAMED else ""
            if keys:
                lines.append(f"{len(keys)} {what}: {', '.join(keys[:_NUM_NAMED])}{more}")
        return "\n".join(lines)


def _parts(keys: Iterable[str]) -> str:
    """The network's parts that keys are of, and how many of each: body 690, conv_first 1."""
    counts = Counter(key.split(".")[0] for key in keys)
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def load_generator(
    path: Path | str, *, part: Part = GENERATOR, scale: int | None = None
) -> Generator:
    """The generator that a file holds, on the CPU, in float32 and evaluation mode.

    Scale, size and BatchNorm of published networks are read from the shapes of the weights.
    Residual scaling, and that one step of RRDBNet enlarges by 3, are not to be seen there: they are
    taken from the file's `architecture` entry (our releases and checkpoints have it), and are
    otherwise as published: 0.2 in RRDBNet, 1 in SRResNet, no step of 3. So is the activation of a
    SRVGGNetCompact without slopes, otherwise ReLU. All other generators of
    `esrgan.networks` are built from that entry, and so are those of spandrel. What is none of ours
    is read by spandrel, if that is installed and knows it. Of several sets of weights, the average
    (EMA) is taken unless `part` says otherwise. `scale` tells what the file does not, that of one
    step.

    Raises:
        WeightsError: as for `load_state_dict_file`, or the weights are of no network known here, or
            of one of another scale.
    """
    return generator_in(reading.read_weights_file(path), part=part, scale=scale)


def generator_in(
    file: WeightsFile, *, part: Part = GENERATOR, scale: int | None = None
) -> Generator:
    """`load_generator` of a file that has been read; the network takes over its tensors."""
    declared = {**file.architecture, **({} if scale is None else {"scale": scale})}
    state = file.weights(part)
    try:
        network = _network_in(file, state, lambda s: architecture.build_generator(s, declared))
    except WeightsError as error:
        network = _by_spandrel(file, state, otherwise=error)
    found = architecture.scale_of(network)
    if scale not in (None, found):
        raise WeightsError(f"{file.path} is of scale {found}, not {scale}: give that, or none")
    return network


def load_discriminator(path: Path | str) -> Discriminator:
    """The discriminator that a file holds: its kind and `input_size` are read from the shapes.

    Raises:
        WeightsError: as for `load_state_dict_file`, or there is no discriminator known here.
    """
    file = reading.read_weights_file(path)
    return _network_in(file, file.weights(reading.DISCRIMINATOR), architecture.build_discriminator)


def load_into(network: Generator, path: Path | str, *, allow_partial: bool) -> MatchReport:
    """Start a network from the weights of a file, in place; `allow_partial`: from those that fit.

    A tensor fits where name and shape are the network's; the others keep what the network has. From
    x4 to RRDB of x2 and x1 that is all but the weight of the first convolution, which folds pixels
    into more channels, as Real-ESRGAN's x2 began; to x3 all but the second enlargement, the first
    being taken for that by 3, as the authors' MSRResNet of x3 began (BasicSR). Where an enlargement
    has another shape (pixel-shuffle), it is not taken.

    When an error is raised, the network is as it was.

    Raises:
        WeightsError: as for `load_state_dict_file`; or nothing fits, or not everything does and
            `allow_partial` is not set.
    """
    state = _named_alike(reading.load_state_dict_file(path), network)
    report = compare(state, network.state_dict())
    if not report.matched:
        raise WeightsError(f"nothing in {path} fits the network:\n{report}")
    if not (report.complete or allow_partial):
        raise WeightsError(
            f"{path} fits the network only in part (init_partial=true loads that part):\n{report}"
        )
    network.load_state_dict({key: state[key] for key in report.matched}, strict=False)
    return report


def load_discriminator_into(network: nn.Module, path: Path | str) -> MatchReport:
    """Start a discriminator from the weights of a file, in place, and from all of them.

    When an error is raised, the network is as it was.

    Raises:
        WeightsError: as for `load_state_dict_file`, or they are of another discriminator.
    """
    state = reading.read_weights_file(path).weights(reading.DISCRIMINATOR)
    report = compare(state, network.state_dict())
    if not report.complete:
        raise WeightsError(
            f"{path} does not fit the discriminator: choose the kind and size that it is of "
            "(Real-ESRGAN's are of discriminator=unet), and the patch_size, where it takes one "
            f"only:\n{report}"
        )
    network.load_state_dict(state)
    return report


def compare(in_file: Mapping[str, Tensor], in_network: Mapping[str, Tensor]) -> MatchReport:
    shared = [key for key in in_network if key in in_file]
    differs = {
        key: (tuple(in_file[key].shape), tuple(in_network[key].shape))
        for key in shared
        if in_file[key].shape != in_network[key].shape
    }
    return MatchReport(
        matched=tuple(key for key in shared if key not in differs),
        missing=tuple(key for key in in_network if key not in in_file),
        unexpected=tuple(key for key in in_file if key not in in_network),
        mismatched=differs,
    )


def _network_in(
    file: WeightsFile, state: StateDict, build: Callable[[StateDict], _Network]
) -> _Network:
    try:
        network = build(state)
    except ValueError as error:
        raise WeightsError(f"{file.path} cannot be loaded: {error}{_known(state)}") from error
    state = _named_alike(state, network)
    report = compare(state, network.state_dict())
    if not report.complete:
        name = getattr(network, "architecture", type(network).__name__)
        raise WeightsError(f"{file.path} looks like {name}, but does not fit it:\n{report}")
    network.load_state_dict(state, assign=True)
    return network.eval()


def _known(state: StateDict) -> str:
    """What spandrel says of weights, or how it is asked, for the end of a message."""
    if not is_installed():
        return f". Spandrel, which reads many more networks, is not installed: {INSTALL}"
    name = name_of(state)
    return f" (spandrel knows it as {name})" if name else ""


def _by_spandrel(file: WeightsFile, state: StateDict, *, otherwise: WeightsError) -> Generator:
    """The network that spandrel reads; where it reads none, the error of our own networks."""
    try:
        return read_spandrel_network(state).eval()
    except UnusableNetworkError as error:
        raise WeightsError(f"{file.path} cannot be used: {error}") from error
    except ValueError:
        raise otherwise from None


def _named_alike(state: StateDict, network: nn.Module) -> StateDict:
    """Weights in the names of a network of spandrel's, where it has others for them."""
    if not isinstance(network, SpandrelNetwork) or state.keys() == network.state_dict().keys():
        return state
    return dict(spandrel_keys(state))
