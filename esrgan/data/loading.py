"""Batches from loading processes, for a process that must never wait for them without end."""

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import psutil
from torch import Tensor
from torch.utils.data import DataLoader

from esrgan.data.careful_samples import IDLE, BadSample, Loaded
from esrgan.errors import in_one_line
from esrgan.signals import death_of, keeping_sigchld

LOOK = 0.2
"""Seconds between two looks at whether it is all over: the `timeout` of loaders with processes."""

_REAPED = 1.0  # seconds in which a process that has closed its ends is seen to be dead
_GRACE = 2.0  # seconds


class _NotYetError(Exception):
    """There is no batch so far."""


class Died(NamedTuple):
    """Loading processes have ended; `number` is of the sample that one was at, None: of none."""

    number: int | None
    why: str


class Loading:
    """Takes batches out of a DataLoader in a thread of its own.

    What a process waits for may never come: one that loads may be stopped in the middle of what it
    sends, or hang in a dead network disk. The thread waits for it. So the main one, which gets the
    signals, goes on looking around, and is between two iterations when it learns of a dead process:
    PyTorch would raise that in the middle of whatever it does.

    Args:
        loader: its batches are `Loaded` or a `BadSample`; with processes its timeout is `LOOK`.
        board: where the loading processes write which sample they are at.
        name: of a sample, by its number.
    """

    def __init__(
        self, loader: DataLoader[Any], *, board: Tensor, name: Callable[[int], str]
    ) -> None:
        self._board, self._name = board, name
        self._batches: queue.Queue[Loaded | BadSample | Died] = queue.Queue(maxsize=1)
        self._closed = threading.Event()
        with keeping_sigchld():
            iterator = iter(loader)
        self._processes: list[Any] = getattr(iterator, "_workers", [])
        self._thread = threading.Thread(
            target=self._fetch, args=(iterator,), name="loading", daemon=True
        )
        self._thread.start()

    def take(self, *, timeout: float) -> Loaded | BadSample | Died | None:
        """The next batch, or why there will be none; None: neither came in these seconds."""
        try:
            return self._batches.get(timeout=timeout)
        except queue.Empty:
            # Those that have loaded all end with 0; PyTorch looks every 5 s only
            dead = [place for place in self._dead() if self._processes[place].exitcode]
            return self._death(dead) if dead else None

    def waiting_for(self) -> str:
        """What the loading processes are at, for people."""
        if not self._processes:
            return f"loading is at {self._at(0) or 'no sample'}"
        listed = []
        for place, process in enumerate(self._processes):
            at = self._at(place) or "no sample"
            listed.append(f"loading process {process.pid} ({_status(process.pid)}) is at {at}")
        return ", ".join(listed)

    def close(self) -> None:
        """End thread and processes, whatever state they are in.

        PyTorch ends what it started in good order, where nothing hangs. Python cannot end while a
        thread frees tensors; one that hangs elsewhere does no harm.
        """
        self._closed.set()
        self._thread.join(timeout=_GRACE)
        for process in self._processes:
            process.kill()
        self._thread.join(timeout=_GRACE)

    def _fetch(self, iterator: Any) -> None:  # noqa: ANN401 # torch has no public type for it
        try:
            while not self._closed.is_set():
                with suppress(_NotYetError):
                    self._hand_over(_next(iterator))
        except StopIteration:
            return
        except Exception as error:
            if not self._closed.is_set():
                self._hand_over(self._died(error))

    def _hand_over(self, loaded: Loaded | BadSample | Died) -> None:
        while not self._closed.is_set():
            with suppress(queue.Full):
                self._batches.put(loaded, timeout=LOOK)
                return

    def _died(self, error: Exception) -> Died:
        """The data set raises nothing: what is raised comes of processes that are not there."""
        end = time.monotonic() + _REAPED
        while not (dead := self._dead()) and time.monotonic() < end:
            time.sleep(0.01)
        if not dead:
            return Died(None, f"loading failed: {in_one_line(error)}")
        return self._death(dead)

    def _death(self, dead: list[int]) -> Died:
        """What is known of processes that are dead, of which one is told."""
        place = next((place for place in dead if self._at(place)), dead[0])
        number = int(self._board[place])
        how = death_of(self._processes[place].exitcode)
        if number == IDLE:
            return Died(None, f"a loading process {how}, between two samples")
        return Died(number, f"a loading process {how} at {self._name(number)}")

    def _dead(self) -> list[int]:
        return [n for n, process in enumerate(self._processes) if process.exitcode is not None]

    def _at(self, place: int) -> str:
        number = int(self._board[place])
        return "" if number == IDLE else self._name(number)


def _next(iterator: Any) -> Any:  # noqa: ANN401
    try:
        return next(iterator)
    except RuntimeError as error:  # which leaves the iterator as it was
        if "timed out" in str(error):
            raise _NotYetError from error
        raise


def _status(pid: int) -> str:
    try:
        return str(psutil.Process(pid).status())
    except psutil.Error:
        return "gone"
