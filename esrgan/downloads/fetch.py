"""One file over HTTP, continued after whatever interrupts it."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.request import Request

from esrgan.downloads.answers import (
    PAGE,
    Answer,
    TransferError,
    UnavailableError,
    looks_like_a_page,
    read_answer,
)
from esrgan.downloads.connection import open_address
from esrgan.downloads.partial import Origin, begin, discard, origin_of
from esrgan.downloads.space import require_space, write

log = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]
"""Takes how much there is and, if known, how much there will be."""

_CHUNK = 2**18
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to go on.

    Attributes:
        stall: seconds without a byte, also for a connection.
        tries: that many in a row without worth, and the address is given up.
        worth: bytes that make an interrupted try count as none.
        pause: seconds before the second try; doubled before each further one.
    """

    stall: float = 30.0
    tries: int = 6
    worth: int = 2**20
    pause: float = 1.0


def fetch(
    address: str, part: Path, *, size: int | None, patience: Patience, progress: Progress
) -> None:
    """Completes a part, which exists. `size` is that of the whole file in bytes, if known.

    Raises:
        UnavailableError: the address does not have the file; the message names it.
        ValueError: the disk is too small.
        OSError: the part cannot be written.
    """
    failures = 0
    _continuable(part, address)
    most = part.stat().st_size
    while True:
        try:
            return _try(address, part, size, patience.stall, progress)
        except UnavailableError as error:
            raise UnavailableError(f"{address} {error}") from error
        except TransferError as error:
            have = part.stat().st_size
            failures = 0 if have >= most + patience.worth else failures + 1
            most = max(most, have)
            if failures >= patience.tries:
                raise UnavailableError(f"{address}: {error} ({failures} tries)") from error
            pause = min(_LONGEST_PAUSE, patience.pause * 2 ** max(0, failures - 1))
            log.warning("%s: %s; again in %.0f s", part.stem, error, pause)
        time.sleep(pause)


def _try(address: str, part: Path, size: int | None, stall: float, progress: Progress) -> None:
    origin = _continuable(part, address)
    have = part.stat().st_size
    if origin is not None and have and have == origin.size:
        return
    request = Request(address, headers={"User-Agent": "esrgan", "Accept-Encoding": "identity"})
    if origin is not None and have:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", origin.validator)
    response = open_address(request, part, stall)
    if response is None:
        return
    with response:
        try:
            answer = read_answer(response.status, response.headers, have=have, origin=origin)
        except TransferError:
            discard(part)
            raise
        _check_size(response, answer.size, size)
        require_space(part.parent, (answer.size or size or 0) - answer.start)
        if not answer.start:
            begin(part, _origin(address, answer))
        _copy(response, part, answer, size, progress)


def _continuable(part: Path, address: str) -> Origin | None:
    """Where the part is from; it is emptied if that is elsewhere, or unknown."""
    origin = origin_of(part)
    if origin is not None and origin.address == address:
        return origin
    discard(part)
    return None


def _origin(address: str, answer: Answer) -> Origin | None:
    if answer.validator is None:
        return None
    return Origin(address=address, validator=answer.validator, size=answer.size)


def _check_size(response: HTTPResponse, announced: int | None, known: int | None) -> None:
    if announced is None and known is None and not response.chunked:
        raise UnavailableError("does not say how long the file is: its end could be missing")
    if announced is not None and known is not None and announced != known:
        raise UnavailableError(f"has a file of {announced} bytes, not {known}: it is another one")


def _copy(
    response: HTTPResponse, part: Path, answer: Answer, known: int | None, progress: Progress
) -> None:
    size = answer.size if answer.size is not None else known
    done = answer.start
    with part.open("r+b") as file:
        file.seek(done)
        while chunk := _read(response, done):
            if not done and looks_like_a_page(chunk):
                discard(part)
                raise UnavailableError(PAGE)
            done += len(chunk)
            if size is not None and done > size:
                discard(part)
                raise UnavailableError(f"sends more than the {size} bytes of the file")
            write(file, chunk, part)
            progress(done, size)
    if size is not None and done < size:
        raise TransferError(f"the connection ended at {done} of {size} bytes")


def _read(response: HTTPResponse, done: int) -> bytes:
    try:
        return response.read1(_CHUNK)
    except TimeoutError as error:
        raise TransferError(f"nothing more came after {done} bytes") from error
    except (OSError, HTTPException) as error:
        raise TransferError(f"the connection broke at {done} bytes") from error
