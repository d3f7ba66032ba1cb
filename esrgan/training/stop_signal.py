import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Remembers a Ctrl-C or a SIGTERM until the running iteration has ended.

    A second one acts at once, as it would without this.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None

    def listen(self) -> None:
        for number in SIGNALS:
            signal.signal(number, self._receive)

    def ignore(self) -> None:
        """Give the signals back their usual effect."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        self.ignore()
