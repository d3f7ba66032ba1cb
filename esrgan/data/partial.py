"""The folder of a data set that is being built, from its first file to its final name."""

import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from esrgan import __version__
from esrgan.data.codecs import CODECS
from esrgan.data.journal import JOURNAL, Journal
from esrgan.data.manifest import (
    GT,
    LQ,
    MANIFEST,
    RECORDS,
    Contents,
    Manifest,
    Record,
    Settings,
    digest,
    manifest_text,
    read_manifest,
)
from esrgan.durable import flush

META_INFO = "meta_info.txt"


def begin(folder: Path, settings: Settings) -> Manifest:
    """Writes the manifest of a new data set, or compares it with the one that is there.

    Raises:
        ValueError: the folder was begun with other settings.
    """
    if not (folder / MANIFEST).is_file():
        manifest = Manifest(settings, contents=None, esrgan_version=__version__)
        _write(folder / MANIFEST, manifest_text(manifest))
        return manifest
    manifest = read_manifest(folder)
    wanted, found = asdict(settings), asdict(manifest.settings)
    differing = [
        f"{name} {found[name]!r}, now {wanted[name]!r}"
        for name in wanted
        if wanted[name] != found[name]
    ]
    if differing:
        raise ValueError(
            f"{folder} was begun with other settings ({'; '.join(differing)}): use those, or remove"
            " the folder to start afresh"
        )
    return manifest


def seal(folder: Path, manifest: Manifest, journal: Journal) -> Manifest:
    """Writes what describes a data set whose values have all been stored; the manifest last.

    Raises:
        ValueError: there are none.
    """
    records = sorted(entry.record for entry in journal.entries())
    if not records:
        raise ValueError(f"no image can be used, {folder} stays empty: see the other messages")
    lines = "".join(f"{record.line()}\n" for record in records)
    _write(folder / RECORDS, lines)
    _write_meta_info(folder, records, manifest.settings)
    contents = Contents(
        num_records=len(records),
        gt_bytes=(folder / GT / "data.mdb").stat().st_size,
        lq_bytes=(folder / LQ / "data.mdb").stat().st_size,
        records_digest=digest(lines.encode("ascii")),
    )
    sealed = Manifest(manifest.settings, contents, manifest.esrgan_version)
    _write(folder / MANIFEST, manifest_text(sealed))
    return sealed


def publish(folder: Path, output: Path) -> None:
    """Gives a sealed data set its name."""
    (folder / JOURNAL).unlink()
    flush(folder)
    folder.rename(output)
    flush(output.parent)


def _write_meta_info(folder: Path, records: Iterable[Record], settings: Settings) -> None:
    """BasicSR's list of keys, without which it reads nothing: one where it can read the values."""
    level = CODECS[settings.codec].png_level
    if level is None:
        return
    for lmdb, divisor in ((GT, 1), (LQ, settings.scale)):
        lines = [
            f"{record.key}.png ({record.height // divisor},{record.width // divisor},3) {level}\n"
            for record in records
        ]
        _write(folder / lmdb / META_INFO, "".join(lines))


def _write(path: Path, text: str) -> None:
    """Replaces a file as a whole, on the disk when it returns."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="ascii", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    flush(path.parent)
