"""What a data set says about itself, finished or being built.

`manifest.json` has what was asked for and what it came to, `records.tsv` a line per record. While a
data set is being built, `journal.tsv` has a line per record that is stored.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, NamedTuple

from esrgan import __version__
from esrgan.data.lmdb_store import CODECS
from esrgan.files import flush, try_lock, write_whole

GT = "gt.lmdb"
LQ = "lq.lmdb"
PARTIAL_SUFFIX = ".partial"
_FORMAT_VERSION = 2
_READABLE = (1, 2)  # 1 had neither `multi_scale` nor `skip_small`
_MANIFEST = "manifest.json"
_RECORDS = "records.tsv"
_JOURNAL = "journal.tsv"
_LOCK = ".lock"


@dataclass(frozen=True)
class BuildSettings:
    """What was asked for; the folders' files and these decide every byte of the records.

    The folders are absolute paths, `subimages` the size and the step in gt pixels (None: records
    are whole images), `lq_from` the name of the function that made the lq images, or "folders", or
    "none" where there are ground truths only. `multi_scale` and `skip_small` are those of `Recipe`.
    """

    scale: int
    codec: str
    lq_from: str
    subimages: tuple[int, int] | None
    gt_folders: tuple[str, ...]
    lq_folders: tuple[str, ...]
    multi_scale: bool = False
    skip_small: int | None = None

    @property
    def has_lq(self) -> bool:
        return self.lq_from != "none"


@dataclass(frozen=True)
class Contents:
    """What a complete data set holds; sizes are those of the `data.mdb` files, in bytes.

    `lq_bytes` is None where there are ground truths only.
    """

    num_records: int
    gt_bytes: int
    lq_bytes: int | None
    records_digest: str


@dataclass(frozen=True)
class Manifest:
    """`contents` is None as long as the data set is being built."""

    settings: BuildSettings
    contents: Contents | None
    esrgan_version: str


class Record(NamedTuple):
    """A pair of the data set, or a ground truth alone, whose `lq_digest` is "".

    Height and width are those of the gt image.
    """

    key: str
    height: int
    width: int
    gt_digest: str
    lq_digest: str
    source: str

    def line(self) -> str:
        """Tab-separated ASCII; the source is in JSON, as a path may contain anything."""
        return "\t".join(map(str, (*self[:-1], json.dumps(self.source))))


class Entry(NamedTuple):
    """A stored record, and the fingerprint of the source that it was made of."""

    record: Record
    fingerprint: str


def parse_record(line: str) -> Record:
    """Inverse of `Record.line`; a ValueError where it is none."""
    try:
        key, height, width, gt_digest, lq_digest, source = line.rstrip("\n").split("\t")
        return Record(key, int(height), int(width), gt_digest, lq_digest, json.loads(source))
    except ValueError as error:
        raise ValueError(f"not a record: {line!r}") from error


def read_records(folder: Path, manifest: Manifest) -> Iterator[Record]:
    """The records of a data set, in the order of their keys.

    Raises:
        ValueError: the data set is incomplete, or the file of its records not the one written.
    """
    path = folder / _RECORDS
    if manifest.contents is None:
        raise ValueError(f"{folder} is incomplete: build it again with prepare_data")
    lines = path.read_bytes() if path.is_file() else b""
    if digest(lines) != manifest.contents.records_digest:
        raise ValueError(f"{path} is missing or was changed: copy the data set again or rebuild it")
    yield from map(parse_record, lines.decode("ascii").splitlines())


def digest(data: bytes | memoryview) -> str:
    """The first 64 bits of SHA-256, in hexadecimal: against accidents, not against an adversary."""
    # Most processors have instructions for it: it is 3 times as fast as BLAKE2 there
    return hashlib.sha256(data).hexdigest()[:16]


def manifest_text(manifest: Manifest) -> str:
    fields = {"format_version": _FORMAT_VERSION, **asdict(manifest)}
    return json.dumps(fields, indent=2) + "\n"


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, or None where it has none.

    Raises:
        ValueError: it is damaged, or of a later version of this package.
    """
    path = folder / _MANIFEST
    if not path.is_file():
        return None
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        version = fields.pop("format_version")
        if version in _READABLE:
            given, contents = fields.pop("settings"), fields.pop("contents")
            given = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
            return Manifest(
                settings=BuildSettings(**given),
                contents=None if contents is None else Contents(**contents),
                **fields,
            )
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error!r}): rebuild the data set") from error
    raise ValueError(
        f"{path} has format version {version}, this package reads up to {_FORMAT_VERSION}: use the"
        " version of esrgan that built the data set, or rebuild it"
    )


class Journal:
    """What a build has stored so far, a line per record, on the disk at all times.

    A kill can tear the last line, or leave out some records of the last source: that source is
    taken back when the journal is opened, and has to be stored again. A damaged file is refused.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        file.seek(0)
        whole = [line for line in file if line.endswith(b"\n")]
        sources = [self._parse(line).record.source for line in whole]
        num_kept = sources.index(sources[-1]) if sources else 0
        file.truncate(sum(map(len, whole[:num_kept])))

    def entries(self) -> Iterator[Entry]:
        self._file.seek(0)
        return map(self._parse, self._file)

    def append(self, entries: Iterable[Entry]) -> None:
        """Adds entries; they are on the disk when it returns."""
        lines = [f"{entry.fingerprint}\t{entry.record.line()}\n" for entry in entries]
        self._file.write("".join(lines).encode("ascii"))
        self._file.flush()
        os.fsync(self._file.fileno())

    def _parse(self, line: bytes) -> Entry:
        try:
            fingerprint, record = line.decode("ascii").split("\t", maxsplit=1)
            return Entry(parse_record(record), fingerprint)
        except ValueError as error:
            folder = Path(self._file.name).parent
            raise ValueError(
                f"{self._file.name} is damaged ({error}): remove {folder} to start afresh"
            ) from error


@contextmanager
def open_journal(folder: Path) -> Iterator[Journal]:
    """The journal of a data set that is being built; a ValueError if another process has it."""
    held = try_lock(folder / _LOCK)
    if held is None:
        fix = "wait for it, or choose another output"
        raise ValueError(f"another process is building in {folder}: {fix}")
    with held, (folder / _JOURNAL).open("a+b") as file:
        yield Journal(file)


def begin(folder: Path, settings: BuildSettings) -> Manifest:
    """Writes the manifest of a new data set; a ValueError if it was begun with other settings."""
    manifest = read_manifest(folder)
    if manifest is None:
        manifest = Manifest(settings, contents=None, esrgan_version=__version__)
        _write_text(folder / _MANIFEST, manifest_text(manifest))
    found, now = asdict(manifest.settings), asdict(settings)
    differing = [f"{k} {found[k]!r}, now {now[k]!r}" for k in now if found[k] != now[k]]
    if differing:
        raise ValueError(
            f"{folder} was begun with other settings ({'; '.join(differing)}): use those, or remove"
            " the folder to start afresh"
        )
    return manifest


def seal(folder: Path, manifest: Manifest, journal: Journal) -> Manifest:
    """Writes what describes a data set whose values are stored; the manifest last.

    A ValueError where there are none.
    """
    records = sorted(entry.record for entry in journal.entries())
    if not records:
        raise ValueError(f"no image can be used, {folder} stays empty: see the other messages")
    lines = "".join(f"{record.line()}\n" for record in records)
    _write_text(folder / _RECORDS, lines)
    _write_meta_info(folder, records, manifest.settings)
    contents = Contents(
        num_records=len(records),
        gt_bytes=(folder / GT / "data.mdb").stat().st_size,
        lq_bytes=(folder / LQ / "data.mdb").stat().st_size if manifest.settings.has_lq else None,
        records_digest=digest(lines.encode("ascii")),
    )
    sealed = replace(manifest, contents=contents)
    _write_text(folder / _MANIFEST, manifest_text(sealed))
    return sealed


def publish(folder: Path, output: Path) -> None:
    """Gives a sealed data set its name, without what only the build needed."""
    half_written = folder.rglob(f".*{PARTIAL_SUFFIX}")  # by a process that was killed meanwhile
    for path in (folder / _JOURNAL, folder / _LOCK, *half_written):
        path.unlink(missing_ok=True)
    flush(folder)
    folder.replace(output)
    flush(output.parent)


def _write_meta_info(folder: Path, records: Sequence[Record], settings: BuildSettings) -> None:
    """BasicSR's list of keys, without which it reads nothing: one where it can read the values."""
    level = CODECS[settings.codec].png_level
    if level is None:
        return
    divisors = {GT: 1, LQ: settings.scale} if settings.has_lq else {GT: 1}
    for lmdb, divisor in divisors.items():
        lines = [
            f"{one.key}.png ({one.height // divisor},{one.width // divisor},3) {level}\n"
            for one in records
        ]
        _write_text(folder / lmdb / "meta_info.txt", "".join(lines))


def _write_text(path: Path, text: str) -> None:
    write_whole(path, text.encode("ascii"), overwrite=True)
