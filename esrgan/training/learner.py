"""A network in training: what updates its weights, and what keeps an update from spoiling them."""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from esrgan.training.averaging import Averaging
from esrgan.training.optimizers import (
    as_used,
    continued_groups,
    has_a_switch,
    naming,
    step_where,
    trains,
)

MakeOptimizer = Callable[[Iterable[Parameter]], Optimizer]
MakeSchedule = Callable[[Optimizer], LRScheduler]


REMEDIES = (
    "A lower learning rate (training.optimizer.lr), gradient clipping (training.guard.clip_norm=1) "
    "or precision=32-true are the usual remedies."
)


class NonFiniteError(ValueError):
    """A training has numbers that are not finite, and does not recover from them."""


class Update(NamedTuple):
    """Whether weights were updated (scalar boolean, on the device), and the gradients' norm.

    The norm is that before clipping.
    """

    taken: Tensor
    norm: Tensor


class FiniteGuard(nn.Module):
    """Skips the updates that would spoil the weights, and counts them.

    The counts are buffers: they stay on the device, so that the decision costs no synchronisation
    with the host, and they are saved with the training state.

    Args:
        clip_norm: the largest L2 norm that all gradients together may have; None: any.
        max_in_a_row: `check` raises once this many updates in a row were skipped.

    Attributes:
        began: the iteration, counted from 1, with which the newest streak of skipped updates began;
            0: there was none since the run was started or continued.
    """

    in_a_row: Tensor
    longest: Tensor
    skipped: Tensor
    began: Tensor

    def __init__(self, *, clip_norm: float | None, max_in_a_row: int) -> None:
        super().__init__()
        if clip_norm is not None and not clip_norm > 0:
            raise ValueError(f"clip_norm ({clip_norm}) must be more than 0; null: no clipping")
        if max_in_a_row < 1:
            raise ValueError(f"max_in_a_row ({max_in_a_row}) must be at least 1")
        self.clip_norm, self.max_in_a_row = clip_norm, max_in_a_row
        for name in ("in_a_row", "longest", "skipped"):
            self.register_buffer(name, torch.zeros((), dtype=torch.long))
        # No checkpoint is of a streak, so that none need tell of one
        self.register_buffer("began", torch.zeros((), dtype=torch.long), persistent=False)

    def step(self, optimizer: Optimizer, figures: Tensor, *, iteration: int = 0) -> Update:
        """Clip the gradients and update the weights, if the figures and all gradients are finite.

        Args:
            optimizer: its parameters hold the gradients.
            figures: whatever else has to be finite, the losses among it.
            iteration: counted from 0.
        """
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients, foreach=True)
        if self.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, self.clip_norm, norm, foreach=True)
        finite = torch.isfinite(norm) & torch.isfinite(figures.detach().sum())
        step_where(optimizer, finite)
        self.in_a_row.add_(1).mul_(~finite)
        self.began.copy_(torch.where(self.in_a_row == 1, iteration + 1, self.began))
        torch.maximum(self.longest, self.in_a_row, out=self.longest)
        self.skipped.add_(~finite)
        return Update(finite, norm)

    def check(self, network: str) -> None:
        """Wait for the device and see whether training still works.

        Args:
            network: the name of what is trained, for the message.

        Raises:
            NonFiniteError: `max_in_a_row` updates in a row were skipped.
        """
        if int(self.longest) >= self.max_in_a_row:
            raise NonFiniteError(
                f"the loss or a gradient of the {network} was not finite in {int(self.longest)} "
                f"iterations in a row ({int(self.skipped)} in all); its weights and their EMA "
                f"were left as they were before. {REMEDIES}"
            )


class Learner(nn.Module):
    """A network with its optimizer, schedule, guard and, perhaps, the EMA of its weights.

    Args:
        network: is laid out with the channels last in memory, where convolutions of 3x3 run
            fastest, on CPUs and GPUs alike.
        optimizer: completed here with the network's parameters.
        schedule: completed here with the optimizer; counts iterations.
        guard: takes the updates, unless a gradient is not finite.
        ema_decay: how much of the exponential moving average of the weights stays per iteration,
            e.g. 0.999; None: there is no EMA.
        ema_warmup: let less of it stay in the first iterations, or it would remember the random
            first weights for several times 1 / (1 - decay) of them. False is BasicSR's EMA.

    Attributes:
        ema: a frozen copy of the network, so that validation, checkpoints and releases read the
            EMA where it is and nothing is ever swapped in place. Of a schedule-free optimizer's
            weights it has those that are to be used, or the EMA of these.

    Raises:
        ValueError: a number is out of range.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule,
        guard: FiniteGuard,
        ema_decay: float | None,
        ema_warmup: bool = True,
    ) -> None:
        super().__init__()
        if ema_decay is not None and not 0 < ema_decay < 1:
            raise ValueError(
                f"training.ema_decay ({ema_decay}) must lie between 0 and 1, e.g. 0.999; "
                "null trains without one"
            )
        self.network = network.to(memory_format=torch.channels_last)
        self.guard, self.ema_decay, self.ema_warmup = guard, ema_decay, ema_warmup
        # To walk through hundreds of layers in every iteration takes a GPU's host longer than Adam
        self._weights = list(self.network.parameters())
        self._statistics = Buffers(self.network)
        with naming("optimizer", optimizer):
            self.optimizer = trains(optimizer(self._weights))
        with naming("schedule", schedule):
            self.schedule = schedule(self.optimizer)
        self.ema: nn.Module | None = None
        if ema_decay is not None or has_a_switch(self.optimizer):
            self.ema = deepcopy(self.network).requires_grad_(False).eval()
            self._ema_weights: list[Tensor] = list(self.ema.parameters())
            self._ema_statistics = Buffers(self.ema)

    def begin(self, *, passes: int | None) -> Averaging:
        """Forget the gradients of before; those of the passes that follow are the next update's.

        After them, what is returned wants to be sent, with the figures that have to be finite (the
        losses among them), and then handed to `update`. It says what `passes` are.
        """
        self._statistics.keep()
        self.optimizer.zero_grad()
        return Averaging(self._weights, passes=passes)

    def update(self, averaging: Averaging, *, iteration: int) -> Update:
        """Update weights and EMA by the gradients of the global batch, if everything is finite.

        Where the update is not taken, the network's buffers, which the passes moved, get back what
        they had when `begin` was called.

        Args:
            averaging: has been sent.
            iteration: as for `update_ema`.
        """
        averaging.receive()
        has_to_be_finite = torch.cat([each.reshape(-1) for each in averaging.figures])
        update = self.guard.step(self.optimizer, has_to_be_finite, iteration=iteration)
        self._statistics.restore_unless(update.taken)
        with as_used(self.optimizer, self._weights):
            self.update_ema(iteration, update.taken)
        return update

    @torch.no_grad()
    def update_ema(self, iteration: int, taken: Tensor) -> None:
        """Move the EMA a towards the weights w: a <- a + (1 - decay) (w - a).

        Buffers (the running statistics of BatchNorm) are copied: they are averages already.

        Args:
            iteration: counted from 0.
            taken: where it is false, nothing changes. A tensor, so that the decision needs no
                synchronisation with the host.
        """
        if self.ema is None:
            return
        weights: list[Tensor] = [*self._weights]
        if self.ema_decay is None:  # where no update was taken, they are what they were
            torch._foreach_copy_(self._ema_weights, weights)
        else:
            warm = (1 + iteration) / (10 + iteration) if self.ema_warmup else 1.0
            differences = torch._foreach_sub(weights, self._ema_weights)
            torch._foreach_mul_(differences, (1 - min(self.ema_decay, warm)) * taken)
            torch._foreach_add_(self._ema_weights, differences)
        for mine, theirs in zip(self._ema_statistics.all(), self._statistics.all(), strict=True):
            mine.copy_(torch.where(taken, theirs, mine))

    def progress(self) -> dict[str, Any]:
        """What a continued run needs besides the weights: plain containers of tensors, numbers."""
        return {
            "guard": self.guard.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def load_progress(self, state: Mapping[str, Any], *, planned_anew: int | None = None) -> None:
        """Continue from what `progress` returned.

        `planned_anew` is the iteration, where optimizer or schedule have other settings than they
        had. They keep those, and what comes is as if they had had them from the start; of `state`,
        the optimizer takes the moments, and what else it counts.
        """
        self.guard.load_state_dict(state["guard"])
        if planned_anew is None:
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            return
        self.optimizer.load_state_dict(continued_groups(self.optimizer, state["optimizer"]))
        for _ in range(planned_anew):
            self.schedule.step()

    @property
    def learning_rates(self) -> list[float]:
        """Of the optimizer's groups, as the next iteration has them."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]


class Buffers:
    """The buffers of a network; they can be put back where an update is not taken.

    The passes before an update move the running statistics of BatchNorm.
    """

    def __init__(self, network: nn.Module) -> None:
        # The layers, because a buffer is another object once its layer was brought to a device
        self._layers = [
            layer for layer in network.modules() if any(True for _ in layer.buffers(recurse=False))
        ]
        self._before: list[Tensor] = []

    def all(self) -> list[Tensor]:
        return [buffer for layer in self._layers for buffer in layer.buffers(recurse=False)]

    def keep(self) -> None:
        """Remember the values that they have now."""
        self._before = [buffer.clone() for buffer in self.all()]

    def restore_unless(self, taken: Tensor) -> None:
        for buffer, before in zip(self.all(), self._before, strict=True):
            buffer.copy_(torch.where(taken, buffer, before))
