from torch import Tensor, nn


class WeightedLoss(nn.Module):
    """A loss and its weight in the sum that is minimised.

    Args:
        loss: takes the super-resolved and the true images, (N, C, H, W), and returns a scalar.
        weight: what the scalar is multiplied by; more than zero. A term that is not wanted is
            set to null in the config, not weighted with zero.
    """

    def __init__(self, *, loss: nn.Module, weight: float) -> None:
        super().__init__()
        if not weight > 0:
            raise ValueError(
                f"the weight of a loss ({weight}) must be more than 0: to leave the term out, "
                "set it to null (training.losses.NAME=null)"
            )
        self.loss = loss
        self.weight = weight

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        value: Tensor = self.loss(sr, gt)
        return self.weight * value
