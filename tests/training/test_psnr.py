from collections.abc import Iterator
from functools import partial

import pytest
import torch
from small_stage import Enlarge, NaNAt, batches, fit
from torch import nn

from esrgan.training import FiniteGuard, PSNRTraining, from_bytes
from esrgan.training.stage import step_seed
from esrgan.types import Prepared


def training(generator: nn.Module, loss: nn.Module | None = None, **changes) -> PSNRTraining:
    arguments = {
        "generator": generator,
        "losses": {"pixel": loss or nn.L1Loss()},
        "optimizer": partial(torch.optim.Adam, lr=0.1, fused=True),
        "schedule": partial(torch.optim.lr_scheduler.MultiStepLR, milestones=[2], gamma=0.1),
        "ema_decay": 0.5,
        "guard": FiniteGuard(clip_norm=None, max_in_a_row=5),
        "num_micro_batches": 1,
        "seed": 0,
    }
    return PSNRTraining(**(arguments | changes))


@pytest.fixture
def generator() -> Iterator[nn.Module]:
    torch.manual_seed(0)
    yield Enlarge()


def test_the_steps_are_those_of_a_plain_loop(generator: nn.Module) -> None:
    data = batches(4)
    torch.manual_seed(0)
    plain = Enlarge()
    optimizer = torch.optim.Adam(plain.parameters(), lr=0.1)
    average = [p.detach().clone() for p in plain.parameters()]
    for iteration, batch in enumerate(data):
        optimizer.param_groups[0]["lr"] = 0.1 if iteration < 2 else 0.01
        lq, gt = (batch[k].permute(0, 3, 1, 2).float() / 255 for k in ("lq", "gt"))
        optimizer.zero_grad()
        (plain(lq) - gt).abs().mean().backward()
        optimizer.step()
        decay = (0.1, 2 / 11, 3 / 12, 4 / 13)[iteration]  # min(0.5, (1 + n) / (10 + n))
        average = [
            decay * a + (1 - decay) * p.detach()
            for a, p in zip(average, plain.parameters(), strict=True)
        ]

    stage = fit(training(generator), data)

    for ours, theirs in zip(stage.generator.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)
    assert stage.ema is not None
    for ours, theirs in zip(stage.ema.parameters(), average, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)
    assert stage.iteration == 4


def test_micro_batches_change_memory_not_the_gradient() -> None:
    results = []
    for count in (1, 4):
        torch.manual_seed(0)
        stage = fit(training(Enlarge(), num_micro_batches=count), batches(3))
        results.append(stage.generator.conv.weight)
    assert torch.allclose(*results, atol=1e-6)


def test_micro_batches_must_divide_the_batch(generator: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"num_micro_batches \(3\) must divide the 4 samples"):
        fit(training(generator, num_micro_batches=3), batches(1))


def test_an_iteration_that_is_not_finite_changes_neither_weights_nor_average() -> None:
    torch.manual_seed(0)
    with_nan = fit(training(Enlarge(batch_norm=True), NaNAt(3)), batches(3))
    torch.manual_seed(0)
    without = fit(training(Enlarge(batch_norm=True)), batches(2))
    for name, value in without.generator.state_dict().items():
        assert torch.equal(with_nan.generator.state_dict()[name], value), name
    assert with_nan.ema is not None and without.ema is not None
    for name, value in without.ema.state_dict().items():
        assert torch.equal(with_nan.ema.state_dict()[name], value), name
    assert int(with_nan.learner.guard.skipped) == 1


def test_training_reduces_the_loss(generator: nn.Module) -> None:
    batch = batches(1)[0]
    batch["gt"] = batch["lq"].repeat_interleave(2, 1).repeat_interleave(2, 2)
    stage = fit(training(generator, ema_decay=None), [batch] * 100)
    lq = batch["lq"].permute(0, 3, 1, 2).float() / 255
    gt = batch["gt"].permute(0, 3, 1, 2).float() / 255
    assert (stage.evaluated(lq) - gt).abs().mean() < 0.1


def test_a_term_set_to_none_is_left_out(generator: nn.Module) -> None:
    stage = training(generator, losses={"pixel": nn.L1Loss(), "style": None})
    assert list(stage.losses) == ["pixel"]


def test_what_is_validated_is_the_average_where_there_is_one(generator: nn.Module) -> None:
    with_average = training(generator)
    assert with_average.evaluated is with_average.ema
    without = training(generator, ema_decay=None)
    assert without.evaluated is without.generator


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ema_decay": 1.0}, r"ema_decay \(1.0\)"),
        ({"num_micro_batches": 0}, r"num_micro_batches \(0\)"),
        ({"losses": {"pixel": None}}, "losses has no term"),
    ],
)
def test_settings_that_cannot_work_are_refused(generator, changes, message) -> None:
    with pytest.raises(ValueError, match=message):
        training(generator, **changes)


def test_every_step_on_every_rank_has_its_own_seed() -> None:
    seeds = {step_seed(s, i, r) for s in range(5) for i in range(20) for r in range(4)}
    assert len(seeds) == 5 * 20 * 4


def test_how_a_batch_becomes_images_is_handed_in(generator: nn.Module) -> None:
    """Degradations on the device need no stage of their own."""

    def darkened(batch, dtype):
        lq, gt, _ = from_bytes(batch, dtype)
        return Prepared(lq / 2, gt)

    data = batches(1)
    darker = [{**batch, "lq": batch["lq"] / 2} for batch in data]
    torch.manual_seed(0)
    expected = fit(training(Enlarge()), darker)
    found = fit(training(generator, prepare=darkened), data)
    assert torch.allclose(found.generator.conv.weight, expected.generator.conv.weight)
