"""An entry of the table, from wherever it can be had to its place in the folder of all data."""

import hashlib
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from esrgan.downloads import transfer
from esrgan.downloads.archives import unpack
from esrgan.downloads.table import Entry, Source
from esrgan.downloads.transfer import Bars, UnavailableError, fetch, require_space
from esrgan.files import flush, try_lock

log = logging.getLogger(__name__)


def install(
    entry: Entry,
    output: Path,
    *,
    by_hand: Path | None = None,
    keep_archive: bool = False,
    bars: Bars,
) -> Path:
    """Return the target, which appears only when it is complete.

    The sources are tried in order. A part of a file stays for the next time, and so does an archive
    that cannot be unpacked. `by_hand` holds files that were fetched by hand, and stays as it is.

    Raises:
        ValueError: the target exists, or cannot be made; the message says what to do.
        OSError: something cannot be written.
    """
    target = output / entry.target
    if target.exists() or target.is_symlink():
        raise ValueError(f"{target} exists and is left as it is: remove it to have it anew")
    try:
        if by_hand is not None:
            _place_by_hand(entry, by_hand, target, bars)
        else:
            _fetch_and_place(entry, output, target, keep_archive, bars)
    except OSError as error:
        error.filename = error.filename or str(target)  # a disk that is full has none
        raise
    return target


def _place_by_hand(entry: Entry, folder: Path, target: Path, bars: Bars) -> None:
    for source in entry.sources:
        file = folder / source.file
        if file.is_file():
            _require_match(file, source)
            _place(source, file, target, bars)
            return
    raise ValueError(f"{folder} must hold {_names(entry)}, and does not")


def _fetch_and_place(entry: Entry, output: Path, target: Path, keep: bool, bars: Bars) -> None:
    places = [output / s.file if s.is_archive else target for s in entry.sources]
    ways = [*zip(entry.sources, places, strict=True)]
    # What was begun is continued, though another source may come first
    ways.sort(key=lambda way: not (way[1].is_file() or transfer.begun(_part_of(way[1])).address))
    reasons: list[str] = []
    for source, file in ways:
        if reasons:
            log.warning("%s", reasons[-1])
        try:
            was_there = file.is_file()
            if was_there:
                _require_match(file, source)
            else:
                _download(source, file, bars)
            if source.is_archive:
                _place(source, file, target, bars)
                if not (was_there or keep):
                    file.unlink()
            return
        except UnavailableError as error:
            reasons.append(str(error))
    raise ValueError(_way_on(entry, reasons))


def _part_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.part")


def _download(source: Source, file: Path, bars: Bars) -> None:
    part = _part_of(file)
    times = 2 if source.is_archive else 1  # images are hardly larger unpacked
    needed = (source.size or source.rough_size or 0) * times
    require_space(file.parent, needed - transfer.size_of(part))
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = part.with_name(f"{part.name}.lock")
    held = try_lock(lock)
    if held is None:
        raise ValueError(f"another command is fetching {part}: wait for it")
    with held:
        try:
            _fetch_from_any(source, part, bars)
            flush(part)
            part.replace(file)
            flush(file.parent)
        finally:
            if not transfer.size_of(part):  # nothing to continue
                transfer.discard(part)
            with suppress(PermissionError):  # of Windows, where releasing it removes it
                lock.unlink()


def _fetch_from_any(source: Source, part: Path, bars: Bars) -> None:
    begun_at = transfer.begun(part).address
    reasons = []
    for address in sorted(source.addresses, key=lambda address: address != begun_at):
        try:
            return _fetch_verified(address, source, part, bars)
        except UnavailableError as error:
            reasons.append(f"{address} {error}")
    raise UnavailableError("\n  ".join(reasons) or f"{source.file} is to be had at {source.page}")


def _fetch_verified(address: str, source: Source, part: Path, bars: Bars) -> None:
    while True:
        pieced_together = transfer.size_of(part) > 0
        with bars(source.file, "B") as bar:
            fetch(address, part, size=source.size, bar=bar)
        wrong = _mismatch(part, source)
        if wrong is None:
            return
        transfer.discard(part)
        if not pieced_together:  # else it may be of two versions: once more, as a whole
            raise UnavailableError(f"has a file that {wrong}")


def _require_match(file: Path, source: Source) -> None:
    if wrong := _mismatch(file, source):
        raise ValueError(f"{file} {wrong}: remove it and fetch it again")


def _mismatch(file: Path, source: Source) -> str | None:
    """What is wrong with a file, if anything; it goes on from a name for it."""
    size = file.stat().st_size
    if source.size not in (None, size):
        return f"has {size} bytes, not {source.size}"
    for method, expected in (("sha256", source.sha256), ("md5", source.md5)):
        if expected is not None:
            with file.open("rb") as content:
                found = hashlib.file_digest(content, method).hexdigest()
            if not found.startswith(expected):
                return f"has the {method} {found}, not {expected}"
    return None


def _place(source: Source, file: Path, target: Path, bars: Bars) -> None:
    """Copy the file to the target, or unpack it there."""
    require_space(target.parent, file.stat().st_size)
    with _staged(target) as new:
        if not source.is_archive:
            shutil.copyfile(file, new)
            flush(new)
            return
        new.mkdir()
        try:
            with bars(f"unpacking {source.file}", "images") as bar:
                found = unpack(file, new, source.folders, progress=lambda n: bar(n, source.images))
            if source.images not in (None, found):
                raise ValueError(f"{file} must hold {source.images} images, and holds {found}")
        except ValueError as error:
            advice = "It stays there: remove it, if it is of no use"
            raise UnavailableError(f"{error}. {advice}") from error


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """A name beside the target, to be given to what is complete; else nothing is left of it."""
    new = target.with_name(f"{target.name}.unpacking")
    if new.exists():
        raise ValueError(f"{new} was left by a command that was killed: remove it")
    missing = [folder for folder in target.parents if not folder.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield new
        new.replace(target)
    except BaseException:
        if new.is_dir():
            shutil.rmtree(new)
        new.unlink(missing_ok=True)
        with suppress(OSError):  # somebody else uses them by now
            for folder in missing:
                folder.rmdir()
        raise
    flush(target.parent)


def _names(entry: Entry) -> str:
    return " or ".join(dict.fromkeys(source.file for source in entry.sources))


def _way_on(entry: Entry, reasons: list[str]) -> str:
    get = f"get {_names(entry)} by hand and add --from FOLDER, where it lies"
    if not any(source.addresses for source in entry.sources):
        return f"{entry.name} cannot be fetched by a program ({'; '.join(reasons)}): {get}"
    begin = f"{entry.name} could not be fetched:"
    return "\n  ".join([begin, *reasons, f"the same command goes on from where it was; or {get}"])
