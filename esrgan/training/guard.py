"""An optimizer step that a non-finite loss or gradient cannot take."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class NonFiniteError(ValueError):
    """Too many iterations in a row had a loss or a gradient that was not finite."""


class FiniteGuard(nn.Module):
    """Skips the updates that would spoil the weights, and counts them.

    The counts are buffers: they stay on the device, so that the decision costs no synchronisation
    with the host, and they are saved with the training state.

    Args:
        clip_norm: the largest L2 norm that all gradients together may have; None: any.
        max_in_a_row: `check` raises once this many updates in a row were skipped.
    """

    in_a_row: Tensor
    longest: Tensor
    skipped: Tensor

    def __init__(self, *, clip_norm: float | None, max_in_a_row: int) -> None:
        super().__init__()
        if clip_norm is not None and not clip_norm > 0:
            raise ValueError(f"clip_norm ({clip_norm}) must be more than 0; null: no clipping")
        if max_in_a_row < 1:
            raise ValueError(f"max_in_a_row ({max_in_a_row}) must be at least 1")
        self.clip_norm, self.max_in_a_row = clip_norm, max_in_a_row
        for name in ("in_a_row", "longest", "skipped"):
            self.register_buffer(name, torch.zeros((), dtype=torch.long))

    def step(self, optimizer: Optimizer, loss: Tensor) -> tuple[Tensor, Tensor]:
        """Clip the gradients and update the weights, if the loss and all gradients are finite.

        Args:
            optimizer: its parameters hold the gradients of `loss`.
            loss: scalar; a sum of figures will do, as only its being finite counts.

        Returns:
            Whether the weights were updated (scalar boolean) and the norm before clipping.
        """
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients, foreach=True)
        if self.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, self.clip_norm, norm, foreach=True)
        finite = torch.isfinite(norm) & torch.isfinite(loss.detach())
        _step_where(optimizer, finite)
        self._count(finite)
        return finite, norm

    def _count(self, finite: Tensor) -> None:
        self.in_a_row.add_(1).mul_(~finite)
        torch.maximum(self.longest, self.in_a_row, out=self.longest)
        self.skipped.add_(~finite)

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
                f"iterations in a row ({int(self.skipped)} in all); its weights and their average "
                "were left as they were before. A lower learning rate (training.optimizer.lr), "
                "gradient clipping (training.guard.clip_norm=1) or precision=32-true are the usual "
                "remedies."
            )


def _step_where(optimizer: Optimizer, finite: Tensor) -> None:
    if getattr(optimizer, "_step_supports_amp_scaling", False):
        # A fused optimizer reads this flag on the device and then changes nothing, not even its
        # step count: it is how torch.amp.GradScaler skips an update.
        optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
        optimizer.step()
    elif bool(finite):
        optimizer.step()


def restore_where(keep: Tensor, buffers: Sequence[Tensor], before: Sequence[Tensor]) -> None:
    """Give buffers the values they had before, where `keep` (scalar boolean) is false."""
    for buffer, old in zip(buffers, before, strict=True):
        buffer.copy_(torch.where(keep, buffer, old))
