"""Which checkpoints stay, and which is the best."""

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
    assert checkpoints.best() == ""
    checkpoints.judge(5, {PSNR: 20.0, LPIPS: 0.5})
    save(checkpoints, 5)
    checkpoints.judge(10, {PSNR: 19.0, LPIPS: 0.1})
    save(checkpoints, 10, 15, 20)
    (path,) = tmp_path.glob("iteration_00000005-*.ckpt")
    assert checkpoints.best() == f"the best by PSNR-Y 20.0000 is that of iteration 5: {path}"
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
