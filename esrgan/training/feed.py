"""What the iterations of a run are fed with, and why there may be no more of it."""

import signal
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple, Protocol

from esrgan.errors import FAILED, STOPPED
from esrgan.training.ranks import Ranks, rank, world_size
from esrgan.training.stop_signal import StopSignal

_LOOK = 0.2  # seconds between two looks at whether the run is to stop
_TROUBLE = 1000  # plus an exit code: larger than the number of any signal


class Stream(Protocol):
    """Batches, as `esrgan.data.stream` has them."""

    def take(self, *, timeout: float) -> Any | None: ...  # noqa: ANN401

    def waiting_for(self) -> str: ...

    def close(self) -> None: ...


class Data(Protocol):
    """Whatever makes the batches of the iterations that are left, counted from 0."""

    iterations: range

    def stream(
        self, *, rank: int, world_size: int, pinned: bool, restarts: int, skip_bad: bool
    ) -> Stream: ...


class Trouble(NamedTuple):
    """Why a run ends before its time, and with which exit code."""

    exit_code: int
    words: str


class Feed:
    """The batches that are left of a run, for Lightning; it ends early where the run has to stop.

    That is always between two iterations, and all processes agree on it: of a signal, a sample that
    cannot be made, loading processes that are silent. So what the run has come to can be saved, and
    no process waits for another that has gone.

    Args:
        data: makes the batches.
        stop: is asked for signals.
        ranks: agree on ending.
        longest_wait: seconds without a batch after which the run ends.
        pinned, restarts, skip_bad: go to the stream of the data.

    Attributes:
        trouble: why it has ended, if neither by a signal nor at the end of the run.
    """

    def __init__(
        self,
        data: Data,
        *,
        stop: StopSignal,
        ranks: Ranks,
        longest_wait: float,
        pinned: bool = False,
        restarts: int = 0,
        skip_bad: bool = False,
    ) -> None:
        self._data, self._stop, self._ranks = data, stop, ranks
        self._longest_wait = longest_wait
        self._make = partial(data.stream, pinned=pinned, restarts=restarts, skip_bad=skip_bad)
        self.trouble: Trouble | None = None

    def __len__(self) -> int:
        return len(self._data.iterations)

    def __iter__(self) -> Iterator[Any]:
        stream = self._make(rank=rank(), world_size=world_size())
        upcoming = iter(self._data.iterations)
        try:
            batch = self._next(stream, upcoming)
            ends = self._ranks.begin_largest(self._wish)
            while not self._ends(ends()) and batch is not None:
                # What becomes of the iteration after this one is agreed on while this one computes
                following = self._next(stream, upcoming)
                ends = self._ranks.begin_largest(self._wish)
                yield batch
                if self._stop.received is not None:  # in a validation, and agreed on
                    return
                batch = following
        finally:
            stream.close()

    def _next(self, stream: Stream, upcoming: Iterator[int]) -> Any | None:  # noqa: ANN401
        """The batch of the next iteration; None: there is none left, or this process ends."""
        iteration = next(upcoming, None)
        return None if iteration is None else self._wait(stream, f"iteration {iteration + 1}")

    def _wait(self, stream: Stream, whose: str) -> Any | None:  # noqa: ANN401
        """The next batch; None: this process wants to end."""
        end = time.monotonic() + self._longest_wait
        try:
            while not self._stop.is_asked():
                if (batch := stream.take(timeout=_LOOK)) is not None:
                    return batch
                if time.monotonic() > end:
                    words = f"no samples for {whose} in {self._longest_wait:g} s (longest_wait)"
                    self.trouble = Trouble(STOPPED, f"{words}: {stream.waiting_for()}")
                    return None
        except ValueError as error:
            self.trouble = Trouble(FAILED, str(error))
        return None

    def _wish(self) -> int:
        """What this process has to tell the others: 0 is to go on."""
        return _TROUBLE + self.trouble.exit_code if self.trouble else self._stop.asked

    def _ends(self, agreed: int) -> bool:
        """Whether one of the processes wants to end: then all do."""
        if agreed > _TROUBLE and self.trouble is None:
            words = "another process has no samples to go on with: its own message says why"
            self.trouble = Trouble(agreed - _TROUBLE, words)
        elif 0 < agreed < _TROUBLE:
            self._stop.received = signal.Signals(agreed)
        return agreed > 0
