"""The two ways to start several processes on one machine, as a user types them."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from run_content import logged_iterations

from esrgan.runs import read_newest

TRAIN = str(Path(__file__).parents[2] / "train.py")
LONGEST = 180  # seconds, for what takes twenty on an idle machine


def by_lightning() -> list[str]:
    return [sys.executable, TRAIN]


def by_lightning_as_a_module() -> list[str]:
    return [sys.executable, "-m", "esrgan", "train"]


def by_torchrun() -> list[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    return [*launcher, "--master-port", str(port), TRAIN]


def start(launcher, folder, settings) -> "subprocess.Popen[str]":
    several = settings | {"trainer": "ddp", "trainer.devices": 2}
    overrides = [f"{key}={value}" for key, value in several.items()]
    return subprocess.Popen(
        [*launcher(), *overrides],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(
    ("launcher", "code"),
    [
        pytest.param(by_lightning, 75, marks=pytest.mark.soak),
        pytest.param(by_lightning_as_a_module, 75, marks=pytest.mark.soak),
        pytest.param(by_torchrun, 1, marks=pytest.mark.slow),
    ],
)
def test_two_processes_train_stop_at_a_signal_and_go_on(gan_settings, tmp_path, launcher, code):
    """torchrun has no exit code of its processes: it is 1 where one of them did not end with 0."""
    longer = gan_settings | {"iterations": 200}
    run = tmp_path / "experiments/run"
    process = start(launcher, tmp_path, longer)
    wait_for_iteration(process, run / "train.csv", 10)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=LONGEST)
    assert process.returncode == code, output
    assert "stopped by SIGTERM" in output
    stopped_at = read_newest(run / "checkpoints")["iteration"]
    assert 10 <= stopped_at < 200

    process = start(launcher, tmp_path, longer | {"resume": True})
    output, _ = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, output
    assert f"from iteration {stopped_at} to 200 on 2" in output
    assert logged_iterations(run / "train.csv") == [*range(3, 200, 3), 200]
    assert (run / "run.pth").exists()


@pytest.mark.slow
def test_where_one_of_two_processes_is_killed_the_other_says_so(gan_settings, tmp_path):
    process = start(by_lightning, tmp_path, gan_settings | {"iterations": 200})
    wait_for_iteration(process, tmp_path / "experiments/run/train.csv", 10)
    (other,) = psutil.Process(process.pid).children()
    other.kill()
    output, _ = process.communicate(timeout=LONGEST)
    assert process.returncode == 2, output
    assert "Traceback" not in output
    assert "error: process 1 of this run was killed by SIGKILL (the system does so" in output
    assert "resume=true goes on from iteration" in output


def wait_for_iteration(process, log, iteration) -> None:
    end = time.monotonic() + LONGEST
    while max(logged_iterations(log), default=0) < iteration:
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.1)
