"""A process of its own for a measurement."""

import multiprocessing
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Self


class Worker(AbstractContextManager["Worker"]):
    """Calls `target(connection, *arguments)` in a fresh process, which ends with the context.

    Args:
        name: of what is measured, for messages.
        target: a function of a module; it and its arguments can be pickled.
        arguments: what it is called with, after its end of the connection.
    """

    def __init__(self, name: str, target: Callable[..., None], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")  # forked ones cannot use a GPU
        self._name = name
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=target, args=(theirs, *arguments), daemon=True)
        # A Ctrl-C reaches every process of the terminal; it is for this one to end the others
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._process.start()
        signal.signal(signal.SIGINT, before)
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()
        self._process.kill()
        self._process.join()

    def go_on(self) -> None:
        """Let it continue that waits in `Connection.recv`."""
        self._connection.send(None)

    def receive(self) -> Any:  # noqa: ANN401 # what was sent
        """Wait for what it sends next.

        Raises:
            ValueError: it ended instead.
        """
        try:
            return self._connection.recv()
        except EOFError:
            self._process.join()
            raise ValueError(
                f"{self._name}: the process ended with code {self._process.exitcode}; -9 means "
                "that memory ran out, of other reasons it has written what it knows above"
            ) from None
