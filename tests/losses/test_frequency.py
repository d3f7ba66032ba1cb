import pytest
import torch

from esrgan.losses import FocalFrequencyLoss


def test_two_pixels_by_hand() -> None:
    """Differences (3, 1) have the spectrum (4, 2)/sqrt 2: squares 8 and 2, weights 1 and 1/2."""
    sr, gt = torch.tensor([[[[3.0, 1.0]]]]), torch.zeros(1, 1, 1, 2)
    assert FocalFrequencyLoss(alpha=1.0)(sr, gt).item() == pytest.approx((8 + 2 / 2) / 2)
    assert FocalFrequencyLoss(alpha=2.0)(sr, gt).item() == pytest.approx((8 + 2 / 4) / 2)


def test_without_weights_it_is_the_mean_squared_error() -> None:
    """Parseval's theorem."""
    generator = torch.Generator().manual_seed(0)
    sr, gt = torch.rand(2, 2, 3, 16, 12, generator=generator)
    found = FocalFrequencyLoss(alpha=0.0)(sr, gt)
    torch.testing.assert_close(found, (sr - gt).square().mean())


def test_weights_are_those_of_each_image_and_channel_and_carry_no_gradient() -> None:
    """Scaled as a whole, an image's weights stay: the gradient is 2 w F(d), as of constants."""
    small, large = torch.tensor([[[[3.0, 1.0]]]]), 10 * torch.tensor([[[[3.0, 1.0]]]])
    both = torch.cat([small, large]).requires_grad_()
    loss = FocalFrequencyLoss(alpha=1.0)(both, torch.zeros(2, 1, 1, 2))
    assert loss.item() == pytest.approx((4.5 + 450) / 2)
    loss.backward()
    # By hand: the inverse transform of 2 · (1 · 4, 1/2 · 2)/sqrt 2, over 4 elements
    assert both.grad[0].flatten().tolist() == pytest.approx([5 / 4, 3 / 4])


def test_a_negative_alpha_is_refused() -> None:
    with pytest.raises(ValueError, match=r"focal_frequency.loss.alpha \(-1\) must be at least 0"):
        FocalFrequencyLoss(alpha=-1)
