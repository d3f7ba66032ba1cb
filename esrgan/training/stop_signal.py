import signal
import time
from types import FrameType
from typing import Any

from esrgan.signals import STOP, heard
from esrgan.training.ranks import Ranks

SAME_WISH = 1.0
"""Signals within so many seconds are one."""


class StopSignal:
    """Remembers a signal to stop until the running iteration has ended, when it is shared.

    A second one acts at once, as it would without this, unless it is the same wish again: a
    scheduler that signals all processes reaches one directly and through the one that started it.

    Attributes:
        asked: the number of the one that this process received, of which others need not know yet.
        received: the one that all know of.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.asked = 0
        self._since = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def listen(self) -> None:
        for number in heard(STOP):
            self._before[number] = signal.signal(number, self._receive)

    def ignore(self) -> None:
        """Give the signals back the effect that they had before."""
        while self._before:
            signal.signal(*self._before.popitem())

    def is_asked(self) -> bool:
        """Whether this process received one, of which the others need not know yet."""
        return self.asked != 0

    def share(self, ranks: Ranks) -> None:
        """Let all processes know what one of them received: they have to stop together."""
        number = ranks.largest(self.asked)
        self.received = signal.Signals(number) if number else None

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if not self.asked:
            self.asked, self._since = number, time.monotonic()
        elif time.monotonic() > self._since + SAME_WISH:
            self.ignore()
            signal.raise_signal(signal.Signals(number))
