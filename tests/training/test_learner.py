import re
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, MultiStepLR

from esrgan.training import FiniteGuard, Learner, NonFiniteError
from esrgan.training.learner import Buffers


def step(guard: FiniteGuard, optimizer: torch.optim.Optimizer, gradient: list[float], loss=1.0):
    optimizer.param_groups[0]["params"][0].grad = torch.tensor(gradient)
    return guard.step(optimizer, torch.tensor(loss))


@pytest.fixture(params=[True, False], ids=["fused", "plain"])
def optimizer(request: pytest.FixtureRequest) -> torch.optim.Optimizer:
    weights = nn.Parameter(torch.tensor([1.0, 1.0]))
    return torch.optim.Adam([weights], lr=0.1, fused=request.param)


@pytest.mark.parametrize(
    ("gradient", "loss"),
    [([float("nan"), 1.0], 1.0), ([float("inf"), 1.0], 1.0), ([1.0, 1.0], float("nan"))],
)
def test_a_step_that_is_not_finite_changes_nothing(optimizer, gradient, loss) -> None:
    guard = FiniteGuard(clip_norm=None, max_in_a_row=3)
    step(guard, optimizer, [1.0, -1.0])
    weights = optimizer.param_groups[0]["params"][0]
    before = weights.detach().clone()
    state = {k: v.clone() for k, v in optimizer.state[weights].items()}
    finite, _ = step(guard, optimizer, gradient, loss)
    assert not finite
    assert torch.equal(weights, before)
    assert all(torch.equal(optimizer.state[weights][k], v) for k, v in state.items())
    assert int(guard.skipped) == 1


def test_a_finite_step_is_the_optimizers_own(optimizer) -> None:
    guard = FiniteGuard(clip_norm=None, max_in_a_row=3)
    finite, norm = step(guard, optimizer, [3.0, 4.0])
    assert finite
    assert norm.item() == 5.0
    weights = optimizer.param_groups[0]["params"][0]
    assert torch.allclose(weights, torch.tensor([0.9, 0.9]))  # Adam's first step is the rate


def test_gradients_are_clipped_to_the_norm_of_all_together() -> None:
    weights = nn.Parameter(torch.tensor([0.0, 0.0]))
    guard = FiniteGuard(clip_norm=1.0, max_in_a_row=3)
    step(guard, torch.optim.SGD([weights], lr=1.0), [3.0, 4.0])
    assert torch.allclose(weights.detach(), torch.tensor([-0.6, -0.8]), atol=1e-5)


def test_too_many_in_a_row_end_the_run_with_a_report(optimizer) -> None:
    guard = FiniteGuard(clip_norm=None, max_in_a_row=2)
    nan = [float("nan")] * 2
    step(guard, optimizer, nan)
    step(guard, optimizer, [1.0, 1.0])
    step(guard, optimizer, nan)
    guard.check("generator")
    step(guard, optimizer, nan)
    step(guard, optimizer, [1.0, 1.0])
    with pytest.raises(NonFiniteError, match=r"2 iterations in a row .3 in all.*learning rate"):
        guard.check("generator")


def test_the_counts_are_part_of_the_saved_state(optimizer) -> None:
    guard, other = (FiniteGuard(clip_norm=None, max_in_a_row=2) for _ in range(2))
    step(guard, optimizer, [float("nan")] * 2)
    other.load_state_dict(guard.state_dict())
    assert (int(other.in_a_row), int(other.longest), int(other.skipped)) == (1, 1, 1)


def test_buffers_get_their_values_back_where_a_step_was_skipped() -> None:
    norm = nn.BatchNorm2d(1)
    for taken, expected in ((True, 2.0), (False, 1.0)):
        buffers = Buffers(norm)
        norm.running_mean.fill_(1.0)
        buffers.keep()
        norm.running_mean.fill_(2.0)
        buffers.restore_unless(torch.tensor(taken))
        assert norm.running_mean.item() == expected


def test_impossible_limits_are_refused() -> None:
    with pytest.raises(ValueError, match=r"clip_norm \(0.0\)"):
        FiniteGuard(clip_norm=0.0, max_in_a_row=1)
    with pytest.raises(ValueError, match=r"max_in_a_row \(0\)"):
        FiniteGuard(clip_norm=None, max_in_a_row=0)


YES, NO = torch.tensor(True), torch.tensor(False)
LATE = 10**6  # an iteration at which the decay is what was asked for


def learner(value: float, decay: float, **changes: bool) -> Learner:
    network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1))
    nn.init.constant_(network[0].weight, value)
    return Learner(
        network,
        optimizer=lambda weights: torch.optim.SGD(weights, lr=1.0),
        schedule=lambda optimizer: torch.optim.lr_scheduler.ConstantLR(optimizer),
        guard=FiniteGuard(clip_norm=None, max_in_a_row=1),
        ema_decay=decay,
        **changes,
    )


def test_the_average_moves_by_one_minus_decay() -> None:
    moving = learner(1.0, 0.75)
    nn.init.constant_(moving.network[0].weight, 3.0)
    moving.update_ema(LATE, YES)
    assert moving.ema[0].weight.item() == 1.5  # 0.75 * 1 + 0.25 * 3


@pytest.mark.parametrize(("iteration", "decay"), [(0, 0.1), (10, 0.55), (90, 0.91), (LATE, 0.999)])
def test_the_decay_grows_to_what_was_asked_for(iteration: int, decay: float) -> None:
    moving = learner(0.0, 0.999)
    nn.init.constant_(moving.network[0].weight, 1.0)
    moving.update_ema(iteration, YES)
    assert moving.ema[0].weight.item() == pytest.approx(1 - decay)


def test_without_a_warm_up_the_decay_is_the_same_from_the_first_iteration() -> None:
    moving = learner(0.0, 0.999, ema_warmup=False)
    nn.init.constant_(moving.network[0].weight, 1.0)
    for iteration in range(2):
        moving.update_ema(iteration, YES)
    assert moving.ema[0].weight.item() == pytest.approx(1 - 0.999**2)


def test_running_statistics_are_copied_not_averaged() -> None:
    moving = learner(1.0, 0.9)
    moving.network[1].running_mean.fill_(8.0)
    moving.network[1].num_batches_tracked.fill_(5)
    moving.update_ema(LATE, YES)
    assert moving.ema[1].running_mean.item() == 8.0
    assert moving.ema[1].num_batches_tracked.item() == 5


def test_nothing_changes_where_the_step_was_skipped() -> None:
    moving = learner(1.0, 0.5)
    nn.init.constant_(moving.network[0].weight, 3.0)
    moving.network[1].running_mean.fill_(float("nan"))
    moving.update_ema(LATE, NO)
    assert moving.ema[0].weight.item() == 1.0
    assert moving.ema[1].running_mean.item() == 0.0


def test_the_copy_is_frozen_and_independent() -> None:
    moving = learner(1.0, 0.5)
    nn.init.constant_(moving.network[0].weight, 2.0)
    assert moving.ema[0].weight.item() == 1.0
    assert not moving.ema.training
    assert not any(p.requires_grad for p in moving.ema.parameters())


def scheduled(
    *, lr: float = 0.1, gamma: float = 0.5, milestones: tuple[int, ...] = (2, 4)
) -> Learner:
    torch.manual_seed(0)
    return Learner(
        nn.Linear(2, 1),
        optimizer=partial(torch.optim.Adam, lr=lr),
        schedule=partial(MultiStepLR, milestones=milestones, gamma=gamma),
        guard=FiniteGuard(clip_norm=None, max_in_a_row=3),
        ema_decay=None,
    )


def advance(one: Learner, iterations: int) -> None:
    for _ in range(iterations):
        one.network(torch.ones(1, 2)).sum().backward()
        one.optimizer.step()
        one.schedule.step()


def test_unchanged_it_goes_on_as_it_was() -> None:
    before, after = scheduled(), scheduled(lr=7.0, milestones=(1,))
    advance(before, 3)
    after.load_progress(before.progress())
    assert after.learning_rates == [0.05]
    advance(after, 1)
    assert after.learning_rates == [0.025]


def test_with_other_settings_it_goes_on_as_if_it_had_had_them_from_the_start() -> None:
    before, after = scheduled(), scheduled(lr=1.0, gamma=0.1, milestones=(2, 5))
    advance(before, 3)
    after.load_progress(before.progress(), planned_anew=3)
    assert after.learning_rates == [pytest.approx(0.1)]
    advance(after, 2)
    assert after.learning_rates == [pytest.approx(0.01)]


def test_of_what_was_the_moments_stay() -> None:
    before, after = scheduled(), scheduled(lr=1.0)
    advance(before, 3)
    after.load_progress(before.progress(), planned_anew=3)
    (state, *_), (kept, *_) = before.optimizer.state.values(), after.optimizer.state.values()
    assert torch.equal(state["exp_avg_sq"], kept["exp_avg_sq"])
    assert kept["step"] == 3


def test_planned_anew_with_the_same_settings_it_is_the_same_in_every_bit() -> None:
    before, one, other = scheduled(), scheduled(), scheduled()
    advance(before, 3)
    one.load_progress(before.progress())
    other.load_progress(before.progress(), planned_anew=3)
    assert (
        one.optimizer.state_dict()["param_groups"] == other.optimizer.state_dict()["param_groups"]
    )
    assert one.schedule.state_dict() == other.schedule.state_dict()


def warm(optimizer: torch.optim.Optimizer, length: int, warmup: int) -> MultiStepLR:
    raise ValueError(f"warmup ({warmup}) must be less than length ({length})")


@pytest.mark.parametrize(
    ("part", "make", "message"),
    [
        (
            "optimizer",
            partial(torch.optim.Adam, lr=-1),
            r"optimizer.lr (-1): Invalid learning rate",
        ),
        (
            "optimizer",
            partial(torch.optim.AdamW, weight_decay=-0.5),
            "optimizer.weight_decay (-0.5): Invalid weight_decay value",
        ),
        ("schedule", partial(warm, length=6, warmup=6), "schedule.warmup (6) must be less"),
        (
            "schedule",
            partial(CosineAnnealingWarmRestarts, T_0=-5),
            "schedule: Expected positive integer T_0, but got -5",
        ),
    ],
)
def test_what_pytorch_refuses_is_told_with_its_key(part, make, message) -> None:
    parts = {"optimizer": torch.optim.Adam, "schedule": partial(MultiStepLR, milestones=[2])}
    guard = FiniteGuard(clip_norm=None, max_in_a_row=3)
    with pytest.raises(ValueError, match=re.escape(message)):
        Learner(nn.Linear(2, 1), **(parts | {part: make}), guard=guard, ema_decay=None)
