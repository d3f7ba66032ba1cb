"""Files are decoded and written in threads of their own, while the network computes."""

import errno
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import zip_longest
from typing import NamedTuple, Protocol

from esrgan.data import ImageError, Picture
from esrgan.upscaling.outputs import Job

_FULL = {errno.ENOSPC, errno.EDQUOT}


class Work(Protocol):
    """The three parts of a job. ValueError, MemoryError, OSError: this picture fails, no other."""

    def read(self, job: Job) -> Picture: ...

    def enlarge(self, job: Job, picture: Picture) -> Picture: ...

    def write(self, job: Job, picture: Picture) -> int:
        """Returns the number of pixels."""
        ...


class Done(NamedTuple):
    """What became of a job: pixels of the result or, where it failed, the reason."""

    job: Job
    num_pixels: int = 0
    reason: str | None = None


def run_jobs(jobs: Sequence[Job], work: Work) -> Iterator[Done]:
    """Does each job as far as it gets, in order.

    At most one picture is decoded ahead, one computed and one being written, whatever their number.
    When it is interrupted, what is being written is finished.

    Raises:
        ValueError: the disk is full, which would end the others alike.
    """
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        reading = deque([reader.submit(work.read, job) for job in jobs[:1]])
        writing: deque[tuple[Job, Future[int]]] = deque()
        for job, following in zip_longest(jobs, jobs[1:]):
            picture = reading.popleft()
            if following:
                reading.append(reader.submit(work.read, following))
            try:
                sr = work.enlarge(job, picture.result())
            except (ValueError, MemoryError) as error:
                yield from _finish(writing)
                yield Done(job, reason=_reason(error))
                continue
            yield from _finish(writing)
            writing.append((job, writer.submit(work.write, job, sr)))
            del sr  # or it would stay for as long as the next one is computed
        yield from _finish(writing)


def _finish(writing: deque[tuple[Job, Future[int]]]) -> Iterator[Done]:
    """Waits for what is being written."""
    while writing:
        job, future = writing.popleft()
        try:
            yield Done(job, future.result())
        except OSError as error:
            if error.errno in _FULL:
                raise ValueError(
                    f"{job.target} cannot be written: {error.strerror}. Make room, and go on with "
                    "--skip-existing"
                ) from error
            yield Done(job, reason=f"{job.target} cannot be written: {error.strerror or error}")
        except (ValueError, MemoryError) as error:
            yield Done(job, reason=_reason(error))


def _reason(error: Exception) -> str:
    """Without the name of the file, which goes before it."""
    return error.reason if isinstance(error, ImageError) else str(error) or "out of memory"
