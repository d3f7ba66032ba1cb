"""One file over HTTP, continued after whatever interrupts it, by this command or the next.

`NAME.part` is what there is of it, and `NAME.part.json` beside it tells how to go on.
"""

import json
import logging
import re
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from socket import EAI_AGAIN, gaierror
from ssl import SSLCertVerificationError
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from requests import Response, Session
from requests.exceptions import ReadTimeout, TooManyRedirects
from urllib3.exceptions import HTTPError, ReadTimeoutError

from esrgan.downloads.table import megabytes
from esrgan.files import nearest_existing, write_whole

log = logging.getLogger(__name__)

Bar = Callable[[int, int | None], None]
"""Is told how much there is and, if known, how much there will be."""

Bars = Callable[[str, str], AbstractContextManager[Bar]]
"""Makes a progress bar of a label and a unit, "B" or "images"."""

_CHUNK = 2**18  # bytes
_STALL = 30.0  # seconds without a byte, also for a connection
_TRIES = 6  # so many in a row without worth, and an address is given up
_WORTH = 2**20  # bytes; with as many more, an interrupted try counts as none
_PAUSE = 1.0  # seconds before the second try; doubled before each further one
_LONGEST_PAUSE = 60.0  # seconds
_MAX_REDIRECTS = 5
_PARTIAL, _BEHIND_THE_END = 206, 416
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_PAGE = (
    "answers with a web page instead of the file: a login, a confirmation or a notice. "
    "Open it in a browser"
)


class UnavailableError(ValueError):
    """A file is not to be had from some place, and asking again will not help."""


class _TransferError(Exception):
    """A transfer failed in a way that another attempt may not."""


class Version(NamedTuple):
    """What a server has: its name for this version (an ETag or a date), and the size of it all."""

    address: str | None = None
    validator: str | None = None
    size: int | None = None


def fetch(address: str, part: Path, *, size: int | None, bar: Bar) -> None:
    """Complete a part, which may be missing or of another address. `size` is that of the whole.

    Raises:
        UnavailableError: the address does not have the file; the message goes on from it.
        ValueError: the disk is too small.
        OSError: the part cannot be written.
    """
    if begun(part).address != address:
        discard(part)
    failures, most = 0, size_of(part)
    while True:
        try:
            return _try(address, part, size, bar)
        except _TransferError as error:
            have = size_of(part)
            failures = 0 if have >= most + _WORTH else failures + 1
            most = max(most, have)
            if failures >= _TRIES:
                raise UnavailableError(f"fails: {error} ({failures} tries)") from error
            pause = min(_LONGEST_PAUSE, _PAUSE * 2 ** max(0, failures - 1))
            log.warning("%s: %s; again in %.0f s", part.stem, error, pause)
        time.sleep(pause)


def _try(address: str, part: Path, known: int | None, bar: Bar) -> None:
    before = begun(part)
    have = size_of(part) if before.validator else 0
    wanted = {"User-Agent": "esrgan", "Accept-Encoding": "identity"}
    if have and before.validator:
        if have == before.size:
            return
        wanted |= {"Range": f"bytes={have}-", "If-Range": before.validator}
    with Session() as session, _ask(session, address, wanted) as response:
        status, place = response.status_code, response.headers.get("Content-Range", "").strip()
        if status == _BEHIND_THE_END and have and place == f"bytes */{have}":
            return  # the part is complete
        version = _version_of(response, address)
        if status in (_PARTIAL, _BEHIND_THE_END) and not (
            have and place.startswith(f"bytes {have}-") and _is_same(version, before)
        ):
            discard(part)
            raise _TransferError("the file has changed, or another part came than asked for")
        start = have if status == _PARTIAL else 0
        expected = before.size if start and known is None else known
        size = _judge_size(response, version.size, expected)
        require_space(part.parent, (size or 0) - start)
        if not start:
            discard(part)
            if version.validator:
                write_whole(_beside(part), json.dumps(version._asdict()).encode(), overwrite=True)
        _copy(response, part, start, size, bar)


def _ask(session: Session, address: str, headers: dict[str, str]) -> Response:
    """The answer, after redirects: all or part of a file, or that there is no such part."""
    session.max_redirects = _MAX_REDIRECTS
    hooks = {"response": _judge_redirect}
    try:
        response = session.get(address, headers=headers, stream=True, timeout=_STALL, hooks=hooks)
    except UnavailableError:
        raise
    except (OSError, ValueError, HTTPError) as error:
        raise _judge_failure(error) from error
    answer = f"answers {response.status_code} {response.reason}"
    if response.status_code in _PASSING:
        raise _TransferError(f"the server {answer}")
    if not (200 <= response.status_code < 300 or response.status_code == _BEHIND_THE_END):
        raise UnavailableError(answer)
    return response


def _judge_redirect(response: Response, **_: object) -> None:
    if not response.is_redirect:
        return
    target = urljoin(response.url, response.headers["Location"])
    reason = f"answers {response.status_code} and redirects to {target}, which is not"
    scheme = urlsplit(target).scheme
    if scheme not in ("https", "http"):
        raise UnavailableError(f"{reason} on the web")
    if scheme == "http" and response.url.startswith("https:"):
        raise UnavailableError(f"{reason} protected as https is")
    response.close()  # else its body is read, however long it is


def _judge_failure(error: Exception) -> Exception:
    root: BaseException = error
    while root.__context__ is not None:
        root = root.__context__
    if isinstance(error, TooManyRedirects) and error.response is not None:
        return UnavailableError(f"answers {error.response.status_code} again and again")
    if isinstance(root, SSLCertVerificationError):
        return UnavailableError(f"has no valid certificate: {root}")
    if isinstance(root, gaierror) and root.errno != EAI_AGAIN:
        return UnavailableError("is on no known server, or there is no network")
    if isinstance(error, ValueError):
        return UnavailableError(f"is no address, or leads to none: {error}")
    what = "answer" if isinstance(error, ReadTimeout) else "connection"
    return _TransferError(f"no {what}: {str(root) or type(root).__name__}")


def _version_of(response: Response, address: str) -> Version:
    headers = response.headers
    is_page = headers.get("Content-Type", "").lower().startswith("text/html")
    if is_page and response.status_code != _BEHIND_THE_END:
        raise UnavailableError(_PAGE)
    tag = headers.get("ETag", "W/")
    # What `If-Range` takes is a strong tag, else a date
    validator = headers.get("Last-Modified") if tag.startswith("W/") else tag
    size = headers.get("Content-Length", "")
    if response.status_code == _PARTIAL:
        size = headers.get("Content-Range", "").rpartition("/")[2].strip()
    is_number = re.fullmatch("[0-9]{1,18}", size)
    return Version(address=address, validator=validator, size=int(size) if is_number else None)


def _is_same(version: Version, before: Version) -> bool:
    """As far as the server tells."""
    is_size = version.size is None or before.size in (None, version.size)
    return is_size and version.validator in (None, before.validator)


def _judge_size(response: Response, told: int | None, known: int | None) -> int | None:
    chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    if told is None and known is None and not chunked:
        raise UnavailableError("does not say how long the file is: its end could be missing")
    if told is not None and known is not None and told != known:
        raise UnavailableError(f"has a file of {told} bytes, not {known}: it is another one")
    return known if told is None else told


def _copy(response: Response, part: Path, done: int, size: int | None, bar: Bar) -> None:
    place = " bytes" if size is None else f" of {size} bytes"
    with part.open("ab") as file:
        while True:
            try:
                chunk = response.raw.read1(_CHUNK, decode_content=False)
            except ReadTimeoutError as error:
                raise _TransferError(f"nothing more came after {done}{place}") from error
            except HTTPError as error:
                raise _TransferError(f"the connection ended at {done}{place}") from error
            if not chunk:
                break
            if not done and chunk.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
                raise UnavailableError(_PAGE)
            done += len(chunk)
            if size is not None and done > size:
                file.truncate(0)
                raise UnavailableError(f"sends more than the {size} bytes of the file")
            file.write(chunk)
            file.flush()
            bar(done, size)
    if size is not None and done < size:
        raise _TransferError(f"the connection ended at {done}{place}")


def begun(part: Path) -> Version:
    """What a part is of, if it can be continued; else nothing is known."""
    try:
        return Version(**json.loads(_beside(part).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return Version()


def discard(part: Path) -> None:
    """Remove a part. First goes what would let it be continued."""
    _beside(part).unlink(missing_ok=True)
    part.unlink(missing_ok=True)


def size_of(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def require_space(folder: Path, needed: int) -> None:
    """A ValueError where fewer bytes are free than needed; the folder need not exist yet."""
    folder = nearest_existing(folder)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ValueError(
            f"{folder} has {megabytes(free)} free, and {megabytes(needed)} are needed: make room, "
            "or choose a folder on another disk with --output"
        )


def _beside(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")
