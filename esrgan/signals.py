"""Signals, and process groups, as far as the system knows them: Windows has few of Linux's."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

END = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
)
"""Ctrl-C, the end of a job's time, a terminal that is closed, Windows's Ctrl-Break."""

STOP = END + tuple(
    getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name)
)
"""And the warnings before the end of a job's time that SLURM and submitit send."""

KILL: signal.Signals = getattr(signal, "SIGKILL", signal.SIGTERM)
"""Cannot be caught: on Windows, no signal that a process sends to another can."""

POLL = 0.1  # seconds

_HINTS = {
    "SIGKILL": "the system does so where memory runs out",
    "SIGBUS": "/dev/shm may be too small, as Docker's is without --shm-size",
}


class Stopped(BaseException):
    """A signal asked this process to stop, where there is nothing to finish first."""

    def __init__(self, number: int) -> None:
        self.name = signal.Signals(number).name
        super().__init__(self.name)


def heard(numbers: tuple[signal.Signals, ...]) -> list[signal.Signals]:
    """Those without a hang-up that the process was told to outlive, as nohup does."""
    hang_up = getattr(signal, "SIGHUP", None)
    return [n for n in numbers if n != hang_up or signal.getsignal(n) is not signal.SIG_IGN]


@contextmanager
def stopping_at_once() -> Iterator[None]:
    """Let each signal to stop raise `Stopped`; outside the main thread, which gets them, nothing.

    Raises:
        Stopped: one came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _handled_by(_stop):
        yield


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in heard(STOP)}
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


def decided(code: int) -> int:
    """The exit code of this process, which a signal to stop comes too late to change.

    What is imported may take a second to go. Ctrl-C alone still ends one that hangs meanwhile.
    """
    for number in heard(STOP):
        if number != signal.SIGINT:
            signal.signal(number, signal.SIG_IGN)
    return code


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped(number)


@contextmanager
def ctrl_c_kept_from_new_processes() -> Iterator[None]:
    """A process that is started in the block never sees Ctrl-C, where the system can do that."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def keeping_sigchld() -> Iterator[None]:
    """The end of a child process does what it did before the block, or without PyTorch.

    Which raises, once it has loaded anything, in the middle of whatever the main thread does.
    """
    number = getattr(signal, "SIGCHLD", None)
    if number is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(number)
    try:
        yield
    finally:
        is_pytorchs = str(getattr(before, "__module__", "")).startswith("torch.")
        signal.signal(number, signal.SIG_DFL if is_pytorchs or before is None else before)


def own_group() -> dict[str, Any]:
    """Arguments of `subprocess.Popen`: a Ctrl-C in the terminal does not reach the process."""
    if os.name == "nt":
        return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP")}  # noqa: B009
    return {"process_group": 0}


def death_of(code: int) -> str:
    """How a process has ended, in words, by its exit code or minus the signal that ended it."""
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    return f"was killed by {name}{f' ({_HINTS[name]})' if name in _HINTS else ''}"


def ask_to_stop(process: "subprocess.Popen[bytes]") -> None:
    """By a SIGTERM; on Windows, where it must be in its `own_group`, by a Ctrl-Break."""
    process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))


def run_until_stopped(command: Sequence[str]) -> int:
    """Run a command to its end, and return its exit code.

    Raises:
        Stopped: a signal came; each was passed on to the command, which has ended.
    """
    received: list[int] = []
    with _handled_by(lambda number, frame: received.append(number)):
        process = subprocess.Popen(command, **own_group())
        passed_on = 0
        while process.poll() is None:
            if len(received) > passed_on:
                passed_on = len(received)
                ask_to_stop(process)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=POLL)
    if received:
        raise Stopped(received[0])
    return process.returncode
