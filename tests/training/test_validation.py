import math
from collections.abc import Callable, Iterable
from statistics import fmean
from typing import NamedTuple

import numpy as np
import pytest
from torch import nn

from esrgan.training import Validation
from esrgan.training.ranks import Ranks
from esrgan.training.validation import side_by_side


class Pairs:
    """Two images: the lq of the first is all 1, of the second all 2; gt is all 10."""

    def __len__(self) -> int:
        return 2

    def key(self, index: int) -> str:
        return "ab"[index]

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return np.full((2, 3, 3), index + 1, np.uint8), np.full((4, 6, 3), 10, np.uint8)

    def is_grey(self, index: int) -> bool:
        return False

    def verify(self) -> None: ...


class Metric(NamedTuple):
    name: str
    average: Callable[[Iterable[float]], float] = fmean


DIFFERENCE = Metric("DIFFERENCE")


def difference(sr: np.ndarray, gt: np.ndarray) -> float:
    return float(gt.mean() - sr.mean())


def validation(**changes) -> Validation:
    arguments = {
        "every": 5,
        "pairs": Pairs(),
        "upscale": lambda network, lq: np.repeat(np.repeat(lq * 4, 2, 0), 2, 1),
        "metrics": {DIFFERENCE: difference},
        "baseline": lambda lq: lq,
        "panel": 1,
    }
    return Validation(**(arguments | changes))


def test_metrics_are_means_over_images_beside_the_baselines() -> None:
    scores = validation().run(nn.Identity(), Ranks())
    assert scores.values() == {"val/DIFFERENCE": 4.0, "val/bicubic_DIFFERENCE": 8.5}


def test_it_can_be_stopped_between_two_images() -> None:
    measured, asked = [], iter([False, True])

    def upscale(network: nn.Module, lq: np.ndarray) -> np.ndarray:
        measured.append(int(lq.max()))
        return lq.repeat(2, 0).repeat(2, 1)

    ours = validation(upscale=upscale)
    assert ours.run(nn.Identity(), Ranks(), is_stopped=lambda: next(asked)) is None
    assert measured == [1]


def test_metrics_are_given_the_one_channel_of_a_grey_file() -> None:
    class Grey(Pairs):
        def is_grey(self, index: int) -> bool:
            return index == 1

    seen = []
    measure = lambda sr, gt: seen.append(gt.shape) or 0.0  # noqa: E731
    validation(pairs=Grey(), metrics={DIFFERENCE: measure}).run(nn.Identity(), Ranks())
    assert seen == 2 * [(4, 6, 3), (4, 6, 1)]


def test_a_metric_is_averaged_as_it_wants_to_be() -> None:
    largest = Metric("LARGEST", average=max)
    scores = validation(metrics={largest: difference}).run(nn.Identity(), Ranks())
    assert scores.network == {largest: 6.0}


def test_the_panel_shows_the_first_images_beside_what_they_are_made_of() -> None:
    images = validation().run(nn.Identity(), Ranks()).images
    assert list(images) == ["val/a"]
    lq, sr, gt = np.split(images["val/a"], 3, axis=1)
    assert lq.shape == sr.shape == gt.shape == (4, 6, 3)
    assert ((lq == 1) & (sr == 4) & (gt == 10)).all()


def test_the_panel_shows_the_same_middle_of_all_three() -> None:
    gt = np.zeros((600, 700, 3), np.uint8)
    gt[44:556, 94:606] = 9
    lq = gt[::2, ::2]
    shown = side_by_side(lq, gt, gt)
    assert shown.shape == (512, 3 * 512, 3)
    assert (shown == 9).all()


def too_dark(sr: np.ndarray, gt: np.ndarray) -> float:
    if sr.mean() < 2:
        raise ValueError("there is nothing in it")
    return float(sr.mean())


def test_what_cannot_be_measured_is_refused_before_training() -> None:
    message = r"DIFFERENCE cannot be measured on a \(there is nothing .*\): leave it out of metrics"
    with pytest.raises(ValueError, match=message):
        validation(metrics={DIFFERENCE: too_dark}).begin(Ranks())


def test_what_a_network_has_left_too_little_of_is_not_a_number() -> None:
    ours = validation(metrics={DIFFERENCE: too_dark}, baseline=lambda lq: lq + 5)
    ours.begin(Ranks())
    assert ours.run(nn.Identity(), Ranks()).network == {DIFFERENCE: 6.0}
    ours.upscale = lambda network, lq: np.zeros((4, 6, 3), np.uint8)
    assert math.isnan(ours.run(nn.Identity(), Ranks()).network[DIFFERENCE])


def test_the_baseline_is_measured_once() -> None:
    calls = []
    ours = validation(baseline=lambda lq: calls.append(1) or lq)
    ours.begin(Ranks())
    for _ in range(2):
        assert ours.run(nn.Identity(), Ranks()).baseline == {DIFFERENCE: 8.5}
    assert len(calls) == 2  # images


@pytest.mark.parametrize("changes", [{"every": 0}, {"metrics": {}}, {"at_start": "always"}])
def test_settings_that_cannot_work_are_refused(changes) -> None:
    with pytest.raises(ValueError, match=r"validation\.(every|at_start) \(|metrics is empty"):
        validation(**changes)


class SidesOf(Pairs):
    """Images of given sides; what is read is told."""

    def __init__(self, *sides: int) -> None:
        self.sides, self.read_ones = sides, []

    def __len__(self) -> int:
        return len(self.sides)

    def key(self, index: int) -> str:
        return f"side_{self.sides[index]}"

    def lq_size(self, index: int) -> tuple[int, int]:
        return self.sides[index], 100

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        self.read_ones.append(self.sides[index])
        return (np.zeros((self.sides[index], 100, 3), np.uint8),) * 2


def needs_ten(sr: np.ndarray, gt: np.ndarray) -> float:
    if min(gt.shape[:2]) < 10:
        raise ValueError(f"{gt.shape[0]} are fewer than 10")
    return 0.0


def test_all_images_that_are_too_small_for_a_metric_are_named_at_the_start() -> None:
    pairs = SidesOf(50, 9, 12, 5)
    with pytest.raises(ValueError, match=r"side_5: 5 are fewer.*\n  side_9: 9 are fewer than 10$"):
        validation(pairs=pairs, metrics={DIFFERENCE: needs_ten}).verify()
    assert pairs.read_ones == [5, 9, 12]  # the larger ones need not be measured


def test_images_that_cannot_be_read_are_what_their_pairs_say() -> None:
    class Broken(SidesOf):
        def verify(self) -> None:
            raise ValueError("a.png is cut short")

    with pytest.raises(ValueError, match=r"a\.png is cut short"):
        validation(pairs=Broken(50)).verify()
