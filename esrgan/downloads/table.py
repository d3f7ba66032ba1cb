"""What can be fetched: the entries of `configs/downloads.yaml`, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from esrgan.downloads.member_names import member_path


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file as somebody offers it.

    Attributes:
        file: its name.
        addresses: mirrors of the same bytes, the first is asked first.
        page: where a person finds it, if a program cannot have it.
        size: in bytes, if known.
        rough_size: the same to a few digits, for people and for the disk.
        sha256: lower-case hexadecimal digits, all 64 or, from 8 on, the first.
        folders: of an archive to those of the target, "" being the whole; none where the file is
            wanted as it is.
        images: how many of them the folders hold, if known.
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
    """What a name stands for; its sources hold the same images or the same file.

    Attributes:
        terms: of use, in words.
        target: path of the folder or file in the folder of all data.
        use: the command or setting that takes it.
    """

    name: str
    about: str
    terms: str
    target: str
    use: str
    sources: tuple[Source, ...]


def read_table(content: Mapping[str, Any]) -> dict[str, Entry]:
    """Entries by name.

    Raises:
        ValueError: the table breaks a rule.
    """
    return {name: _entry(name, value) for name, value in content.items()}


def _entry(name: str, value: Mapping[str, Any]) -> Entry:
    try:
        sources = tuple(
            Source(**{**source, "addresses": tuple(source.get("addresses", ()))})
            for source in value["sources"]
        )
        entry = Entry(**{**value, "name": name, "sources": sources})
    except (TypeError, KeyError) as error:
        raise ValueError(f"{name}: the table must have the keys of an entry ({error})") from error
    for problem in [*_path_problems(entry), *_source_problems(entry)]:
        raise ValueError(f"{name}: {problem}")
    return entry


def _path_problems(entry: Entry) -> list[str]:
    paths = [entry.target]
    for source in entry.sources:
        paths += filter(None, [source.file, *source.folders, *source.folders.values()])
    found = [f"{path} must be a plain relative path" for path in paths if not _is_plain(path)]
    found += [
        f"{source.file} must be the last part of the target ({entry.target})"
        for source in entry.sources
        if not source.is_archive and source.file != entry.target.rpartition("/")[2]
    ]
    return found


def _is_plain(path: str) -> bool:
    try:
        return str(member_path(path)) == path
    except ValueError:
        return False


def _source_problems(entry: Entry) -> list[str]:
    found = []
    for source in entry.sources:
        if not source.addresses and source.page is None:
            found.append(f"{source.file} needs addresses, or the page where it is found")
        found += [
            f"{address} must begin with https:// or http://"
            for address in source.addresses
            if not address.startswith(("https://", "http://"))
        ]
        if source.sha256 is not None and not re.fullmatch("[0-9a-f]{8,64}", source.sha256):
            found.append(f"sha256 ({source.sha256}) must be 8 to 64 hexadecimal digits")
        if source.md5 is not None and not re.fullmatch("[0-9a-f]{32}", source.md5):
            found.append(f"md5 ({source.md5}) must be 32 hexadecimal digits")
    return found
