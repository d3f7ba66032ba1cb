"""`train.py -m`: whatever happens to a sweep, the same command ends with what is not done."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from run_content import content, logged_iterations

from esrgan.runs import read_newest

TRAIN = Path(__file__).parents[2] / "train.py"
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}  # as the runs that these are compared with


def command(settings, **swept):
    overrides = [f"{key}={value}" for key, value in (settings | swept).items()]
    return [sys.executable, TRAIN, "-m", *overrides]


def sweep(folder, settings, **swept):
    return subprocess.run(
        command(settings, **swept),
        cwd=folder,
        env=ONE_THREAD,
        capture_output=True,
        text=True,
        check=False,
    )


class Started:
    """A sweep in a process group of its own, as a shell starts it."""

    def __init__(self, folder, settings, **swept) -> None:
        self.output = (folder / "output").open("w+")
        self.process = subprocess.Popen(
            command(settings, **swept),
            cwd=folder,
            env=ONE_THREAD,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )

    def wait_until_they_train(self, runs):
        while not all(logged_iterations(run / "train.csv") for run in runs):
            assert self.process.poll() is None, self.text
            time.sleep(0.05)

    @property
    def text(self):
        self.output.seek(0)
        return self.output.read()


def trainings(folder):
    """What trains in a folder, sweeps and their jobs alike."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is not ours
            if (process / "cwd").readlink() == folder:
                found.append((process / "cmdline").read_bytes().split(b"\0"))
    return [words for words in found if bytes(TRAIN) in words or b"esrgan" in words]


@pytest.mark.slow
def test_the_same_command_goes_on_with_what_is_not_done(settings, finished, tmp_path):
    values = {"patch_size": "32,64"}  # of which the second is larger than the images
    run = tmp_path / "experiments/run/patch_size=32"
    started = Started(tmp_path, settings, **values)
    started.wait_until_they_train([run])
    assert len(trainings(tmp_path)) == 2
    os.kill(started.process.pid, signal.SIGTERM)
    assert started.process.wait() == 75
    assert trainings(tmp_path) == []
    assert "job 1 of 2: run/patch_size=32\n" in started.text
    assert "job 2 of 2" not in started.text
    assert "stopped with 0 of 2 jobs done: the same command goes on\n" in started.text
    assert "Traceback" not in started.text
    stopped_at = read_newest(run / "checkpoints")["iteration"]

    again = sweep(tmp_path, settings, **values)
    assert again.returncode == 2
    assert f"{run.relative_to(tmp_path)}: from iteration {stopped_at} to 60 " in again.stdout
    assert content(run) == content(finished / "experiments/run")
    errors = again.stderr[again.stderr.index("error: ") :].splitlines()
    assert errors.pop(0).startswith("error: 6 of 6 images are smaller than patch_size (64): ")
    assert errors == [
        "error: 1 of 2 jobs failed:",
        "  run/patch_size=64: exit code 2",
        "the same command starts them again, and nothing that is done",
    ]

    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    mended = sweep(tmp_path, settings, **{"patch_size": "choice(32)"})
    assert mended.returncode == 0
    assert mended.stderr == ""
    assert mended.stdout.splitlines() == [
        "job 1 of 1: run/patch_size=32 is done",
        "all jobs are done, and this compares them:",
        "esrgan report experiments/run/patch_size=32",
    ]
    files = [path for path in tmp_path.rglob("*") if path != tmp_path / "experiments"]
    assert all(before[path] == path.stat().st_mtime_ns for path in files)


@pytest.mark.slow
def test_a_job_is_refused_where_a_run_of_other_settings_is(settings, finished, tmp_path):
    shutil.copytree(finished / "experiments/run", tmp_path / "experiments/run/seed=1")
    ended = sweep(tmp_path, settings, seed="choice(1)")
    assert ended.returncode == 2
    assert "\n  seed: 0 then, 1 now\n" in ended.stderr
    assert "error: 1 of 1 jobs failed:\n  run/seed=1: exit code 2\n" in ended.stderr


def test_a_killed_run_goes_on_by_itself_with_auto(server, settings, finished, tmp_path):
    by_itself = settings | {"resume": "auto"}
    training = server.start(tmp_path, by_itself)
    training.wait_for_iteration(20)
    training.send(signal.SIGKILL)
    training.wait()
    assert server.start(tmp_path, by_itself).wait() == 0
    assert content(training.run) == content(finished / "experiments/run")


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.soak),
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_a_signal_to_all_stops_jobs_side_by_side(settings, tmp_path, number):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra sweeps")
    parallel = {"hydra/launcher": "joblib", "hydra.launcher.n_jobs": 2}
    runs = [tmp_path / f"experiments/run/seed={seed}" for seed in (0, 1)]
    started = Started(tmp_path, settings | parallel, seed="0,1,2", iterations=100_000)
    started.wait_until_they_train(runs)
    os.killpg(started.process.pid, number)
    assert started.process.wait() == 75
    assert trainings(tmp_path) == []
    assert started.text.count("stopped by SIGTERM") == 2
    assert "job 3 of 3" not in started.text
    for run in runs:  # nothing that was logged is lost
        iteration = read_newest(run / "checkpoints")["iteration"]
        assert iteration >= logged_iterations(run / "train.csv")[-1]


@pytest.mark.soak
def test_a_job_may_train_in_several_processes(settings, tmp_path):
    several = {"trainer": "ddp", "trainer.devices": 2, "iterations": 20}
    ended = sweep(tmp_path, settings | several, seed="0,1")
    assert ended.returncode == 0, ended.stderr
    for seed in (0, 1):
        run = tmp_path / f"experiments/run/seed={seed}"
        assert logged_iterations(run / "train.csv") == [3, 6, 9, 12, 15, 18, 20]
        assert read_newest(run / "checkpoints")["settings"]["seed"] == seed
