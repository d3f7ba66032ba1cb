"""Optimizers of other packages, by what those packages say of their use."""

from functools import partial

import pytest
import torch
from torch import nn

from esrgan.training import FiniteGuard, Learner
from esrgan.training.optimizers import as_used

packages = pytest.importorskip("pytorch_optimizer")
from esrgan.training.muon import Muon  # noqa: E402 # its package may be missing

constant = partial(torch.optim.lr_scheduler.ConstantLR, factor=1.0)
SCHEDULE_FREE = partial(packages.ScheduleFreeAdamW, lr=0.05, betas=(0.9, 0.999))
ADAN = partial(packages.Adan, lr=0.05)
MUON = partial(Muon, lr=0.05)


def schedule_free(package: str):
    if package == "pytorch_optimizer":
        return SCHEDULE_FREE
    return partial(pytest.importorskip("schedulefree").AdamWScheduleFree, lr=0.05)


def learner(optimizer=SCHEDULE_FREE, *, ema_decay=None, **changes) -> Learner:
    torch.manual_seed(0)
    return Learner(
        nn.Linear(3, 64),
        optimizer=optimizer,
        schedule=changes.pop("schedule", constant),
        guard=FiniteGuard(clip_norm=None, max_in_a_row=3),
        ema_decay=ema_decay,
        ema_warmup=False,
        **changes,
    )


def loss(network: nn.Module, number: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(number)
    x, y = torch.randn(4, 3, generator=generator), torch.randn(4, 64, generator=generator)
    return (network(x) - y).square().mean()


def train(learner: Learner, iterations, *, broken=()) -> None:
    for number in iterations:
        averaging = learner.begin(passes=1)
        value = loss(learner.network, number) * (float("nan") if number in broken else 1)
        value.backward()
        averaging.send([value.detach()])
        learner.update(averaging, iteration=number)
        learner.schedule.step()


def bits(module: nn.Module) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in module.parameters()]


def assert_same(first, second) -> None:
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)


def plain_loop(make, count: int) -> tuple[list[torch.Tensor], list[list[torch.Tensor]]]:
    """As schedule-free optimizers want to be used: the weights of training, and of each eval()."""
    network = learner(make).network
    optimizer = make(network.parameters())
    averages = []
    for number in range(count):
        optimizer.train()
        optimizer.zero_grad()
        loss(network, number).backward()
        optimizer.step()
        trained = bits(network)
        optimizer.eval()
        averages.append(bits(network))
        optimizer.train()
        for weight, before in zip(network.parameters(), trained, strict=True):
            weight.data.copy_(before)
    return bits(network), averages


@pytest.mark.parametrize("package", ["pytorch_optimizer", "schedulefree"])
def test_the_average_of_a_schedule_free_optimizer_stands_where_the_ema_does(package) -> None:
    make = schedule_free(package)
    ours = learner(make)
    train(ours, range(5))
    trained, averages = plain_loop(make, 5)
    assert_same(bits(ours.network), trained)
    assert_same(bits(ours.ema), averages[-1])
    assert any(not torch.equal(x, y) for x, y in zip(trained, averages[-1], strict=True))


def test_the_average_is_that_of_the_paper() -> None:
    """Equation 1 of arXiv:2405.15682: gradients are taken at y = (1 - beta) z + beta x."""
    ours = learner()
    train(ours, range(3))
    for x, y in zip(ours.ema.parameters(), ours.network.parameters(), strict=True):
        z = ours.optimizer.state[y]["z"]
        torch.testing.assert_close(0.1 * z + 0.9 * x, y)


def test_an_ema_is_one_of_the_averages() -> None:
    ours = learner(ema_decay=0.75)
    expected = bits(ours.network)
    train(ours, range(4))
    for averages in plain_loop(SCHEDULE_FREE, 4)[1]:
        expected = [0.75 * a + 0.25 * x for a, x in zip(expected, averages, strict=True)]
    for found, wanted in zip(bits(ours.ema), expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_to_look_at_the_average_changes_no_bit() -> None:
    """The optimizer's own way there and back does."""
    ours = learner()
    train(ours, range(3))
    before = bits(ours.network)
    for _ in range(10):
        with as_used(ours.optimizer, list(ours.network.parameters())):
            assert any(
                not torch.equal(x, y) for x, y in zip(bits(ours.network), before, strict=True)
            )
    assert_same(bits(ours.network), before)
    for _ in range(10):
        ours.optimizer.eval()
        ours.optimizer.train()
    assert any(not torch.equal(x, y) for x, y in zip(bits(ours.network), before, strict=True))


def test_an_update_that_is_skipped_leaves_the_average() -> None:
    ours, other = learner(), learner()
    train(ours, range(3))
    train(other, range(4), broken=[3])
    assert int(other.guard.skipped) == 1
    assert_same(bits(other.ema), bits(ours.ema))
    assert_same(bits(other.network), bits(ours.network))


@pytest.mark.parametrize("make", [SCHEDULE_FREE, ADAN, MUON], ids=["schedule_free", "adan", "muon"])
def test_it_goes_on_where_it_was(make) -> None:
    whole, first, second = (learner(make) for _ in range(3))
    train(whole, range(8))
    train(first, range(5))
    second.load_state_dict(first.state_dict())
    second.load_progress(first.progress())
    train(second, range(5, 8))
    assert_same(bits(second), bits(whole))


@pytest.mark.parametrize("make", [SCHEDULE_FREE, ADAN, MUON], ids=["schedule_free", "adan", "muon"])
def test_with_another_rate_it_goes_on_with_what_it_has_counted(make) -> None:
    """Some packages count steps among the settings of a group, where PyTorch has them beside."""
    first, second = learner(make), learner(partial(make, lr=0.01))
    train(first, range(5))
    second.load_progress(first.progress(), planned_anew=5)
    groups = first.optimizer.param_groups, second.optimizer.param_groups
    for before, now in zip(*groups, strict=True):
        assert now["step"] == before["step"] == 5
        assert now["lr"] == 0.01
        assert now.get("weight_sum") == before.get("weight_sum")


@pytest.mark.parametrize("kind", [packages.Adan, Muon])
def test_what_a_package_refuses_is_said_of_the_setting(kind) -> None:
    with pytest.raises(ValueError, match=r"^optimizer: .*learning rate"):
        learner(partial(kind, lr=-1.0))
