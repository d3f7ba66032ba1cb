"""From image files to the records that are stored of them."""

import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from typing import NamedTuple

from esrgan.data.header import ImageError
from esrgan.data.images import read_image
from esrgan.data.lmdb_store import Codec
from esrgan.data.manifest import Entry, Record, digest
from esrgan.data.sources import Source, SubImages
from esrgan.types import Pair, Resize

_PER_PROCESS = 2  # sources that are being encoded or wait to be stored: it is what bounds memory


@dataclass(frozen=True)
class Recipe:
    """How records are made. It travels to other processes, so all of it can be pickled."""

    scale: int  # gt size / lq size
    codec: Codec
    downscale: Resize | None  # makes an lq image of a whole gt image; None: there are lq files
    subimages: SubImages | None = None  # what images are cut into; None: they are stored whole

    def __post_init__(self) -> None:
        if self.scale < 1:
            raise ValueError(f"scale ({self.scale}) must be at least 1")
        if self.scale == 1 and self.downscale:
            raise ValueError(
                "at scale 1, lq images made of gt images would be the same: give them (--lq)"
            )
        if self.subimages:
            self.subimages.check(self.scale)


class Encoded(NamedTuple):
    """What the journal will say of a record, and the two values of the record."""

    entry: Entry
    gt: bytes
    lq: bytes


def encode_sources(
    sources: Iterable[Source], recipe: Recipe, *, processes: int
) -> Generator[list[Encoded] | ImageError, None, None]:
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
        waiting: deque[Future[list[Encoded] | ImageError]] = deque()
        for source in sources:
            # A process that is started now never sees Ctrl-C: its parent does, and decides
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                waiting.append(pool.submit(encode_source, source, recipe))
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
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


def encode_source(source: Source, recipe: Recipe) -> list[Encoded] | ImageError:
    """Reads the files of a source; an error is returned, as it must not stop the others' work."""
    try:
        fingerprint = source.fingerprint()  # before it is read: it may be changed meanwhile
        parts = {source.key: _read_pair(source, recipe)}
        if recipe.subimages:
            squares = recipe.subimages.cut(parts[source.key], recipe.scale)
            parts = {f"{source.key}_s{n:03d}": part for n, part in enumerate(squares, start=1)}
        encoded = []
        for key, pair in parts.items():
            gt, lq = recipe.codec.encode(pair.gt), recipe.codec.encode(pair.lq)
            height, width = pair.gt.shape[:2]
            record = Record(key, height, width, digest(gt), digest(lq), str(source.gt))
            encoded.append(Encoded(Entry(record, fingerprint), gt, lq))
        return encoded
    except ImageError as error:
        return error
    except (ValueError, OSError) as error:
        return ImageError(str(source.gt), str(error))


def _read_pair(source: Source, recipe: Recipe) -> Pair:
    """The gt image, cropped at the right and at the bottom to a multiple of scale, and the lq."""
    scale = recipe.scale
    gt = read_image(source.gt)
    height, width = gt.shape[0] // scale, gt.shape[1] // scale
    if height == 0 or width == 0:
        raise ValueError(f"{gt.shape[0]}x{gt.shape[1]} is smaller than scale ({scale})")
    gt = gt[: scale * height, : scale * width]
    if source.lq:
        lq = read_image(source.lq)
    else:
        assert recipe.downscale
        lq = recipe.downscale(gt, 1 / scale)
    if lq.shape != (height, width, 3):
        raise ValueError(
            f"its lq image is {lq.shape[0]}x{lq.shape[1]}, but must be {height}x{width}, which is"
            f" the size of the gt image ({gt.shape[0]}x{gt.shape[1]}) divided by {scale}"
        )
    return Pair(lq=lq, gt=gt)


def _end_with_parent() -> None:
    """A killed parent cannot tell its processes to end; they would wait for work for ever."""
    parent = parent_process()
    assert parent

    def wait_and_end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait_and_end, daemon=True).start()
