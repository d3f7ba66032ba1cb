import torch
from torch import nn

from esrgan.training.ema import frozen_copy, update_average, warmed_up

YES, NO = torch.tensor(True), torch.tensor(False)


def network(value: float) -> nn.Module:
    module = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1))
    nn.init.constant_(module[0].weight, value)
    return module


def test_the_average_moves_by_one_minus_decay() -> None:
    average = frozen_copy(network(1.0))
    update_average(average, network(3.0), decay=0.75, keep=YES)
    assert average[0].weight.item() == 1.5  # 0.75 * 1 + 0.25 * 3


def test_the_decay_grows_to_what_was_asked_for() -> None:
    assert [warmed_up(0.999, n) for n in (0, 10, 90)] == [0.1, 0.55, 0.91]
    assert warmed_up(0.999, 1_000_000) == 0.999


def test_running_statistics_are_copied_not_averaged() -> None:
    average, current = frozen_copy(network(1.0)), network(1.0)
    current[1].running_mean.fill_(8.0)
    current[1].num_batches_tracked.fill_(5)
    update_average(average, current, decay=0.9, keep=YES)
    assert average[1].running_mean.item() == 8.0
    assert average[1].num_batches_tracked.item() == 5


def test_nothing_changes_where_the_step_was_skipped() -> None:
    average, current = frozen_copy(network(1.0)), network(3.0)
    current[1].running_mean.fill_(float("nan"))
    update_average(average, current, decay=0.5, keep=NO)
    assert average[0].weight.item() == 1.0
    assert average[1].running_mean.item() == 0.0


def test_the_copy_is_frozen_and_independent() -> None:
    current = network(1.0)
    average = frozen_copy(current)
    nn.init.constant_(current[0].weight, 2.0)
    assert average[0].weight.item() == 1.0
    assert not average.training
    assert not any(p.requires_grad for p in average.parameters())
