"""An entry of the table, from wherever it can be had to its place in the folder of all data."""

import hashlib
import logging
from pathlib import Path

from esrgan.downloads.answers import UnavailableError
from esrgan.downloads.fetch import Patience, Progress, fetch
from esrgan.downloads.partial import complete, discard, origin_of, part_of, reserved
from esrgan.downloads.place import Bars, place
from esrgan.downloads.space import require_space
from esrgan.downloads.table import Entry, Source

log = logging.getLogger(__name__)


def install(
    entry: Entry,
    output: Path,
    *,
    by_hand: Path | None = None,
    keep_archive: bool = False,
    patience: Patience,
    bars: Bars,
) -> Path:
    """Returns the target, which appears only when it is complete.

    The sources are tried in order. A part of a file stays for the next time, and so does an archive
    that cannot be unpacked. `by_hand` is where files are that were fetched by hand; they are left
    as they are.

    Raises:
        ValueError: the target exists, or cannot be made; the message says what to do.
        OSError: something cannot be written.
    """
    target = output / entry.target
    if target.exists() or target.is_symlink():
        raise ValueError(f"{target} exists and is left as it is: remove it to have it anew")
    if by_hand is not None:
        place(*_found(entry, by_hand), target, bars)
        return target
    reasons: list[str] = []
    # What was begun is continued, though another source may come first
    for source in sorted(entry.sources, key=lambda source: not _is_begun(source, output, target)):
        if reasons:
            log.warning("%s", reasons[-1])
        try:
            _install_from(source, output, target, keep_archive, patience, bars)
            return target
        except UnavailableError as error:
            reasons.append(str(error))
    raise ValueError(_way_on(entry, reasons))


def _install_from(
    source: Source, output: Path, target: Path, keep_archive: bool, patience: Patience, bars: Bars
) -> None:
    file = _home(source, output, target)
    was_there = file.is_file()
    if was_there:
        _require_match(file, source)
    else:
        _download(source, file, patience, bars)
    if source.is_archive:
        place(source, file, target, bars)
        if not (was_there or keep_archive):
            file.unlink()


def _home(source: Source, output: Path, target: Path) -> Path:
    return output / source.file if source.is_archive else target


def _is_begun(source: Source, output: Path, target: Path) -> bool:
    file = _home(source, output, target)
    return file.is_file() or origin_of(part_of(file)) is not None


def _found(entry: Entry, folder: Path) -> tuple[Source, Path]:
    for source in entry.sources:
        file = folder / source.file
        if file.is_file():
            _require_match(file, source)
            return source, file
    raise ValueError(f"{folder} must hold {_names(entry)}, and does not")


def _require_match(file: Path, source: Source) -> None:
    if wrong := _mismatch(file, source):
        raise ValueError(f"{file} {wrong}: remove it and fetch it again")


def _mismatch(file: Path, source: Source) -> str | None:
    """What is wrong with a file; it goes on from a name for it."""
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


def _download(source: Source, file: Path, patience: Patience, bars: Bars) -> None:
    part = part_of(file)
    twice = 2 if source.is_archive else 1  # images are hardly larger unpacked
    there = part.stat().st_size if part.exists() else 0
    require_space(file.parent, (source.size or source.rough_size or 0) * twice - there)
    reasons = []
    with reserved(part):
        origin = origin_of(part)
        begun = origin.address if origin else None
        for address in sorted(source.addresses, key=lambda address: address != begun):
            try:
                with bars(source.file, "B") as progress:
                    _fetch_verified(address, file, source, patience, progress)
                return
            except UnavailableError as error:
                reasons.append(str(error))
    raise UnavailableError("\n  ".join(reasons) or f"{source.file} is to be had at {source.page}")


def _fetch_verified(
    address: str, file: Path, source: Source, patience: Patience, progress: Progress
) -> None:
    part = part_of(file)
    while True:
        pieced_together = part.stat().st_size > 0
        fetch(address, part, size=source.size, patience=patience, progress=progress)
        wrong = _mismatch(part, source)
        if wrong is None:
            complete(part, file)
            return
        discard(part)
        if not pieced_together:  # else it may be of two versions: once more, as a whole
            raise UnavailableError(f"{address}: the file {wrong}")


def _names(entry: Entry) -> str:
    return " or ".join(dict.fromkeys(source.file for source in entry.sources))


def _way_on(entry: Entry, reasons: list[str]) -> str:
    get = f"get {_names(entry)} by hand and add --from FOLDER, where it lies"
    if not any(source.addresses for source in entry.sources):
        return f"{entry.name} cannot be fetched by a program ({'; '.join(reasons)}): {get}"
    lines = [
        f"{entry.name} could not be fetched:",
        *reasons,
        f"the same command goes on from where it was; or {get}",
    ]
    return "\n  ".join(lines)
