"""How mistakes reach a user: in a line with what to do, and as an exit code."""

import errno
import io
import os
import stat
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FAILED = 2
STOPPED = 75  # "try again": what a scheduler expects of a job that can be continued
INTERRUPTED = 130

FULL = {errno.ENOSPC, errno.EDQUOT}
"""Numbers of errors that say so of a disk."""

GONE = {errno.EPIPE, errno.EIO, errno.EINVAL}
"""Who read a pipe, or a terminal; Windows says the last of pipes."""

_NUM_LISTED = 5


class NonFiniteOutputError(ValueError):
    """What a network computes is infinite or not a number."""


def report_errors(command: Callable[[], int | None]) -> int:
    """Run a command and return its exit code; what a user can mend becomes a line on stderr."""
    outlive_readers()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A console of 256 characters, as Windows has, shows others as stderr does, and goes on
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return command() or 0
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return FAILED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        fix = ": make room" if error.errno in FULL else ""
        sys.stderr.write(f"error: {place}{error.strerror or error}{fix}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED


class _Outliving(io.FileIO):
    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in GONE or stat.S_ISREG(os.fstat(self.fileno()).st_mode):
                raise
            return memoryview(data).nbytes


def outlive_readers() -> None:
    """From now on who stops reading, as `| head` does, stops no work: the rest goes nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed from the start
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif stream is getattr(sys, f"__{name}__"):  # not what a test, a notebook put there
            raw = getattr(stream.buffer, "raw", stream.buffer)
            if type(raw) is io.FileIO:  # not a console of Windows
                stream.flush()
                own = _Outliving(raw.fileno(), "wb", closefd=False)
                is_buffered = raw is not stream.buffer  # else Python was told not to, by -u
                setattr(sys, name, _like(stream, io.BufferedWriter(own) if is_buffered else own))


def _like(stream: io.TextIOWrapper, buffer: io.BufferedWriter | io.FileIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        buffer,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def in_one_line(said: object) -> str:
    """What an error says, without its line breaks."""
    return " ".join(str(said).split())


def refuse_below_one(numbers: Mapping[str, int | None]) -> None:
    """By the names of their options; None: not given."""
    for option, number in numbers.items():
        if number is not None and number < 1:
            raise ValueError(f"--{option} ({number}) must be at least 1")


def refuse_alone(
    arguments: object, needs: Mapping[str, Sequence[str]], *, rule: str = "has no effect without"
) -> None:
    """`needs` has for an option's name those of which one must be given, too.

    `arguments` has the values by these names; None and False: not given.
    """
    given = {n for n, value in vars(arguments).items() if value is not None and value is not False}
    for name, others in needs.items():
        if name in given and given.isdisjoint(others):
            choices = " or ".join(f"--{other}" for other in others)
            raise ValueError(f"--{name.replace('_', '-')} {rule} {choices}")


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """What a misspelt name may have meant, for the end of an error message."""
    names = [name for name in known if not name.startswith("_")]
    close = get_close_matches(wrong, names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(sorted(names))}" if names else "there is none in this place"


def listed(things: Sequence[object]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(things) - _NUM_LISTED} more" if len(things) > _NUM_LISTED else ""
    return ", ".join(map(str, things[:_NUM_LISTED])) + more


def near_multiples(value: int, factor: int) -> str:
    """The multiples of a number that are next to a value which is none, for the end of an error."""
    below = max(value - value % factor, 0)
    return " or ".join(str(near) for near in (below, below + factor) if near > 0)
