import math
import time

import pytest
import torch

from esrgan.training import TrainingLog


def test_means_are_over_the_interval() -> None:
    log = TrainingLog(every=2)
    for value in (1.0, 2.0):
        log.add({"pixel": torch.tensor(value)}, num_samples=4)
    assert log.summary() == {"train/pixel": 1.5}
    log.add({"pixel": torch.tensor(8.0)}, num_samples=4)
    assert log.summary() == {"train/pixel": 8.0}


def test_a_value_that_some_steps_lack_is_averaged_over_the_others() -> None:
    log = TrainingLog(every=4)
    for values in (
        {"gap": 2.0},
        {"gap": 4.0, "pixel": 1.0},
        {"gap": 6.0},
        {"gap": 8.0, "pixel": 3.0},
    ):
        log.add({k: torch.tensor(v) for k, v in values.items()}, num_samples=1)
    assert log.summary() == {"train/gap": 5.0, "train/pixel": 2.0}


def test_an_interval_that_is_interrupted_goes_on() -> None:
    first, second = TrainingLog(every=2), TrainingLog(every=2)
    first.add({"pixel": torch.tensor(1.0)}, num_samples=1)
    second.load_state_dict(first.state_dict(), torch.device("cpu"))
    second.add({"pixel": torch.tensor(2.0)}, num_samples=1)
    assert second.summary() == {"train/pixel": 1.5}


def test_a_value_that_is_not_finite_is_left_out_of_its_mean() -> None:
    log = TrainingLog(every=3)
    for pixel, norm in ((1.0, 3.0), (math.nan, math.inf), (3.0, math.inf)):
        values = {"pixel": torch.tensor(pixel), "norm": torch.tensor(norm)}
        log.add(values, num_samples=1)
    assert log.summary() == {"train/pixel": 2.0, "train/norm": 3.0}


def test_of_values_none_of_which_is_finite_there_is_no_mean() -> None:
    log = TrainingLog(every=1)
    log.add({"pixel": torch.tensor(math.inf)}, num_samples=1)
    assert math.isnan(log.summary()["train/pixel"])


def test_truths_are_counted_also_where_an_interval_was_interrupted() -> None:
    first, second = TrainingLog(every=4), TrainingLog(every=4)
    for truth in (True, False):
        first.add({"loss": torch.tensor(1.0), "skipped": torch.tensor(truth)}, num_samples=1)
    second.load_state_dict(first.state_dict(), torch.device("cpu"))
    for truth in (True, True):
        second.add({"loss": torch.tensor(5.0), "skipped": torch.tensor(truth)}, num_samples=1)
    assert second.summary() == {"train/loss": 3.0, "train/skipped": 3.0}
    assert second.summary() == {}


def test_an_interval_that_an_earlier_version_began_goes_on() -> None:
    log = TrainingLog(every=3)
    log.load_state_dict(
        {"sums": {"pixel": torch.tensor(4.0)}, "counts": {"pixel": 2}}, torch.device("cpu")
    )
    log.add({"pixel": torch.tensor(5.0), "norm": torch.tensor(1.0)}, num_samples=1)
    assert log.summary() == {"train/pixel": 3.0, "train/norm": 1.0}


def test_the_tensors_that_come_in_are_not_changed() -> None:
    log, value = TrainingLog(every=2), torch.tensor(1.0)
    log.add({"pixel": value}, num_samples=1)
    log.add({"pixel": torch.tensor(5.0)}, num_samples=1)
    assert value.item() == 1.0


def test_speed_knows_work_waiting_and_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    log = TrainingLog(every=1)
    log.start_clock()
    now += 1  # waiting for the batch
    log.batch_starts()
    now += 3  # the step
    log.add({}, num_samples=8)
    now += 100  # validation: counted neither as work nor as waiting
    log.leave_out_time()
    assert log.speed() == {"speed/samples_per_second": 2.0, "speed/data_wait": 0.25}


def test_an_interval_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"log_every \(0\)"):
        TrainingLog(every=0)
