"""Whether the state of a training is worth keeping: nothing in it is infinite or not a number."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from esrgan.training.learner import REMEDIES, Learner, NonFiniteError


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
