"""Encodes many sources at once, in order and within bounded memory."""

import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process

from esrgan.data.encode import Made, Recipe, encode_source
from esrgan.data.images import ImageError
from esrgan.data.sources import Source

_PER_PROCESS = 2  # sources that are being encoded or wait to be stored: it is what bounds memory


def encode_sources(
    sources: Iterable[Source], recipe: Recipe, *, processes: int
) -> Generator[Made | ImageError, None, None]:
    """What `encode_source` makes of each source, in their order, whatever the number of processes.

    Raises:
        ValueError: `processes` is not positive, or the system ended one of them.
    """
    if processes < 1:
        raise ValueError(f"processes ({processes}) must be at least 1")
    if processes == 1:
        yield from (encode_source(source, recipe) for source in sources)
        return
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_end_with_parent)
    try:
        waiting: deque[Future[Made | ImageError]] = deque()
        for source in sources:
            with _interrupts_held_back():
                waiting.append(pool.submit(encode_source, source, recipe))
            if len(waiting) == _PER_PROCESS * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise ValueError(
            "an encoding process was ended from outside, most often for lack of memory: continue"
            f" with fewer than {processes} processes"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """A process that is started meanwhile never sees Ctrl-C: its parent does, and decides."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """A killed parent cannot tell its processes to end; they would wait for work for ever."""
    parent = parent_process()
    assert parent

    def wait_and_end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait_and_end, daemon=True).start()
