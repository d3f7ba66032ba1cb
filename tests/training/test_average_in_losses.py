"""Losses that compare with what the EMA of the generator makes, in both stages."""

from functools import partial

import pytest
import torch
from small_gan import Critic
from small_gan import stage as gan_stage
from small_stage import Enlarge, batches, fit
from torch import nn

from esrgan.losses import LDLLoss, WeightedLoss
from esrgan.training import FiniteGuard, PSNRTraining
from esrgan.types import Prepared


class Seen(nn.Module):
    """L1, beside which it keeps what it was given."""

    needs_average = True

    def __init__(self) -> None:
        super().__init__()
        self.given = []

    def forward(self, sr, gt, averaged):
        self.given.append((sr.detach().clone(), averaged))
        return (sr - gt).abs().mean()


def psnr_stage(generator, losses, **changes) -> PSNRTraining:
    arguments = {
        "generator": generator,
        "losses": losses,
        "optimizer": partial(torch.optim.Adam, lr=0.1, fused=True),
        "schedule": partial(torch.optim.lr_scheduler.ConstantLR, factor=1.0),
        "ema_decay": 0.5,
        "guard": FiniteGuard(clip_norm=None, max_in_a_row=5),
        "num_micro_batches": 1,
        "seed": 0,
    }
    return PSNRTraining(**(arguments | changes))


def in_gan(generator, losses, **changes):
    return gan_stage(generator, Critic(), losses=losses, **changes)


@pytest.fixture(params=[psnr_stage, in_gan], ids=["psnr", "gan"])
def make(request):
    return request.param


def test_a_loss_is_handed_what_the_average_makes_of_the_same_images(make) -> None:
    seen = Seen()
    stage = make(Enlarge(), {"seen": WeightedLoss(loss=seen, weight=1.0)})
    before = []
    stage.average = (
        lambda own: lambda images: before.append(copied(stage, images)) or own(images)
    )(stage.average)
    fit(stage, batches(3))
    assert len(seen.given) == 3
    assert torch.equal(seen.given[0][0], seen.given[0][1])  # the EMA begins with the weights
    for (_, averaged), expected in zip(seen.given, before, strict=True):
        assert torch.equal(averaged, expected)
        assert not averaged.requires_grad
    assert not torch.equal(*seen.given[2])


def copied(stage, images: Prepared) -> torch.Tensor:
    weights = stage.ema.conv
    sr = nn.functional.conv2d(images.lq, weights.weight, weights.bias)
    return nn.functional.interpolate(sr, scale_factor=2)


def test_parts_of_a_batch_have_the_average_of_their_own_images(make) -> None:
    seen = Seen()
    losses = {"seen": WeightedLoss(loss=seen, weight=1.0)}
    fit(make(Enlarge(), losses, num_micro_batches=2), batches(1))
    assert [len(averaged) for _, averaged in seen.given] == [2, 2]
    assert all(torch.equal(*given) for given in seen.given)


def test_nothing_is_averaged_where_no_loss_asks_for_it(make, monkeypatch) -> None:
    stage = make(Enlarge(), {"pixel": WeightedLoss(loss=nn.L1Loss(), weight=1.0)})
    monkeypatch.setattr(stage.ema, "forward", lambda lq: pytest.fail("it was"))
    fit(stage, batches(1))


def test_without_an_average_it_is_refused(make) -> None:
    losses = {"ldl": WeightedLoss(loss=LDLLoss(patch_size=8), weight=1.0)}
    with pytest.raises(ValueError, match=r"losses.ldl compares with the EMA .*ema_decay=0.999"):
        make(Enlarge(), losses, ema_decay=None)


def test_the_average_of_a_schedule_free_optimizer_is_one_too(make) -> None:
    package = pytest.importorskip("pytorch_optimizer")
    losses = {"ldl": WeightedLoss(loss=LDLLoss(patch_size=8), weight=1.0)}
    optimizer = partial(package.ScheduleFreeAdamW, lr=0.1)
    stage = fit(make(Enlarge(), losses, ema_decay=None, optimizer=optimizer), batches(3))
    assert not torch.equal(stage.ema.conv.weight, stage.generator.conv.weight)
