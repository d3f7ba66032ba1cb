import pytest
import torch

from esrgan.losses import WeightedLoss


def test_the_value_is_the_loss_times_its_weight() -> None:
    loss = WeightedLoss(loss=torch.nn.L1Loss(), weight=0.25)
    assert loss(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0])).item() == 0.5


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_a_weight_that_is_not_positive_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match=r"^weight \(.*\) must be more than 0"):
        WeightedLoss(loss=torch.nn.L1Loss(), weight=weight)
