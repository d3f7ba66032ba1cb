"""Which loss compares with which ground truth: as it is, or after unsharp masking."""

import pytest
import torch
from small_gan import stage as gan_stage
from small_stage import Enlarge, batches, fit
from test_psnr import training as psnr_stage
from torch import Tensor, nn

from esrgan.losses import WeightedLoss
from esrgan.training import AdversarialTerm, from_bytes
from esrgan.types import Prepared

GT, SHARP = 0.25, 0.75
"""What stands for either: images of one value, so that whoever sees one says which it was."""


class Sharpens:
    """Makes of any batch images whose ground truths are told apart by their value."""

    sharpens = True

    def __call__(self, batch, dtype: torch.dtype) -> Prepared:
        lq, gt, _ = from_bytes(batch, dtype)
        return Prepared(lq, torch.full_like(gt, GT), torch.full_like(gt, SHARP))


class Recorder(nn.Module):
    """L1 that remembers what it compared with, and how many images these were."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, set[float]]] = []

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        self.seen.append((len(gt), set(gt.unique().tolist())))
        return (sr - gt).abs().mean()


class Judge(nn.Module):
    """A discriminator that remembers which of the ground truths it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(192, 1)
        self.seen: set[float] = set()

    def forward(self, images: Tensor) -> Tensor:
        self.seen |= {GT, SHARP} & set(images.unique().tolist())
        logits: Tensor = self.linear(images.flatten(1))
        return logits


def compared_with(recorder: Recorder, *, sharpened: bool) -> WeightedLoss:
    return WeightedLoss(loss=recorder, weight=1.0, sharpened_gt=sharpened)


@pytest.mark.parametrize("num_micro_batches", [1, 2])
@pytest.mark.parametrize("kind", ["psnr", "gan"])
def test_a_loss_compares_with_the_ground_truth_that_it_asks_for(kind, num_micro_batches) -> None:
    as_it_is, sharpened = Recorder(), Recorder()
    arguments = {
        "losses": {
            "pixel": compared_with(as_it_is, sharpened=False),
            "perceptual": compared_with(sharpened, sharpened=True),
        },
        "prepare": Sharpens(),
        "num_micro_batches": num_micro_batches,
    }
    if kind == "psnr":
        stage = psnr_stage(Enlarge(), **arguments)
    else:
        stage = gan_stage(Enlarge(), Judge(), **arguments)
    fit(stage, batches(1, size=4))
    size = 4 // num_micro_batches
    assert as_it_is.seen == [(size, {GT})] * num_micro_batches
    assert sharpened.seen == [(size, {SHARP})] * num_micro_batches


@pytest.mark.parametrize("warmup_iterations", [0, 1])
@pytest.mark.parametrize(("sharpened", "real"), [(False, GT), (True, SHARP)])
def test_the_discriminator_takes_for_real_what_its_term_says(
    sharpened, real, warmup_iterations
) -> None:
    judge = Judge()
    stage = gan_stage(
        Enlarge(),
        judge,
        {"warmup_iterations": warmup_iterations, "sharpened_gt": sharpened},
        losses={"pixel": compared_with(Recorder(), sharpened=not sharpened)},
        prepare=Sharpens(),
        num_micro_batches=2,
    )
    fit(stage, batches(1))
    assert judge.seen == {real}


@pytest.mark.parametrize("kind", ["psnr", "gan"])
def test_a_loss_that_wants_what_nobody_makes_is_refused(kind) -> None:
    losses = {"pixel": compared_with(Recorder(), sharpened=True)}
    message = r"losses\.pixel\.sharpened_gt is true, .* prepare=sharpened_pairs .*=degrade"
    with pytest.raises(ValueError, match=message):
        if kind == "psnr":
            psnr_stage(Enlarge(), losses=losses)
        else:
            gan_stage(Enlarge(), Judge(), losses=losses)


def test_the_adversarial_term_is_refused_alike() -> None:
    term = AdversarialTerm(loss=nn.Identity(), weight=1.0, sharpened_gt=True)
    with pytest.raises(ValueError, match=r"losses\.adversarial\.sharpened_gt is true"):
        psnr_stage(Enlarge(), losses={"adversarial": term})
