"""SIGTERM at any moment of a run, as `python train.py` is typed, on one and on two processes.

The moments are drawn from what `main` listens at to the end of the process: before it, Python is
starting, and nothing of ours can hear.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_content import content

NUM_SIGNALS = 30  # for each number of processes
LONGEST = 300  # seconds, for what takes ten
TRAIN = Path(__file__).parents[2] / "train.py"


def start(folder, settings):
    words = [f"{key}={value}" for key, value in settings.items()]
    process = subprocess.Popen(
        [sys.executable, TRAIN, *words, "resume=auto"],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while process.poll() is None and not listens(process.pid):
        time.sleep(0.001)
    return process


def listens(pid):
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return True
    caught = next((line.split()[1] for line in lines if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def end(process):
    output, _ = process.communicate(timeout=LONGEST)
    return process.returncode, output


@pytest.mark.parametrize("devices", [1, 2])
def test_a_run_stopped_at_any_moment_goes_on_to_the_same_bits(
    settings, tmp_path, share_of, devices
):
    """A run is stopped and continued until it is done, then another one, until all are sent."""
    several = {} if devices == 1 else {"trainer": "ddp", "trainer.devices": devices}
    settings = settings | several
    (tmp_path / "whole").mkdir()
    process = start(tmp_path / "whole", settings)
    begun = time.monotonic()
    assert end(process)[0] == 0
    longest = time.monotonic() - begun
    expected = content(tmp_path / "whole/experiments/run")

    dice, folder = random.Random(devices), tmp_path / "0"
    for number in range(share_of(NUM_SIGNALS)):
        folder.mkdir(exist_ok=True)
        process = start(folder, settings)
        moment = dice.uniform(0, longest)
        time.sleep(moment)
        process.send_signal(signal.SIGTERM)  # does nothing where it has ended
        code, output = end(process)
        assert code in (0, 75), f"{code} after {moment:.2f} s:\n{output}"
        assert "Traceback" not in output
        if code == 0:
            assert content(folder / "experiments/run") == expected
            folder = tmp_path / str(number + 1)
    if folder.exists():
        code, output = end(start(folder, settings))
        assert code == 0, output
        assert content(folder / "experiments/run") == expected
