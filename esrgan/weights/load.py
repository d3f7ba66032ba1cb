"""Networks from weight files."""

from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn

from esrgan.weights.architecture import Generator, build_for
from esrgan.weights.discriminators import Discriminator, build_discriminator_for
from esrgan.weights.files import WeightsError, load_state_dict_file, read_weights_file
from esrgan.weights.match import MatchReport, compare
from esrgan.weights.parts import DISCRIMINATOR, GENERATOR, Part

Network = TypeVar("Network", bound=nn.Module)


def load_generator(path: Path | str, *, part: Part = GENERATOR) -> Generator:
    """The generator that a file holds, on the CPU, in float32 and evaluation mode.

    Scale, size and BatchNorm are read from the shapes of the weights. Residual scaling, and that
    one step of RRDBNet enlarges by 3, are not to be seen there: they are taken from the file's
    `architecture` entry (our releases and checkpoints have it), and are otherwise as published:
    0.2 in RRDBNet, 1 in SRResNet, no step of 3.

    Args:
        path: .pth, .pt, .ckpt or .safetensors.
        part: which of a file's weights: the average (EMA) where there is one, unless told.

    Raises:
        WeightsError: as for `load_state_dict_file`, or the weights are of no network known here.
    """
    state, declared = read_weights_file(path, part)
    try:
        network = build_for(state, declared)
    except ValueError as error:
        raise WeightsError(f"{path} cannot be loaded: {error}") from error
    return _filled(network, state, path, looks_like=str(network.architecture))


def load_discriminator(path: Path | str) -> Discriminator:
    """The discriminator that a file or a checkpoint of a run holds, as `load_generator` gives one.

    Its kind and the size of its images are read from the shapes of the weights.

    Raises:
        WeightsError: as for `load_state_dict_file`, or there is no discriminator known here.
    """
    state, _ = read_weights_file(path, DISCRIMINATOR)
    try:
        network = build_discriminator_for(state)
    except ValueError as error:
        raise WeightsError(f"{path} cannot be loaded: {error}") from error
    return _filled(network, state, path, looks_like=type(network).__name__)


def _filled(
    network: Network, state: dict[str, Tensor], path: Path | str, *, looks_like: str
) -> Network:
    report = compare(state, network.state_dict())
    if not report.complete:
        raise WeightsError(f"{path} looks like {looks_like}, but does not fit it:\n{report}")
    network.load_state_dict(state, assign=True)
    return network.eval()


def load_into(network: nn.Module, path: Path | str, *, allow_partial: bool) -> MatchReport:
    """Start a network from the weights of a file, in place.

    Args:
        network: left as it is when an error is raised.
        path: any file that `load_state_dict_file` reads.
        allow_partial: load what fits and leave the rest of the network as it is.

    Raises:
        WeightsError: as for `load_state_dict_file`; or nothing fits, or not everything does and
            `allow_partial` is not set.
    """
    state = load_state_dict_file(path)
    report = compare(state, network.state_dict())
    if not report.matched:
        raise WeightsError(f"nothing in {path} fits the network:\n{report}")
    if not (report.complete or allow_partial):
        raise WeightsError(
            f"{path} fits the network only in part (init_partial=true loads that part):\n{report}"
        )
    network.load_state_dict({key: state[key] for key in report.matched}, strict=False)
    return report
