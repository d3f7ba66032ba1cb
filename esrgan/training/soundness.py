"""Whether the state of a training is worth keeping: finite numbers, the same in all processes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from esrgan.training.learner import REMEDIES, Learner, NonFiniteError
from esrgan.training.ranks import Ranks, rank, world_size

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""By their bytes."""


def is_in_a_streak(learners: Mapping[str, Learner]) -> bool:
    """Whether the newest update of a network was skipped; waits for the device."""
    return any(int(learner.guard.in_a_row) > 0 for learner in learners.values())


def require_finite(learners: Mapping[str, Learner], iteration: int) -> None:
    """Refuse to go on from weights, EMA or moments that no update mends; waits for the device.

    Losses and gradients say nothing of the update that they lead to: a learning rate of 1e38 makes
    infinite weights of finite gradients.

    Raises:
        NonFiniteError: names the iteration, the network and what of it is not finite.
    """
    for network, learner in learners.items():
        for part, tensors in _parts(learner).items():
            if not all(bool(tensor.isfinite().all()) for tensor in tensors):
                raise NonFiniteError(
                    f"iteration {iteration}: {part} of the {network} are not finite, and no update "
                    "can mend them; the newest checkpoint is from before. " + REMEDIES
                )


def require_alike(learners: Mapping[str, Learner], ranks: Ranks, iteration: int) -> None:
    """Refuse to go on where processes, which all take the same updates, have different weights.

    Raises:
        ValueError: on all processes; names the iteration, the network and the processes.
    """
    if world_size() == 1:
        return
    mine = {network: fingerprint(learner.parameters()) for network, learner in learners.items()}
    everybodys = ranks.merged({str(rank()): mine})
    for network in learners:
        first = everybodys["0"][network]
        others = [number for number, its in everybodys.items() if its[network] != first]
        if others:
            raise ValueError(
                f"iteration {iteration}: the weights of the {network} in process "
                f"{', '.join(others)} are not those of process 0, although all take the same "
                "updates; no checkpoint was written. The newest is from before: resume=true goes "
                "on from it. If it happens again, a device computes wrongly, or the nodes differ "
                "(processors, GPUs, versions of PyTorch)"
            )


def fingerprint(tensors: Iterable[Tensor]) -> int:
    """Differs, as good as surely, where a bit of the tensors does; waits for the device.

    It is the sum of their bits, read as integers: there is no rounding that depends on an order.
    """
    bits = [tensor.detach().view(_INTEGERS[tensor.element_size()]) for tensor in tensors]
    return int(torch.stack([each.sum(dtype=torch.long) for each in bits]).sum())


def _parts(learner: Learner) -> dict[str, list[Tensor]]:
    ema = {} if learner.ema is None else learner.ema.state_dict()
    return {
        "weights": list(learner.network.state_dict().values()),
        "averaged weights (EMA)": list(ema.values()),
        "moments of the optimizer": list(_tensors(learner.optimizer.state_dict()["state"])),
    }


def _tensors(state: Mapping[Any, Mapping[str, Any]]) -> Iterator[Tensor]:
    for values in state.values():
        yield from (value for value in values.values() if isinstance(value, Tensor))
