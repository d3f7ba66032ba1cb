"""A file that is being fetched, `NAME.part`, and beside it what tells how to continue it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from esrgan.durable import flush


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Which version of a file the bytes of a part are the beginning of.

    Attributes:
        validator: the server's name for this version, an ETag or a date.
        size: in bytes, of the whole, if the server said so.
    """

    address: str
    validator: str
    size: int | None


def part_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.part")


def _beside(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


@contextmanager
def reserved(part: Path) -> Iterator[None]:
    """Keeps other commands from the same part.

    Raises:
        ValueError: another is at it.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(f"another command is fetching {part}: wait for it") from error
        try:
            yield
        finally:
            if part.exists() and not part.stat().st_size:  # nothing to continue
                discard(part)
                part.unlink()


def origin_of(part: Path) -> Origin | None:
    """None: the part cannot be continued."""
    try:
        return Origin(**json.loads(_beside(part).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def discard(part: Path) -> None:
    """Empties the part. First goes what would let it be continued."""
    _beside(part).unlink(missing_ok=True)
    os.truncate(part, 0)


def begin(part: Path, origin: Origin | None) -> None:
    """Empties the part, to be filled from an origin; None: one that will not be told again."""
    discard(part)
    if origin is not None:
        new = part.with_name(f"{part.name}.json.new")
        new.write_text(json.dumps(asdict(origin)), "utf-8")
        new.replace(_beside(part))


def complete(part: Path, file: Path) -> None:
    """Gives a verified part its name."""
    flush(part)
    _beside(part).unlink(missing_ok=True)
    part.rename(file)
    flush(file.parent)
