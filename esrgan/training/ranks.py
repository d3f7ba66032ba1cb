"""The processes of a run: what they share, compute and decide together.

Everything here works without a process group too, for a run in one process.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
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
        if world_size() == 1:
            return number
        tensor = torch.tensor(number)
        dist.all_reduce(tensor, dist.ReduceOp.MAX, group=self._group)
        return int(tensor)

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


class SynchronisedBatchNorm2d(nn.BatchNorm2d):
    """Normalises by mean and variance over the samples of all processes, (N, C, H, W) on each.

    torch.nn.SyncBatchNorm is the same for GPUs only. This one runs everywhere, so that what a GPU
    computes is tested without one. All processes must have equally many. In evaluation mode, and
    in one process, it is BatchNorm2d.
    """

    def forward(self, features: Tensor) -> Tensor:
        if not self.training or world_size() == 1:
            return super().forward(features)
        normalised, mean, variance = _Normalise.apply(features, self.weight, self.bias, self.eps)
        self._follow(mean, variance, features.numel() // features.shape[1] * world_size())
        output: Tensor = normalised
        return output

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics, as BatchNorm2d does: with the unbiased variance."""
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        self.num_batches_tracked.add_(1)


class _Normalise(torch.autograd.Function):
    """The statistics are computed in the precision of the weights, whatever autocast chose."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 # torch's context has no type
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        eps: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = features.to(weight.dtype)
        mean = _mean_over_ranks(x.mean(dim=(0, 2, 3)))
        centred = x - _per_channel(mean)
        # about the common mean: the difference of two large means would have few digits left
        variance = _mean_over_ranks(centred.square().mean(dim=(0, 2, 3)))
        inverse = (variance + eps).rsqrt()
        standardised = centred * _per_channel(inverse)
        ctx.save_for_backward(standardised, weight, inverse)
        ctx.mark_non_differentiable(mean, variance)
        output = standardised * _per_channel(weight) + _per_channel(bias)
        return output.to(features.dtype), mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # noqa: ANN401
        standardised, weight, inverse = ctx.saved_tensors
        incoming = gradients[0].to(weight.dtype)
        # This process's part: the gradients of weights are averaged with all others later.
        of_bias = incoming.sum(dim=(0, 2, 3))
        of_weight = (incoming * standardised).sum(dim=(0, 2, 3))
        count = incoming.numel() // incoming.shape[1]
        means = _mean_over_ranks(torch.stack((of_bias, of_weight)) / count)
        through_statistics = _per_channel(means[0]) + standardised * _per_channel(means[1])
        of_features = (incoming - through_statistics) * _per_channel(weight * inverse)
        return of_features.to(gradients[0].dtype), of_weight, of_bias, None


def synchronise_batch_norm(network: nn.Module) -> None:
    """Turn every BatchNorm2d of a network, in place, into its synchronised form."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            # the parameters, which an optimizer may hold already, and the names stay as they are
            module.__class__ = SynchronisedBatchNorm2d


def _mean_over_ranks(local: Tensor) -> Tensor:
    total = local.clone()
    dist.all_reduce(total)
    return total / world_size()


def _per_channel(vector: Tensor) -> Tensor:
    return vector.view(1, -1, 1, 1)
