import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from esrgan.training import cosine_restarts, warmup_cosine


def rates(iterations: int, warmup: int) -> list[float]:
    make = partial(warmup_cosine, iterations=iterations, warmup_iterations=warmup)
    return rates_of(make, iterations)


def rates_of(make: Callable[[Optimizer], LRScheduler], iterations: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = make(optimizer)
    values = []
    for _ in range(iterations):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return values


def test_the_rate_rises_in_a_line_and_falls_along_a_cosine() -> None:
    expected = [2 * (1 / 4 + n * (3 / 4) / 4) for n in range(4)]
    expected += [1 + math.cos(math.pi * n / 8) for n in range(8)]
    assert rates(12, 4) == pytest.approx(expected)


def test_a_warmup_as_long_as_the_run_is_refused() -> None:
    with pytest.raises(ValueError, match=r"warmup_iterations \(12\) must be"):
        rates(12, 12)


def test_restarts_end_a_cosine_before_they_begin_another() -> None:
    """At the iteration after a period the rate is the smallest, as BasicSR's code has it."""
    down = [(1 + math.cos(math.pi * n / 4)) for n in range(5)]
    found = rates_of(partial(cosine_restarts, period=4, eta_min=0.0), 10)
    assert found == pytest.approx([*down, *down[1:], down[1]], abs=1e-12)
    found = rates_of(partial(cosine_restarts, period=4, eta_min=0.5), 10)
    assert (found[0], found[2]) == (2.0, pytest.approx(1.25))
    assert found[4] == found[8] == pytest.approx(0.5)


def test_the_published_restart_is_at_its_iteration() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2e-4)
    (factor,) = cosine_restarts(optimizer, period=250_000, eta_min=1e-7).lr_lambdas
    rates = [2e-4 * factor(iteration) for iteration in (0, 125_000, 249_999, 250_000, 250_001)]
    assert rates == pytest.approx([2e-4, 1.0005e-4, 1e-7, 1e-7, 2e-4], rel=1e-6)
    assert [2e-4 * factor(n) for n in (500_000, 750_000)] == pytest.approx([1e-7, 1e-7])


def test_a_schedule_without_a_period_is_refused() -> None:
    with pytest.raises(ValueError, match=r"period \(0\) must be at least 1"):
        rates_of(partial(cosine_restarts, period=0, eta_min=0.0), 1)


def test_restarts_go_on_from_their_state() -> None:
    make = partial(cosine_restarts, period=4, eta_min=0.0)
    whole = rates_of(make, 9)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = make(optimizer)
    for _ in range(6):
        optimizer.step()
        schedule.step()
    again = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    continued = make(again)
    continued.load_state_dict(schedule.state_dict())
    again.load_state_dict(optimizer.state_dict())
    for rate in whole[6:]:
        assert again.param_groups[0]["lr"] == rate
        again.step()
        continued.step()
