"""Which checkpoints stay, and which is the best."""

import math

import pytest

from esrgan.evaluation import METRICS
from esrgan.runs.checkpoints import list_checkpoints
from esrgan.training import Checkpointing

PSNR, LPIPS = METRICS["PSNR-Y"], METRICS["LPIPS"]


def make(folder, monitor="PSNR-Y"):
    checkpoints = Checkpointing(folder=str(folder), every=5, keep_last=2, monitor=monitor)
    checkpoints.check_monitor([PSNR, LPIPS])
    return checkpoints


def save(checkpoints, *iterations, **state):
    for iteration in iterations:
        checkpoints.save(iteration, {"iteration": iteration} | state)


def kept(folder):
    return [int(path.name[10:18]) for path in list_checkpoints(folder)]


@pytest.mark.parametrize("word", ["psnr-y", "Psnr-Y", "PSNR-Y"])
def test_the_metric_is_named_in_any_case(tmp_path, word):
    checkpoints = make(tmp_path, word)
    checkpoints.judge(5, {PSNR: 20.0})
    assert (checkpoints.monitor, checkpoints.best_iteration) == ("PSNR-Y", 5)


def test_another_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"checkpoints.monitor \(ssim\) .* PSNR-Y, LPIPS"):
        make(tmp_path, "ssim")


def test_the_best_is_told_with_its_value(tmp_path):
    checkpoints = make(tmp_path)
    assert checkpoints.best({}) == ""
    checkpoints.judge(5, {PSNR: 20.0, LPIPS: 0.5})
    save(checkpoints, 5)
    checkpoints.judge(10, {PSNR: 19.0, LPIPS: 0.1})
    save(checkpoints, 10, 15, 20)
    (path,) = tmp_path.glob("iteration_00000005-*.ckpt")
    assert checkpoints.best({}) == f"the best by PSNR-Y 20.0000 is that of iteration 5: {path}"
    assert kept(tmp_path) == [20, 15, 5]


@pytest.mark.parametrize("change", [{"monitor": "LPIPS"}, {"same_images": False}])
def test_by_another_measure_judging_begins_again_and_the_earlier_best_stays(tmp_path, change):
    before = make(tmp_path)
    before.judge(5, {PSNR: 20.0, LPIPS: 0.5})
    save(before, 5, 10)
    after = make(tmp_path, change.get("monitor", "PSNR-Y"))
    after.load_state_dict(before.state_dict(), same_images=change.get("same_images", True))
    assert after.best_value is None
    after.judge(15, {PSNR: 10.0, LPIPS: 0.9})
    assert after.best_iteration == 15
    save(after, 15, 20, 25)
    again = make(tmp_path, after.monitor)
    again.load_state_dict(after.state_dict())
    save(again, 30, 35)
    assert (again.best_iteration, kept(tmp_path)) == (15, [35, 30, 15, 5])


def test_an_iteration_has_one_checkpoint(tmp_path):
    checkpoints = make(tmp_path)
    save(checkpoints, 5, is_pending=True)
    save(checkpoints, 5, is_pending=False)
    assert kept(tmp_path) == [5]


def test_a_state_of_an_earlier_version_is_read(tmp_path):
    checkpoints = make(tmp_path)
    checkpoints.load_state_dict({"best_value": 20.0, "best_iteration": 5})
    assert checkpoints.best_iteration == 5


def test_not_a_number_is_never_the_best(tmp_path):
    checkpoints = make(tmp_path)
    checkpoints.judge(5, {PSNR: float("nan")})
    assert checkpoints.best_iteration == -1


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
def test_the_best_is_what_the_metric_calls_better(tmp_path, monitor, values, best):
    """Whatever else is measured, and on whichever side of it better is."""
    ours = Checkpointing(folder=str(tmp_path), every=10, keep_last=2, monitor=monitor)
    for number, value in enumerate(values, start=1):
        others = {METRICS["SSIM-Y"]: 1 - 0.1 * number, METRICS["DISTS"]: 0.1 * number}
        ours.judge(100 * number, {METRICS[monitor]: value} | others)
    assert ours.best_iteration == best
    assert ours.best_value == values[best // 100 - 1]


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ({}, ".ckpt"),
        ({"PSNR-Y": 30.0}, ".ckpt"),
        ({"LPIPS": 0.15}, ", better than the start (0.1500)"),
        (
            {"LPIPS": 0.1},
            ", and no better than the start (0.1000): the weights that this run began "
            "with are the better ones",
        ),
    ],
)
def test_the_best_is_compared_with_the_start(tmp_path, start, words):
    checkpoints = make(tmp_path, "LPIPS")
    for iteration, value in ((5, 0.3), (10, 0.1), (15, 0.2)):
        checkpoints.judge(iteration, {LPIPS: value})
        save(checkpoints, iteration)
    text = checkpoints.best(start)
    assert text.startswith("the best by LPIPS 0.1000 is that of iteration 10: ")
    assert text.endswith(words)
