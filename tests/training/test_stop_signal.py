import os
import signal

import pytest

from esrgan.training import StopSignal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_remembered_and_the_second_acts(number: signal.Signals) -> None:
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    stop = StopSignal()
    stop.listen()
    try:
        os.kill(os.getpid(), number)
        assert stop.received is number
        usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
        assert signal.getsignal(number) is usual[number]
    finally:
        for n, handler in before.items():
            signal.signal(n, handler)
