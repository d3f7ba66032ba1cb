"""BatchNorm whose statistics are those of the global batch.

torch.nn.SyncBatchNorm is the same for GPUs only. This one runs everywhere, so that what a GPU
computes is tested without one.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from esrgan.training.ranks import world_size


class SynchronisedBatchNorm2d(nn.BatchNorm2d):
    """Normalises by mean and variance over the samples of all processes, (N, C, H, W) on each.

    All processes must have equally many. In evaluation mode, and in one process, it is BatchNorm2d.
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
