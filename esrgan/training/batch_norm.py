"""BatchNorm over all processes of a run."""

from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from esrgan.training.ranks import average, world_size


class SynchronisedBatchNorm2d(nn.SyncBatchNorm):
    """Normalises by mean and variance over the samples of all processes, (N, C, H, W) on each.

    On a GPU it is PyTorch's, whose kernels are fused, although each pass waits for the device there
    (it drops processes without samples); it exists for nothing else. Elsewhere it is ours. All
    processes must have equally many samples. In evaluation mode it is BatchNorm2d.
    """

    def forward(self, features: Tensor) -> Tensor:
        if features.is_cuda or not self.training:
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
        mean, variance = _moments_over_ranks(x)
        inverse = (variance + eps).rsqrt()
        standardised = (x - _per_channel(mean)) * _per_channel(inverse)
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
        means = torch.stack((of_bias, of_weight)) / count
        average([means])
        through_statistics = _per_channel(means[0]) + standardised * _per_channel(means[1])
        of_features = (incoming - through_statistics) * _per_channel(weight * inverse)
        return of_features.to(gradients[0].dtype), of_weight, of_bias, None


def synchronise_batch_norm(network: nn.Module) -> None:
    """Turn every BatchNorm2d of a network, in place, into its synchronised form.

    In one process there is nothing to do.
    """
    if world_size() == 1:
        return
    layers: list[Any] = [each for each in network.modules() if type(each) is nn.BatchNorm2d]
    for layer in layers:
        # the parameters, which an optimizer may hold already, and the names stay as they are
        layer.__class__ = SynchronisedBatchNorm2d
        layer.process_group = None  # all of them


def _moments_over_ranks(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel over all processes, by one message."""
    mean = x.mean(dim=(0, 2, 3))
    # about a mean: the difference of two large means of squares would have few digits left
    variance = (x - _per_channel(mean)).square().mean(dim=(0, 2, 3))
    mine = torch.stack((mean, variance))
    parts = [torch.empty_like(mine) for _ in range(world_size())]
    dist.all_gather(parts, mine)
    means, variances = torch.stack(parts, dim=1)
    mean = means.mean(dim=0)
    return mean, variances.mean(dim=0) + (means - mean).square().mean(dim=0)


def _per_channel(vector: Tensor) -> Tensor:
    return vector.view(1, -1, 1, 1)
