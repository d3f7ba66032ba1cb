import signal
import subprocess
import sys

import pytest

DECIDED = """
import os, signal
from esrgan.signals import decided
code = decided(3)
os.kill(os.getpid(), signal.{})
raise SystemExit(code)
"""


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 3), ("SIGUSR1", 3), ("SIGINT", -2)])
def test_a_signal_after_the_end_does_not_change_the_exit_code(name, code):
    command = [sys.executable, "-c", DECIDED.format(name)]
    assert subprocess.run(command, stderr=subprocess.DEVNULL).returncode == code


def test_the_commands_decide_before_python_ends(monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    from esrgan.__main__ import main

    try:
        assert main(["report", "nowhere"]) == 2
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"):
            signal.signal(getattr(signal, name), before)
