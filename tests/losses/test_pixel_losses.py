import math

import pytest
import torch
from torch import nn

from esrgan.losses import CharbonnierLoss, ChromaLoss, LumaLoss


def pixel(*rgb: float, side: int = 1) -> torch.Tensor:
    return torch.tensor(rgb).view(1, 3, 1, 1).expand(1, 3, side, side)


def test_charbonnier_is_the_mean_of_roots() -> None:
    sr, gt = torch.tensor([0.3, 0.0]), torch.tensor([0.0, 0.0])
    expected = (math.sqrt(0.09 + 0.16) + 0.4) / 2
    assert CharbonnierLoss(eps=0.4)(sr, gt).item() == pytest.approx(expected)


def test_charbonnier_has_a_gradient_of_zero_where_images_are_equal() -> None:
    sr = torch.full((2, 3, 4, 4), 0.5, requires_grad=True)
    CharbonnierLoss(eps=1e-3)(sr, sr.detach()).backward()
    assert torch.equal(sr.grad, torch.zeros_like(sr))


def test_luma_is_that_of_the_standard() -> None:
    """Of red, green and blue alone, the weights of BT.601."""
    loss = LumaLoss(criterion=nn.L1Loss())
    black = pixel(0.0, 0.0, 0.0)
    found = [loss(pixel(*rgb), black).item() for rgb in ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0))]
    assert found == pytest.approx([0.299, 0.587, 0.114])


def test_luma_does_not_see_a_colour_of_the_same_luminance() -> None:
    loss = LumaLoss(criterion=nn.L1Loss())
    assert loss(pixel(0.587, 0, 0), pixel(0, 0.299, 0)).item() == pytest.approx(0, abs=1e-7)


def test_chroma_is_that_of_jpeg() -> None:
    """JFIF: blue has Cb = 0.5 and Cr = -0.114/1.402 = -0.08131; grey has neither."""
    loss = ChromaLoss(criterion=nn.L1Loss(), sigma=0, patch_size=1)
    found = loss(pixel(0.0, 0.0, 1.0), pixel(0.7, 0.7, 0.7)).item()
    assert found == pytest.approx((0.5 + 0.0813124) / 2, abs=1e-6)


def test_chroma_sees_a_tint_but_neither_brightness_nor_colours_that_cancel_out() -> None:
    loss = ChromaLoss(criterion=nn.L1Loss(), sigma=3.0, patch_size=32)
    grey = pixel(0.5, 0.5, 0.5, side=32)
    assert loss(grey + 0.2, grey).item() == pytest.approx(0, abs=1e-6)
    assert loss(pixel(0.6, 0.5, 0.5, side=32), grey).item() > 0.02
    board = (torch.arange(32)[:, None] + torch.arange(32)) % 2
    checked = grey + 0.1 * (2 * board - 1) * pixel(1.0, 0.0, -1.0, side=32)
    sharp = ChromaLoss(criterion=nn.L1Loss(), sigma=0, patch_size=32)
    assert loss(checked, grey).item() < 1e-3 * sharp(checked, grey).item()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CharbonnierLoss(eps=0), r"charbonnier.loss.eps \(0\) must be more than 0"),
        (
            lambda: ChromaLoss(criterion=nn.L1Loss(), sigma=-1, patch_size=32),
            r"chroma.loss.sigma \(-1\) must be at least 0",
        ),
        (
            lambda: ChromaLoss(criterion=nn.L1Loss(), sigma=3.0, patch_size=9),
            r"training.losses.chroma: patch_size \(9\) must be at least 10 for a blur of sigma=3",
        ),
    ],
)
def test_what_cannot_work_is_refused(make, words) -> None:
    with pytest.raises(ValueError, match=words):
        make()
