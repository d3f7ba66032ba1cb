"""Which checkpoint is the best, by metrics of any direction."""

import math
from pathlib import Path

import pytest

from esrgan.evaluation import METRICS
from esrgan.training import Checkpointing


def checkpointing(folder: Path, monitor: str | None) -> Checkpointing:
    return Checkpointing(folder=str(folder), every=10, keep_last=2, monitor=monitor)


@pytest.mark.parametrize(
    ("monitor", "values", "best"),
    [
        ("PSNR-Y", [25.0, 27.0, 26.0], 200),
        ("LPIPS", [0.3, 0.1, 0.2], 200),
        ("NIQE", [math.nan, 5.0, math.nan], 200),
        ("BRIGHTNESS", [-3.0, 0.5, -0.4], 300),
        ("CONTRAST", [0.5, 1.3, 0.8], 300),
    ],
)
def test_the_best_is_what_the_metric_calls_better(tmp_path, monitor, values, best) -> None:
    """Whatever else is measured, and on whichever side of it better is."""
    ours = checkpointing(tmp_path, monitor)
    for number, value in enumerate(values, start=1):
        others = {METRICS["SSIM-Y"]: 1 - 0.1 * number, METRICS["DISTS"]: 0.1 * number}
        ours.judge(100 * number, {METRICS[monitor]: value} | others)
    assert ours.best_iteration == best
    assert ours.best_value == values[best // 100 - 1]


def saved(folder: Path, monitor: str | None) -> Checkpointing:
    """Of which the second of four is the best by LPIPS, and stays beside the newest two."""
    ours = checkpointing(folder, monitor)
    for number, value in enumerate([0.3, 0.1, 0.2, 0.4], start=1):
        ours.judge(10 * number, {METRICS["LPIPS"]: value})
        ours.save(10 * number, {"iteration": 10 * number})
    return ours


def test_the_best_stays_beside_the_newest(tmp_path: Path) -> None:
    saved(tmp_path, "LPIPS")
    kept = sorted(path.name[10:18] for path in tmp_path.glob("*.ckpt"))
    assert kept == ["00000020", "00000030", "00000040"]


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ({}, ""),
        ({"PSNR-Y": 30.0}, ""),
        ({"LPIPS": 0.15}, ", better than the start (0.1500)"),
        ({"LPIPS": 0.1}, ", and no better than the start (0.1000): the weights that this run"),
    ],
)
def test_the_end_says_which_is_the_best_and_whether_it_is_better_than_the_start(
    tmp_path: Path, start: dict[str, float], words: str
) -> None:
    ours = saved(tmp_path, "LPIPS")
    (path,) = tmp_path.glob("*00000020-*.ckpt")
    text = ours.describe_best([METRICS["PSNR-Y"], METRICS["LPIPS"]], start)
    assert text is not None
    assert text.startswith(f"the best checkpoint by LPIPS (0.1000) is {path}{words}")
    assert bool(words) or text.endswith(".ckpt")


def test_where_nothing_is_monitored_nothing_is_said(tmp_path: Path) -> None:
    assert saved(tmp_path, None).describe_best([METRICS["LPIPS"]], {}) is None
