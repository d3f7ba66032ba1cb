"""Forms of one computation, timed in turns, so that all of them meet the same noise.

Each form has a process of its own, because only a fresh one tells the memory it needs.
"""

import multiprocessing
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import psutil
import torch

from bench.result import Cell, Table
from bench.roof import flops_of

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
MIB = 1 << 20

AfterIteration = Callable[[], None]
Form = Callable[[int, AfterIteration], object]
"""Runs a number of iterations and calls a function after each; it can be pickled."""


def compare_in_turns(
    title: str,
    forms: Mapping[str, Form],
    notes: str,
    *,
    rounds: int,
    iterations: int,
    unit: str,
    counted: bool = False,
) -> tuple[Table, list[Any], list[int]]:
    """A table that compares the forms with the first of them, what they returned, and their FLOPs.

    Each form has `rounds` of so many iterations, after one to warm up; a `unit` is what an
    iteration makes. The notes are those that only this table has. FLOPs, of an iteration, are
    counted if they are wanted, else 0.

    Raises:
        ValueError: the process of a form ended, for example of too little memory.
    """
    turns: dict[str, Callable[[], Any]] = {}
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    with ExitStack() as stack:
        for name, form in forms.items():
            turns[name] = stack.enter_context(
                worker(name, _serve, form, rounds + 1, iterations, counted)
            )
            turns[name]()
        for _ in range(rounds):
            for name, turn in turns.items():
                seconds[name].append(turn())
        memory, results, flops = zip(*(turn() for turn in turns.values()), strict=True)
    best = [min(values) for values in seconds.values()]  # other programs only ever add time
    rows: list[dict[str, Cell]] = [
        {
            "form": name,
            f"{unit}s/s": 1 / fastest,
            f"s per {unit}": fastest,
            "median": median(seconds[name]),
            "× as fast": best[0] / fastest,
            "MiB": mib,
            "× the memory": mib and memory[0] and mib / memory[0],
        }
        for name, fastest, mib in zip(forms, best, memory, strict=True)
    ]
    whose = "that of the GPU" if DEVICE.type == "cuda" else "what the process needs at most"
    about = (
        f"The best of {rounds} rounds in turns, with the median to judge the noise by. Memory is "
        f"{whose}, without the libraries."
    )
    return Table(title, f"{about} {notes}", rows), list(results), list(flops)


@contextmanager
def worker(name: str, target: Callable[..., None], *args: object) -> Iterator[Callable[[], Any]]:
    """A fresh process, which calls `target(connection, *args)` and ends with the context.

    What is yielded asks for something and returns it: the target receives before it sends, each
    time. It raises a ValueError that begins with `name` if the process ended instead.
    """
    context = multiprocessing.get_context("spawn")  # forked ones cannot use a GPU
    connection, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *args), daemon=True)
    # A Ctrl-C reaches every process of the terminal; it is for this one to end the others
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    process.start()
    signal.signal(signal.SIGINT, before)
    theirs.close()

    def turn() -> Any:  # noqa: ANN401 # what was sent
        try:
            connection.send(None)
            return connection.recv()
        except (EOFError, OSError):
            process.join()
            raise ValueError(
                f"{name}: the process ended with code {process.exitcode}; -9 means that memory ran "
                "out, of other reasons it has written what it knows above"
            ) from None

    try:
        yield turn
    finally:
        process.kill()
        process.join()
        connection.close()


def _serve(turns: Connection, form: Form, rounds: int, iterations: int, counted: bool) -> None:
    """Send the seconds of an iteration after each round; then memory, result and FLOPs."""
    idle = psutil.Process().memory_info().rss / MIB
    done, begin = 0, perf_counter()

    def after_iteration() -> None:
        nonlocal done, begin
        done += 1
        if done % iterations:
            return
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        turns.send((perf_counter() - begin) / iterations)
        turns.recv()
        begin = perf_counter()

    turns.recv()
    result = form(rounds * iterations, after_iteration)
    # Not getrusage: its maximum is handed down by the process that started this one
    status = Path("/proc/self/status")
    peak = re.search(
        r"VmHWM:\s+(\d+)", status.read_text(encoding="utf-8") if status.exists() else ""
    )
    memory = int(peak[1]) / 1024 - idle if peak else None
    if DEVICE.type == "cuda":
        memory = torch.cuda.max_memory_allocated() / MIB
    turns.send((memory, result, flops_of(form) if counted else 0))
