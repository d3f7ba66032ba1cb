"""What a data set says about itself: `manifest.json`, and a line per record in `records.tsv`."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

MANIFEST = "manifest.json"
RECORDS = "records.tsv"
GT = "gt.lmdb"
LQ = "lq.lmdb"
PARTIAL_SUFFIX = ".partial"
_FORMAT_VERSION = 1


@dataclass(frozen=True)
class Settings:
    """What was asked for; the folders' files and these decide every byte of the records.

    Args:
        scale: gt size / lq size.
        codec: name of the encoding of the values.
        lq_from: name of the function that made the lq images, or "folders" if they were given.
        subimages: size and step in gt pixels, or None where records are whole images.
        gt_folders: absolute paths.
        lq_folders: likewise.
    """

    scale: int
    codec: str
    lq_from: str
    subimages: tuple[int, int] | None
    gt_folders: tuple[str, ...]
    lq_folders: tuple[str, ...]


@dataclass(frozen=True)
class Contents:
    """What a complete data set holds; sizes are those of the `data.mdb` files, in bytes."""

    num_records: int
    gt_bytes: int
    lq_bytes: int
    records_digest: str


@dataclass(frozen=True)
class Manifest:
    """`contents` is None as long as the data set is being built."""

    settings: Settings
    contents: Contents | None
    esrgan_version: str


class Record(NamedTuple):
    """A pair of the data set: height and width are those of the gt image."""

    key: str
    height: int
    width: int
    gt_digest: str
    lq_digest: str
    source: str

    def line(self) -> str:
        """Tab-separated ASCII; the source is in JSON, as a path may contain anything."""
        fields = (*self[:-1], json.dumps(self.source))
        return "\t".join(map(str, fields))


def parse_record(line: str) -> Record:
    """Inverse of `Record.line`.

    Raises:
        ValueError: the line is not a record.
    """
    try:
        key, height, width, gt_digest, lq_digest, source = line.rstrip("\n").split("\t")
        return Record(key, int(height), int(width), gt_digest, lq_digest, json.loads(source))
    except ValueError as error:
        raise ValueError(f"not a record: {line!r}") from error


def read_records(folder: Path) -> Iterator[Record]:
    """The records of a complete data set, in the order of their keys.

    Raises:
        ValueError: a line is damaged.
    """
    with (folder / RECORDS).open(encoding="ascii") as lines:
        yield from map(parse_record, lines)


def digest(data: bytes | memoryview) -> str:
    """The first 64 bits of SHA-256, in hexadecimal: against accidents, not against an adversary.

    SHA-256, as most processors have instructions for it: it is 3 times as fast as BLAKE2 there.
    """
    return hashlib.sha256(data).hexdigest()[:16]


def manifest_text(manifest: Manifest) -> str:
    fields = {"format_version": _FORMAT_VERSION, **asdict(manifest)}
    return json.dumps(fields, indent=2) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder that has one.

    Raises:
        ValueError: it is damaged, or of a later version of this package.
    """
    path = folder / MANIFEST
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        version = fields.pop("format_version")
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a manifest ({error!r}): rebuild the data set") from error
    if version != _FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {version}, this package reads {_FORMAT_VERSION}:"
            " use the version of esrgan that built the data set, or rebuild it"
        )
    try:
        return _parse(fields)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error!r}): rebuild the data set") from error


def _parse(fields: dict[str, Any]) -> Manifest:
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value  # JSON has no tuples
        for name, value in fields.pop("settings").items()
    }
    contents = fields.pop("contents")
    return Manifest(
        settings=Settings(**settings),
        contents=None if contents is None else Contents(**contents),
        **fields,
    )
