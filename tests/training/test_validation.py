from collections.abc import Callable, Iterable
from statistics import fmean
from typing import NamedTuple

import numpy as np
import pytest
from torch import nn

from esrgan.training import Validation
from esrgan.training.ranks import Ranks


class Pairs:
    """Two images: the lq of the first is all 1, of the second all 2; gt is all 10."""

    def __len__(self) -> int:
        return 2

    def key(self, index: int) -> str:
        return "ab"[index]

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return np.full((2, 2, 3), index + 1, np.uint8), np.full((2, 2, 3), 10, np.uint8)

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
        "upscale": lambda network, lq: lq * 4,
        "metrics": {DIFFERENCE: difference},
        "baseline": lambda lq: lq,
        "panel": 1,
    }
    return Validation(**(arguments | changes))


def test_metrics_are_means_over_images_beside_the_baselines() -> None:
    scores = validation().run(nn.Identity(), Ranks())
    assert scores.values() == {"val/DIFFERENCE": 4.0, "val/bicubic_DIFFERENCE": 8.5}


def test_metrics_are_given_the_one_channel_of_a_grey_file() -> None:
    class Grey(Pairs):
        def is_grey(self, index: int) -> bool:
            return index == 1

    seen = []
    measure = lambda sr, gt: seen.append(gt.shape) or 0.0  # noqa: E731
    validation(pairs=Grey(), metrics={DIFFERENCE: measure}).run(nn.Identity(), Ranks())
    assert seen == 2 * [(2, 2, 3), (2, 2, 1)]


def test_a_metric_is_averaged_as_it_wants_to_be() -> None:
    largest = Metric("LARGEST", average=max)
    scores = validation(metrics={largest: difference}).run(nn.Identity(), Ranks())
    assert scores.network == {largest: 6.0}


def test_the_panel_shows_the_first_images() -> None:
    images = validation().run(nn.Identity(), Ranks()).images
    assert list(images) == ["val/a"]
    assert (images["val/a"] == 4).all()


@pytest.mark.parametrize("changes", [{"every": 0}, {"metrics": {}}])
def test_settings_that_cannot_work_are_refused(changes) -> None:
    with pytest.raises(ValueError, match=r"validation\.every|metrics is empty"):
        validation(**changes)
