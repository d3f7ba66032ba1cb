"""What holds for every loss that needs no trained features; `test_learned_losses.py` has those."""

import pytest
import torch
from torch import nn

from esrgan.losses import (
    CharbonnierLoss,
    ChromaLoss,
    FocalFrequencyLoss,
    LDLLoss,
    LumaLoss,
    MSSSIMLoss,
)

SIDE = 24
LOSSES = {
    "charbonnier": CharbonnierLoss(eps=1e-3),
    "ms_ssim": MSSSIMLoss(scales=2, patch_size=SIDE),
    "focal_frequency": FocalFrequencyLoss(alpha=1.0),
    "ldl": LDLLoss(patch_size=SIDE),
    "luma": LumaLoss(criterion=nn.L1Loss()),
    "chroma": ChromaLoss(criterion=nn.L1Loss(), sigma=2.0, patch_size=SIDE),
}


@pytest.fixture(params=LOSSES)
def loss(request: pytest.FixtureRequest):
    """Of sr and gt; what the EMA makes is halfway between."""
    found = LOSSES[request.param]
    if not getattr(found, "needs_average", False):
        return found
    return lambda sr, gt: found(sr, gt, ((sr + gt) / 2).detach())


def images(low: float = -0.1, high: float = 1.1) -> tuple[torch.Tensor, torch.Tensor]:
    """Two batches of three images, with values that a network may put out beyond 0 and 1."""
    generator = torch.Generator().manual_seed(0)
    sr, gt = low + (high - low) * torch.rand(2, 3, 3, SIDE, SIDE, generator=generator)
    return sr, gt


def test_a_batch_has_the_mean_of_its_images(loss) -> None:
    """So that neither processes nor micro-batches change what is minimised."""
    sr, gt = images()
    alone = torch.stack([loss(sr[i : i + 1], gt[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(loss(sr, gt), alone.mean())


def test_its_gradient_is_that_of_differences(loss) -> None:
    sr, gt = (each[:1].double() for each in images())
    direction = torch.randn(sr.shape, generator=torch.Generator().manual_seed(1)).double()
    if loss is LOSSES["focal_frequency"]:  # its weights, taken for constants, are so on this way
        direction = sr - gt
    sr.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(sr, gt), sr)
    step = 1e-6 * direction
    expected = (loss(sr + step, gt) - loss(sr - step, gt)) / 2e-6
    torch.testing.assert_close((gradient * direction).sum(), expected, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_flat_images_that_are_equal_have_a_finite_gradient(loss, level) -> None:
    sr = torch.full((2, 3, SIDE, SIDE), level, requires_grad=True)
    value = loss(sr, sr.detach().clone())
    (gradient,) = torch.autograd.grad(value, sr)
    assert value.item() == pytest.approx(0, abs=2e-3)  # Charbonnier's is eps
    assert gradient.isfinite().all()
    assert gradient.abs().max() < 1e-3


def test_equal_photographs_have_a_finite_gradient(loss) -> None:
    sr = images()[0].requires_grad_()
    (gradient,) = torch.autograd.grad(loss(sr, sr.detach().clone()), sr)
    assert gradient.isfinite().all()


def test_autocast_changes_no_bit(loss) -> None:
    sr, gt = images()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(sr, gt)
    assert found.dtype == torch.float32
    assert torch.equal(found, loss(sr, gt))


def test_images_in_bfloat16_are_compared_in_float32(loss) -> None:
    sr, gt = (each.bfloat16() for each in images())
    assert torch.equal(loss(sr, gt), loss(sr.float(), gt.float()))
