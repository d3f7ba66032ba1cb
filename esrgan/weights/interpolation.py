"""Network interpolation (section 3.4 of the ESRGAN paper)."""

from copy import deepcopy
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional as F

from esrgan.weights.architecture import Generator, architecture_of

SAME_LINEAGE = 0.3
"""Measured `lineage_similarity`: 0.7 or more after a fine-tuning, harsh ones of small networks
included; less than 0.05 between networks that began from weights of their own."""


def interpolate(a: Generator, b: Generator, alpha: float) -> Generator:
    """The network whose weights are (1 - alpha) A + alpha B, in float32.

    A is usually trained for PSNR, and B is A after its adversarial training; alpha = 0 gives A
    exactly, 1 gives B. Averages of BatchNorm are interpolated as the weights are. Its counters, and
    whatever else is no floating-point number, come from the nearer network; at 0.5, from B.

    Raises:
        ValueError: alpha is not from 0 to 1, or the networks are not of one architecture.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(
            f"alpha ({alpha}) must be from 0 (the first network) to 1 (the second): "
            "beyond them it would extrapolate, to weights that no training has been near"
        )
    _refuse_different(a, b)
    state = b.state_dict()
    mixed = {key: _mix(x, state[key], alpha) for key, x in a.state_dict().items()}
    network = deepcopy(a).to(torch.float32)
    network.load_state_dict(mixed)
    return network


def lineage_similarity(a: Generator, b: Generator) -> float:
    """How much of a training two networks share: the median cosine between their convolutions.

    Between networks there is something only if one was fine-tuned from the other, or both from a
    third. Fine-tuning keeps the filters correlated (X. Wang et al., Deep Network Interpolation,
    CVPR 2019), and the cosine near 1; filters that were trained apart are orthogonal. Trainings
    that began from the same random weights look related as long as they are short.
    """
    _refuse_different(a, b)
    state = b.state_dict()
    pairs = [
        (x.flatten(), state[key].flatten()) for key, x in a.state_dict().items() if x.dim() == 4
    ]
    return median(F.cosine_similarity(x.double(), y.double(), dim=0).item() for x, y in pairs)


def lineage_warning(a: Generator, b: Generator, *, names: str) -> str | None:
    """What to say of two networks, called `names`, that are less alike than `SAME_LINEAGE`.

    As `interpolate`, it refuses networks of different architecture.
    """
    similarity = lineage_similarity(a, b)
    if similarity >= SAME_LINEAGE:
        return None
    return (
        f"{names} have hardly a training in common (the similarity of their weights is "
        f"{similarity:.2f}, not {SAME_LINEAGE} or more). What lies between them means nothing, "
        "unless one was trained on from the other"
    )


def _refuse_different(a: Generator, b: Generator) -> None:
    other = architecture_of(b)
    differences = ", ".join(
        f"{name} is {value} and {other.get(name, 'not known')}"
        for name, value in architecture_of(a).items()
        if value != other.get(name)
    )
    if differences:
        rule = "only networks of one architecture can be interpolated"
        raise ValueError(f"{rule}: in these two, {differences}")


def _mix(x: Tensor, y: Tensor, alpha: float) -> Tensor:
    if not x.is_floating_point():
        return x if alpha < 0.5 else y
    return (1 - alpha) * x.float() + alpha * y.float()
