import os
import signal
import time

import pytest

from esrgan.signals import STOP
from esrgan.training import StopSignal
from esrgan.training.ranks import Ranks


@pytest.fixture(autouse=True)
def _own_handlers():
    before = {number: signal.getsignal(number) for number in STOP}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOP)
def test_the_first_signal_is_remembered_and_the_second_acts(monkeypatch, number) -> None:
    now, raised = 100.0, []
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    usual = signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, usual)  # which nohup and a script's background may change
    stop = StopSignal()
    stop.listen()
    os.kill(os.getpid(), number)
    assert stop.received is None  # until all processes know
    stop.share(Ranks())
    assert stop.received is number

    now += 0.5
    os.kill(os.getpid(), number)
    assert raised == []  # a scheduler reached the process twice with one wish

    now += 2
    os.kill(os.getpid(), number)
    assert raised == [number]
    assert signal.getsignal(number) is usual
    signal.signal(number, before)


def test_without_a_signal_nothing_is_shared() -> None:
    stop = StopSignal()
    stop.share(Ranks())
    assert stop.received is None
