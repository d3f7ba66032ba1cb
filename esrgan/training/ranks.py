"""The processes of a run: what they share, and what they decide together.

Everything here works without a process group too, for a run in one process.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

Value = TypeVar("Value")


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def average(tensors: Sequence[Tensor]) -> None:
    """Replace tensors, in place, by their means over all processes: one message for all of them."""
    if world_size() == 1:
        return
    message = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(message)
    message /= world_size()
    means = torch.split(message, [tensor.numel() for tensor in tensors])
    for tensor, mean in zip(tensors, means, strict=True):
        tensor.copy_(mean.view_as(tensor))


def gather(batch: Tensor) -> Tensor:
    """The samples of all processes, one after the other; the gradient goes back to this one's.

    Every process computes the same from them. What each sends back is multiplied by the number of
    processes, because gradients are averaged afterwards and those of a common number are to be
    added.

    Args:
        batch: (N, ...), of one size on all processes.

    Returns:
        (N times the number of processes, ...).
    """
    if world_size() == 1:
        return batch
    gathered: Tensor = _Gather.apply(batch)
    return gathered


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, batch: Tensor) -> Tensor:  # noqa: ANN401 # torch's context has no type
        ctx.size = len(batch)
        parts = [torch.empty_like(batch) for _ in range(world_size())]
        dist.all_gather(parts, batch.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        first = rank() * ctx.size
        return gradients[0][first : first + ctx.size] * world_size()


class Ranks:
    """Agreement between the processes, on the host: no device is waited for.

    All processes have to make the same calls in the same order.
    """

    def __init__(self) -> None:
        # NCCL knows only GPUs. gloo compares numbers that are in the memory of the host.
        on_gpus = dist.is_initialized() and dist.get_backend() != "gloo"
        self._group: Any = dist.new_group(backend="gloo") if on_gpus else None

    def largest(self, number: int) -> int:
        """The largest of the processes' numbers."""
        if world_size() == 1:
            return number
        tensor = torch.tensor(number)
        dist.all_reduce(tensor, dist.ReduceOp.MAX, group=self._group)
        return int(tensor)

    def totals(self, numbers: Sequence[float]) -> list[float]:
        """The sums of the processes' numbers, one by one."""
        tensor = torch.tensor(numbers, dtype=torch.float64)
        if world_size() > 1:
            dist.all_reduce(tensor, group=self._group)
        return [float(total) for total in tensor]

    def merged(self, mine: Mapping[str, Value]) -> dict[str, Value]:
        """What all processes have, by its name."""
        if world_size() == 1:
            return dict(mine)
        parts: list[Any] = [None] * world_size()
        dist.all_gather_object(parts, dict(mine), group=self._group)
        return {name: value for part in parts for name, value in part.items()}

    def require_equal(self, value: object, what: str) -> None:
        """Refuse to go on where the processes differ.

        Raises:
            ValueError: they do; `what` says in what.
        """
        values = set(self.merged({str(rank()): value}).values())
        if len(values) > 1:
            listed = ", ".join(sorted(map(str, values)))
            raise ValueError(
                f"the processes differ in {what} ({listed}): all nodes must see the same code, "
                "settings, weights and run folder"
            )

    @contextmanager
    def together(self, what: str) -> Iterator[None]:
        """Fail on every process where the block fails on one: the others would wait for ever.

        Raises:
            ValueError: another process failed; this one did not.
        """
        failure: Exception | None = None
        try:
            yield
        except Exception as error:
            failure = error
        failed = self.largest(int(failure is not None))
        if failure is not None:
            raise failure
        if failed:
            raise ValueError(f"another process failed while {what}: its own message says why")
