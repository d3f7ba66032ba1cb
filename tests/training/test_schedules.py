import math

import pytest
import torch

from esrgan.training import warmup_cosine


def rates(iterations: int, warmup: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = warmup_cosine(optimizer, iterations=iterations, warmup_iterations=warmup)
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
