"""Forms of one computation, timed in turns, so that all of them meet the same noise.

Each form has a process of its own, because only a fresh one tells the memory it needs.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import NamedTuple

import torch

from bench.machine import memory_bytes, peak_memory_bytes
from bench.worker import Worker

AfterIteration = Callable[[], None]
Form = Callable[[int, AfterIteration], None]
"""Runs a number of iterations and calls a function after each; it can be pickled."""


class Timing(NamedTuple):
    """Seconds of an iteration in each round, and bytes needed beyond those of an idle process."""

    seconds: list[float]
    memory: int | None

    @property
    def best(self) -> float:
        """Of the round that other programs disturbed least: they only ever add time."""
        return min(self.seconds)


def time_in_turns(forms: Mapping[str, Form], *, rounds: int, iterations: int) -> dict[str, Timing]:
    """Time every form, after a round to warm up.

    Raises:
        ValueError: the process of a form ended, for example of too little memory.
    """
    with ExitStack() as stack:
        workers = {}
        for name, form in forms.items():
            worker = Worker(name, _serve, form, rounds + 1, iterations)
            workers[name] = stack.enter_context(worker)
            worker.receive()
        seconds: dict[str, list[float]] = {name: [] for name in forms}
        for _ in range(rounds):
            for name, worker in workers.items():
                worker.go_on()
                seconds[name].append(worker.receive())
        timings = {}
        for name, worker in workers.items():
            worker.go_on()
            timings[name] = Timing(seconds[name], worker.receive())
    return timings


def _serve(turns: Connection, form: Form, rounds: int, iterations: int) -> None:
    """Send the seconds of an iteration after each round, and the memory at the end."""
    idle = memory_bytes()
    form(rounds * iterations, _Pace(turns, iterations))
    if torch.cuda.is_available():
        turns.send(torch.cuda.max_memory_allocated())
    else:
        peak = peak_memory_bytes()
        turns.send(None if peak is None or idle is None else peak - idle)


class _Pace:
    """Called after each iteration; at the end of a round it reports, and waits for the next."""

    def __init__(self, turns: Connection, iterations: int) -> None:
        self._turns, self._iterations = turns, iterations
        self._done, self._begin = 0, time.perf_counter()

    def __call__(self) -> None:
        self._done += 1
        if self._done < self._iterations:
            return
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self._turns.send((time.perf_counter() - self._begin) / self._iterations)
        self._turns.recv()
        self._done, self._begin = 0, time.perf_counter()
