"""The processes of a run: what they share, compute and decide together.

Everything here works without a process group too, for a run in one process.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed import distributed_c10d

Value = TypeVar("Value")

_set_timeout = getattr(dist, "set_timeout", None) or distributed_c10d._set_pg_timeout


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def average(tensors: Sequence[Tensor]) -> None:
    """Replace tensors, in place, by their means over all processes: one message for all of them."""
    begin_average(tensors)()


def begin_average(tensors: Sequence[Tensor]) -> Callable[[], None]:
    """Begin what `average` does; what is returned waits for the end, and then replaces them.

    All processes have to begin the same averages in the same order, and have as many numbers.
    """
    if world_size() == 1 or not tensors:
        return _nothing
    stored = [_as_stored(tensor) for tensor in tensors]
    message = torch.cat([tensor.reshape(-1) for tensor in stored])
    work = dist.all_reduce(message, async_op=True)

    def end() -> None:
        work.wait()
        message.div_(world_size())
        means = torch.split(message, [tensor.numel() for tensor in stored])
        shaped = [mean.view_as(tensor) for mean, tensor in zip(means, stored, strict=True)]
        torch._foreach_copy_(stored, shaped)

    return end


def _as_stored(tensor: Tensor) -> Tensor:
    """With its dimensions as they lie in memory: what has its channels last is copied as it is."""
    return tensor.permute(sorted(range(tensor.dim()), key=tensor.stride, reverse=True))


def _nothing() -> None:
    pass


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

    Args:
        longest_wait: seconds, of which each may take so many before it answers. Twice as many are
            the most that a process is waited for from the first call on, whatever for.
    """

    def __init__(self, *, longest_wait: float = 900) -> None:
        self._timeout = timedelta(seconds=2 * longest_wait)
        self._is_begun = False
        self._gloo: Any = None

    @property
    def _group(self) -> Any:  # noqa: ANN401 # None is one, too
        """NCCL knows only GPUs. gloo compares numbers that are in the memory of the host."""
        if not self._is_begun:
            self._is_begun = True
            _set_timeout(self._timeout, dist.group.WORLD)
            if dist.get_backend() != "gloo":
                self._gloo = dist.new_group(backend="gloo", timeout=self._timeout)
        return self._gloo

    def largest(self, number: int) -> int:
        """The largest of the processes' numbers."""
        return self.begin_largest(lambda: number)()

    def begin_largest(self, number: Callable[[], int]) -> Callable[[], int]:
        """Begin to ask all processes for a number; what is returned waits for the largest.

        One process alone is asked only then.
        """
        if world_size() == 1:
            return number
        tensor = torch.tensor(number())
        work = dist.all_reduce(tensor, dist.ReduceOp.MAX, group=self._group, async_op=True)

        def end() -> int:
            work.wait()
            return int(tensor)

        return end

    def merged(self, mine: Mapping[str, Value]) -> dict[str, Value]:
        """What all processes have, by its name."""
        if world_size() == 1:
            return dict(mine)
        parts: list[Any] = [None] * world_size()
        dist.all_gather_object(parts, dict(mine), group=self._group)
        return {name: value for part in parts for name, value in part.items()}

    def require_equal(self, value: object, what: str) -> None:
        """A ValueError where the processes differ, in `what`."""
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
