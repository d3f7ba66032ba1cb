import json
import os
import signal
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import pytest

from esrgan.runs import RunFolder
from esrgan.runs.settings import write_settings
from esrgan.signals import END
from esrgan.sweeps.job import JobRunner, StopFile
from esrgan.sweeps.plan import Job

ON_CPU = {"trainer": {"devices": 1, "accelerator": "cpu"}}
ON_A_GPU = {"trainer": {"devices": 1, "accelerator": "auto"}}
JOBS = [Job("psnr/seed=0", ("experiment=psnr", "seed=0")), Job("psnr/seed=1", ("seed=1",))]

# In the place of train.py: does what it is asked, and notes what it was given.
SCRIPT = """
import json, os, signal, sys, time
from pathlib import Path
received = []
signal.alarm(20)  # whatever this waits for
signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
note = {"arguments": sys.argv[1:], "gpus": os.environ.get("CUDA_VISIBLE_DEVICES")}
note["leads a group"] = os.getpgrp() == os.getpid()
Path("started.json").write_text(json.dumps(note))
%s
"""
UNTIL_SIGTERM = """
while not received:
    time.sleep(0.01)
time.sleep(0.5)
Path("received").write_text(str(len(received)))
sys.exit(75)
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    handlers = {number: signal.getsignal(number) for number in END}
    for number in END:  # which a script ignores in what it runs in the background
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def runner(what_it_does: str) -> JobRunner:
    script = Path("train.py")
    script.write_text(SCRIPT % what_it_does, encoding="utf-8")
    return JobRunner(JOBS, [sys.executable, str(script)], StopFile(Path("stop")))


def started() -> dict[str, object]:
    return json.loads(Path("started.json").read_text(encoding="utf-8"))


def when_started(action) -> None:
    """Act as soon as the job is there, while this process waits for it."""

    def wait_and_act() -> None:
        while not (Path("started.json").exists() and Path("started.json").stat().st_size):
            time.sleep(0.01)
        action()

    threading.Thread(target=wait_and_act, daemon=True).start()


@pytest.mark.parametrize("code", [0, 2, 75])
def test_a_job_is_a_process_with_its_exit_code(code) -> None:
    assert runner(f"sys.exit({code})").run(JOBS[0], ON_CPU) == code
    overrides = ["resume=auto", "experiment=psnr", "seed=0", "name='psnr/seed=0'"]
    assert started()["arguments"] == overrides
    assert started()["leads a group"]  # or the terminal's Ctrl-C would reach it a second time


def test_a_job_that_a_signal_ended_has_it_as_its_exit_code() -> None:
    assert runner("os.kill(os.getpid(), signal.SIGKILL)").run(JOBS[0], ON_CPU) == -signal.SIGKILL


def test_a_job_is_found_by_its_overrides() -> None:
    assert runner("").find(["seed=1"]) is JOBS[1]
    with pytest.raises(ValueError, match="seed=2 is not a job of the command line"):
        runner("").find(["seed=2"])


def test_a_wish_to_stop_reaches_the_job_once() -> None:
    jobs = runner(UNTIL_SIGTERM)
    when_started(jobs.stop.path.touch)
    assert jobs.run(JOBS[0], ON_CPU) == 75
    assert Path("received").read_text(encoding="utf-8") == "1"


def test_a_job_that_is_stopped_before_it_listens_can_go_on_too() -> None:
    jobs = runner("signal.signal(signal.SIGTERM, signal.SIG_DFL)\ntime.sleep(60)")
    when_started(jobs.stop.path.touch)
    assert jobs.run(JOBS[0], ON_CPU) == 75


def test_after_a_wish_to_stop_no_job_starts(monkeypatch) -> None:
    jobs = runner("")
    jobs.stop.path.touch()
    monkeypatch.delattr("subprocess.Popen")
    assert jobs.run(JOBS[0], ON_CPU) == 75


@pytest.mark.parametrize("number", END)
def test_a_signal_to_the_sweep_stops_its_job(number) -> None:
    jobs = runner(UNTIL_SIGTERM)
    jobs.stop.listen()
    when_started(lambda: os.kill(os.getpid(), number))
    assert jobs.run(JOBS[0], ON_CPU) == 75
    assert jobs.stop.exists()


def test_a_second_signal_ends_the_sweep_at_once_and_its_job_with_it() -> None:
    jobs = runner("while len(received) < 2: time.sleep(0.01)\nPath('ended').touch()")
    jobs.stop.listen()

    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    when_started(twice)
    with pytest.raises(KeyboardInterrupt):
        jobs.run(JOBS[0], ON_CPU)
    assert Path("ended").exists()


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does
    stop = StopFile(Path("stop"))
    stop.listen()
    os.kill(os.getpid(), signal.SIGHUP)
    assert not stop.exists()


def test_a_process_of_a_launcher_outlives_a_signal_to_the_group() -> None:
    """What the launcher's first process makes of it arrives through the file."""
    for number in END:
        signal.signal(number, signal.SIG_DFL)
    jobs = runner("time.sleep(0.3)\nsys.exit(len(received))")
    when_started(lambda: [os.kill(os.getpid(), number) for number in END])
    assert jobs.run(JOBS[0], ON_CPU) == 0


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (ON_A_GPU, "4"),
        (ON_CPU, "4,7"),
        ({"trainer": {"devices": 2, "accelerator": "gpu"}}, "4,7"),
    ],
)
def test_a_job_for_one_gpu_sees_one(monkeypatch, settings, expected) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert runner("").run(JOBS[0], settings) == 0
    assert started()["gpus"] == expected


def test_the_only_gpu_is_shared(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4")
    assert runner("").run(JOBS[0], ON_A_GPU) == 0
    assert started()["gpus"] == "4"
    assert not any(tmp_path.rglob("*.lock"))


def finished_run(settings) -> Path:
    run = Path("experiments/psnr/seed=0")
    run.mkdir(parents=True)
    write_settings(run / "settings.json", settings)
    with zipfile.ZipFile(run / "seed=0.pth", "w") as release:  # which is what torch writes
        release.writestr("data.pkl", b"weights")
    return run


def test_a_finished_run_is_left_alone() -> None:
    finished_run(ON_CPU | {"resume": False})
    assert runner("").run(JOBS[0], ON_CPU | {"resume": "auto"}) == 0
    assert not Path("started.json").exists()


def test_a_run_without_its_release_is_not_finished() -> None:
    run = finished_run(ON_CPU | {"resume": False})
    assert RunFolder(run).is_finished(ON_CPU | {"resume": False})
    (run / "seed=0.pth").unlink()
    assert not RunFolder(run).is_finished(ON_CPU | {"resume": False})


def test_a_run_whose_release_was_cut_is_not_finished() -> None:
    release = finished_run(ON_CPU | {"resume": False}) / "seed=0.pth"
    release.write_bytes(release.read_bytes()[:-10])
    assert not RunFolder(release.parent).is_finished(ON_CPU | {"resume": False})


def test_a_run_of_other_settings_is_started_to_be_refused() -> None:
    finished_run(ON_CPU | {"resume": False, "seed": 3})
    assert runner("sys.exit(2)").run(JOBS[0], ON_CPU | {"resume": False, "seed": 0}) == 2


def test_where_there_is_no_run_none_is_finished() -> None:
    assert not RunFolder(Path("experiments/psnr")).is_finished(ON_CPU)
