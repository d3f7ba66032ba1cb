import logging
import signal
from pathlib import Path

import pytest

from esrgan.sweeps.plan import conclude, plan_jobs, sweep_folder


@pytest.mark.parametrize(
    ("swept", "overrides", "name"),
    [
        ({"experiment"}, ["experiment=ablation/column2"], "ablation/column2"),
        (set(), ["experiment=psnr", "seed=1"], "psnr"),
        ({"seed"}, ["experiment=psnr", "seed=1", "scale=2"], "psnr/seed=1"),
        (
            {"experiment", "seed", "patch_size"},
            ["patch_size=96", "experiment=psnr", "seed=1"],
            "psnr/patch_size=96,seed=1",
        ),
        ({"seed"}, ["experiment=psnr", "name=mine", "seed=1"], "mine/seed=1"),
        ({"experiment"}, ["name=mine", "experiment=ablation/a"], "mine/ablation/a"),
        ({"name", "seed"}, ["experiment=psnr", "name=a/b", "seed=0"], "a/b/seed=0"),
        (
            {"training.optimizer.betas"},
            ["experiment=psnr", "training.optimizer.betas=[0.9,0.99]"],
            "psnr/training.optimizer.betas=0.9_0.99",
        ),
        (
            {"train_set", "+training.note"},
            ["experiment=psnr", "train_set=data/DF2K x4", "+training.note='a, b'"],
            "psnr/train_set=data_DF2K_x4,training.note=a_b",
        ),
    ],
)
def test_a_run_is_named_by_what_differs(swept, overrides, name) -> None:
    (job,) = plan_jobs([overrides], swept)
    assert job.name == name
    assert job.overrides == tuple(overrides)


@pytest.mark.parametrize("value", ["../../x", "/etc", "$HOME", "~", "a\\b", "''", "{a:[1,2]}", "é"])
def test_every_value_gives_a_folder_below_that_of_the_experiment(tmp_path: Path, value) -> None:
    (job,) = plan_jobs([["experiment=psnr", f"init_from={value}"]], {"init_from"})
    folder = tmp_path / job.name
    folder.mkdir(parents=True)
    assert folder.resolve().parent == tmp_path / "psnr"
    assert job.name_override == f"name='{job.name}'"
    assert "'" not in job.name


@pytest.mark.parametrize("values", [("1", "1"), ("a/b", "a_b"), ("[0.9]", "0.9")])
def test_two_jobs_never_share_a_folder(values) -> None:
    jobs = [["experiment=psnr", f"init_from={value}"] for value in values]
    with pytest.raises(ValueError, match=r"init_from=.* would both train in experiments/psnr/init"):
        plan_jobs(jobs, {"init_from"})


def test_a_name_too_long_for_a_file_system_is_refused() -> None:
    plan_jobs([["experiment=psnr", f"init_from={'x' * 190}"]], {"init_from"})
    with pytest.raises(ValueError, match=r"has 201 letters.* at most 200: .* sweep experiment="):
        plan_jobs([["experiment=psnr", f"init_from={'x' * 191}"]], {"init_from"})


def test_a_sweep_leaves_no_folder_behind(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with sweep_folder() as folder:
        (folder / "multirun.yaml").touch()
        assert folder.parent == Path("experiments")
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_leaves_the_logs_of_its_launcher(tmp_path: Path, monkeypatch, caplog) -> None:
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.INFO), sweep_folder() as folder:
        (folder / ".submitit").mkdir()
        (folder / ".submitit/1.log").touch()
    assert (folder / ".submitit/1.log").exists()
    assert f"logs are in {folder}" in caplog.text


def test_when_all_jobs_are_done_it_says_how_to_compare_them(caplog) -> None:
    with caplog.at_level(logging.INFO):
        assert conclude({"psnr/seed=0": 0, "psnr/seed=1": 0}) == 0
    command = "esrgan report experiments/psnr/seed=0 experiments/psnr/seed=1"
    assert caplog.text.endswith(f"compares them:\n{command}\n")


def test_jobs_that_failed_are_named_with_their_exit_codes() -> None:
    codes = {"a": 0, "b": 2, "c": -signal.SIGKILL, "d": 1}
    message = r"3 of 4 jobs failed:\n  b: exit code 2\n  c: ended by SIGKILL\n  d: exit code 1\nthe"
    with pytest.raises(ValueError, match=message):
        conclude(codes)


@pytest.mark.parametrize("code", [75, 130])
def test_a_sweep_that_was_stopped_can_go_on(code, caplog) -> None:
    assert conclude({"a": 0, "b": code, "c": 75}) == 75
    assert "stopped with 1 of 3 jobs done: the same command goes on" in caplog.text
    assert "failed" not in caplog.text


def test_what_failed_before_the_stop_is_said_too(caplog) -> None:
    assert conclude({"a": 2, "b": 75}) == 75
    assert "1 of 2 jobs failed:\n  a: exit code 2\nstopped with 0 of 2 jobs done" in caplog.text
