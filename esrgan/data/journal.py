"""What a build has done so far, on the disk at all times."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from esrgan.data.manifest import Record, parse_record

JOURNAL = "journal.tsv"


class Entry(NamedTuple):
    """A stored record, and the fingerprint of the source that it was made of."""

    record: Record
    fingerprint: str


class Journal:
    """A line per record whose values have been stored; open to one process at a time.

    A kill can tear the last line, or leave out some records of the last source: that source is
    taken back when the journal is opened, and has to be stored again.

    Raises:
        ValueError: another process has it open, or it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / JOURNAL).open("a+b")
        try:
            _lock(self._file.fileno(), folder)
            self._take_back_last_source()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def entries(self) -> Iterator[Entry]:
        self._file.seek(0)
        yield from map(self._parse, self._file)

    def append(self, entries: Iterable[Entry]) -> None:
        """Adds entries; they are on the disk when it returns."""
        lines = [f"{entry.fingerprint}\t{entry.record.line()}\n" for entry in entries]
        self._file.write("".join(lines).encode("ascii"))
        self._file.flush()
        os.fsync(self._file.fileno())

    def _take_back_last_source(self) -> None:
        start, position, last_source = 0, 0, None
        self._file.seek(0)
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            source = self._parse(line).record.source
            if source != last_source:
                start, last_source = position, source
            position += len(line)
        self._file.truncate(start)

    def _parse(self, line: bytes) -> Entry:
        try:
            fingerprint, record = line.decode("ascii").split("\t", maxsplit=1)
            return Entry(parse_record(record), fingerprint)
        except ValueError as error:
            folder = Path(self._file.name).parent
            raise ValueError(
                f"{self._file.name} is damaged ({error}): remove {folder} to start afresh"
            ) from error


def _lock(descriptor: int, folder: Path) -> None:
    import fcntl  # not on Windows, where data sets can be read but not built

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ValueError(
            f"another process is building in {folder}: wait for it, or choose another output"
        ) from error
