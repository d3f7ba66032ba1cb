"""What a server's answer means for a part that is there already."""

import re
from dataclasses import dataclass
from email.message import Message

from esrgan.downloads.partial import Origin

PARTIAL = 206


class UnavailableError(ValueError):
    """An address does not have the file, and asking again will not help."""


class TransferError(Exception):
    """A transfer failed in a way that another attempt may not."""


@dataclass(frozen=True)
class Answer:
    """Where the bytes that follow belong, and the size of the whole, if it is known."""

    start: int
    size: int | None
    validator: str | None


def read_answer(status: int, headers: Message, *, have: int, origin: Origin | None) -> Answer:
    """The answer to a request for what follows the first `have` bytes of a version.

    Raises:
        UnavailableError: it is a page for people.
        TransferError: it is another part, or part of another version: begin afresh.
    """
    if headers.get_content_type() == "text/html":
        raise UnavailableError(PAGE)
    if status != PARTIAL:
        return Answer(0, _number(headers.get("Content-Length")), validator_of(headers))
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", headers.get("Content-Range", "").strip())
    start = int(found[1]) if found else None
    size = _number(found[3]) if found else None
    if origin is None or not have or start != have:
        raise TransferError("the server sent another part than asked for")
    if validator_of(headers) not in (None, origin.validator) or (
        origin.size is not None and size not in (None, origin.size)
    ):
        raise TransferError("the file has changed on the server")
    return Answer(have, size if size is not None else origin.size, origin.validator)


PAGE = (
    "answers with a web page instead of the file: a login, a confirmation or a notice. "
    "Open it in a browser"
)


def looks_like_a_page(start: bytes) -> bool:
    return start.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html"))


def validator_of(headers: Message) -> str | None:
    """What `If-Range` takes: a strong ETag, else the date of the last change."""
    tag = headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return tag
    return headers.get("Last-Modified")


def size_in_refusal(headers: Message) -> int | None:
    """The size of the whole in the answer to a part that begins behind its end (416)."""
    found = re.fullmatch(r"bytes \*/(\d+)", headers.get("Content-Range", "").strip())
    return int(found[1]) if found else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None
