"""What can be fetched: the entries of `configs/downloads.yaml`, checked."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

_REFUSED = {  # in a part of a path; Windows opens some names as devices, whatever the suffix
    r"^\.\.$": "leads out of the folder by `..`",
    r"^ |[. ]$": "has a part that begins with a space, or ends with one or a full stop",
    r"(?i)^(con|prn|aux|nul|(com|lpt)[0-9])\s*(\.|$)": "has a name that is reserved for devices",
    "[\ud800-\udfff]": "has a name that is not UTF-8",
}
_MAX_BYTES = 255  # of one part of a path, on all common file systems
_MAX_PARTS = 20


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file as somebody offers it; the top of `configs/downloads.yaml` tells what the keys mean.

    It has no folders where it is wanted as it is.
    """

    file: str
    addresses: tuple[str, ...] = ()
    page: str | None = None
    size: int | None = None
    rough_size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    folders: Mapping[str, str] = field(default_factory=dict)
    images: int | None = None

    @property
    def is_archive(self) -> bool:
        return bool(self.folders)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a name stands for; its sources hold the same images or the same file."""

    name: str
    about: str
    terms: str
    target: str  # path of the folder or file in the folder of all data
    use: str  # the command or setting that takes it
    sources: tuple[Source, ...]


def read_table(content: Mapping[str, Any]) -> dict[str, Entry]:
    """Entries by name; a ValueError where the table breaks a rule."""
    return {name: _entry(name, value) for name, value in content.items()}


def safe_path(name: str) -> PurePosixPath:
    """The path that a name in the table or in an archive stands for; it is safe on every system.

    Raises:
        ValueError: it would not be; the message goes on from the name.
    """
    if re.search(r"[\x00-\x1f\x7f\\:]", name):
        raise ValueError("has a backslash, a colon or a control character in its name")
    if name.startswith("/"):
        raise ValueError("is an absolute path")
    path = PurePosixPath(name)
    if not path.parts or len(path.parts) > _MAX_PARTS:
        raise ValueError(f"must have 1 to {_MAX_PARTS} parts in its path")
    for part in path.parts:
        for pattern, reason in _REFUSED.items():
            if re.search(pattern, part):
                raise ValueError(reason)
        if len(part.encode()) > _MAX_BYTES:
            raise ValueError(f"has a part of more than {_MAX_BYTES} bytes in its name")
    return path


def megabytes(size: int) -> str:
    """A number of bytes in the units of download pages, 10**6 and 10**9."""
    if size >= 10**9:
        return f"{size / 10**9:.1f} GB"
    return f"{size / 10**6:.1f} MB" if size >= 10**5 else f"{size / 1000:.1f} kB"


def _entry(name: str, value: Mapping[str, Any]) -> Entry:
    try:
        sources = tuple(
            Source(**{**source, "addresses": tuple(source.get("addresses", ()))})
            for source in value["sources"]
        )
        entry = Entry(**{**value, "name": name, "sources": sources})
    except (TypeError, KeyError) as error:
        raise ValueError(f"{name}: the table must have the keys of an entry ({error})") from error
    for source in entry.sources:
        for problem in _problems(source, entry.target):
            raise ValueError(f"{name}: {problem}")
    return entry


def _problems(source: Source, target: str) -> Iterator[str]:
    paths = filter(None, [target, source.file, *source.folders, *source.folders.values()])
    yield from (f"{path} must be a plain relative path" for path in paths if not _is_plain(path))
    if not source.is_archive and source.file != target.rpartition("/")[2]:
        yield f"{source.file} must be the last part of the target ({target})"
    if not source.addresses and source.page is None:
        yield f"{source.file} needs addresses, or the page where it is found"
    for address in source.addresses:
        if not address.startswith(("https://", "http://")):
            yield f"{address} must begin with https:// or http://"
    if not re.fullmatch("[0-9a-f]{8,64}", source.sha256 or "0" * 8):
        yield f"sha256 ({source.sha256}) must be 8 to 64 hexadecimal digits"
    if not re.fullmatch("[0-9a-f]{32}", source.md5 or "0" * 32):
        yield f"md5 ({source.md5}) must be 32 hexadecimal digits"


def _is_plain(path: str) -> bool:
    try:
        return str(safe_path(path)) == path
    except ValueError:
        return False
