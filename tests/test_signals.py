import subprocess
import sys
from pathlib import Path

import pytest

DECIDED = """
import os, signal
from esrgan.signals import decided
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
