import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

DECIDED = """
import os, signal
from esrgan.signals import decided
# Who starts the tests with `&` has them ignore Ctrl-C
signal.signal(signal.SIGINT, signal.default_int_handler)
code = decided(3)
os.kill(os.getpid(), signal.{})
raise SystemExit(code)
"""


# Runs a command as Python would, and sends the signal when all else is done
LAST_WORD = """
import atexit, os, runpy, signal, sys
atexit.register(os.kill, os.getpid(), signal.SIGTERM)
sys.argv = sys.argv[1:]
if sys.argv[0] == "-m":
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
else:
    runpy.run_path(sys.argv[0], run_name="__main__")
"""
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 3), ("SIGUSR1", 3), ("SIGINT", -2)])
def test_a_signal_after_the_end_does_not_change_the_exit_code(name, code):
    command = [sys.executable, "-c", DECIDED.format(name)]
    assert subprocess.run(command, stderr=subprocess.DEVNULL).returncode == code


def test_both_doors_to_a_training_have_it():
    for words in (["-m", "esrgan"], [str(ROOT / "train.py")]):
        process = subprocess.Popen([sys.executable, "-c", LAST_WORD, *words], cwd=ROOT)
        assert process.wait() == 0


CHILD = """
import signal, sys, time
asked = []
for name in ("SIGINT", "SIGTERM"):
    signal.signal(getattr(signal, name), lambda number, frame: asked.append(number))
print("ready", flush=True)
while not asked:
    time.sleep(0.01)
time.sleep(0.4)  # longer than `subprocess.run` leaves a command after a Ctrl-C
print(*(signal.Signals(number).name for number in asked), flush=True)
raise SystemExit(int(sys.argv[1]))
"""

PARENT = """
import sys
from esrgan.signals import Stopped, run_until_stopped
try:
    print("ended", run_until_stopped([sys.executable, "-c", *sys.argv[1:]]), flush=True)
except Stopped as stopped:
    print("stopped by", stopped.name, flush=True)
"""

# The signal comes while the command is being started
EARLY = """
import os, signal, subprocess
start = subprocess.Popen
def started_late(*words, **options):
    os.kill(os.getpid(), signal.SIGTERM)
    return start(*words, **options)
subprocess.Popen = started_late
"""


def start_parent(code, *words):
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )


@pytest.mark.parametrize("code", ["75", "0"])
@pytest.mark.parametrize(("name", "send"), [("SIGINT", os.killpg), ("SIGTERM", os.kill)])
def test_a_command_gets_one_signal_and_the_time_to_end(name, send, code):
    """A Ctrl-C goes to the whole group of processes, what a scheduler sends to one."""
    parent = start_parent(PARENT, CHILD, code)
    assert parent.stdout.readline() == "ready\n"
    send(parent.pid, getattr(signal, name))
    assert parent.communicate()[0].splitlines() == ["SIGTERM", f"stopped by {name}"]


def test_a_command_that_a_signal_precedes_ends_too():
    parent = start_parent(EARLY + PARENT, "import time; time.sleep(30)")
    assert parent.communicate(timeout=20)[0] == "stopped by SIGTERM\n"


def test_a_command_that_nothing_stops_gives_its_exit_code():
    parent = start_parent(PARENT, "raise SystemExit(3)")
    assert parent.communicate()[0] == "ended 3\n"
