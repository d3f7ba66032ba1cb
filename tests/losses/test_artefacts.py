import pytest
import torch

from esrgan.losses import LDLLoss, WeightedLoss
from esrgan.losses.artefacts import artefact_map

SIDE = 16


def one_wrong_pixel(value: float) -> torch.Tensor:
    images = torch.full((1, 3, SIDE, SIDE), 0.5)
    images[0, :, 8, 8] += value
    return images


GT = one_wrong_pixel(0)


def test_one_wrong_pixel_by_hand() -> None:
    """R is 0.6 there and 0 elsewhere: variances of n numbers are 0.36 / n, with n - 1 below."""
    found = artefact_map(one_wrong_pixel(0.2), GT, GT)
    whole = 0.36 / SIDE**2  # r²/n · n/(n-1) · (1 - 1/n) = r²/n
    around = 0.36 / 49
    expected = whole**0.2 * around
    assert found[0, 0, 8, 8].item() == pytest.approx(expected, rel=1e-5)
    assert found[0, 0, 5, 11].item() == pytest.approx(expected, rel=1e-5)  # 3 pixels from it
    assert found[0, 0, 4, 8].item() == 0  # 4 pixels from it
    loss = LDLLoss(patch_size=SIDE)(one_wrong_pixel(0.2), GT, GT).item()
    assert loss == pytest.approx(expected * 0.2 / SIDE**2, rel=1e-5)


def test_where_the_average_is_further_off_nothing_is_an_artefact() -> None:
    assert artefact_map(one_wrong_pixel(0.2), GT, one_wrong_pixel(0.3))[0, 0, 8, 8] == 0
    assert artefact_map(one_wrong_pixel(0.2), GT, one_wrong_pixel(-0.1))[0, 0, 8, 8] > 0


def test_each_image_has_a_map_of_its_own() -> None:
    sr = torch.cat([one_wrong_pixel(0.2), one_wrong_pixel(0.4)])
    found = artefact_map(sr, GT.expand(2, -1, -1, -1), GT.expand(2, -1, -1, -1))
    for number, value in enumerate((0.2, 0.4)):
        torch.testing.assert_close(
            found[number : number + 1], artefact_map(one_wrong_pixel(value), GT, GT)
        )


@pytest.mark.parametrize("averaged", [GT, one_wrong_pixel(0.3)])
def test_the_gradient_is_finite_where_sr_is_the_ground_truth(averaged) -> None:
    """The fifth root of the variance has none there."""
    sr = GT.clone().requires_grad_()
    LDLLoss(patch_size=SIDE)(sr, GT, averaged).backward()
    assert sr.grad.isfinite().all()


def test_the_weighted_loss_says_that_it_needs_the_average_and_hands_it_on() -> None:
    loss = WeightedLoss(loss=LDLLoss(patch_size=SIDE), weight=2.0)
    assert loss.needs_average
    expected = 2 * LDLLoss(patch_size=SIDE)(one_wrong_pixel(0.2), GT, GT)
    assert torch.equal(loss(one_wrong_pixel(0.2), GT, GT), expected)
    assert not WeightedLoss(loss=torch.nn.L1Loss(), weight=1.0).needs_average


def test_patches_smaller_than_its_window_can_be_mirrored_in_are_refused() -> None:
    with pytest.raises(ValueError, match=r"losses.ldl: patch_size \(3\) must be at least 4"):
        LDLLoss(patch_size=3)
