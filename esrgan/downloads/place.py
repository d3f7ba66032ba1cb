"""The last step: a verified file or archive comes to its place, as a whole or not at all."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from esrgan.downloads.answers import UnavailableError
from esrgan.downloads.fetch import Progress
from esrgan.downloads.space import require_space
from esrgan.downloads.table import Source
from esrgan.downloads.unpack import unpack
from esrgan.durable import flush

Bars = Callable[[str, str], AbstractContextManager[Progress]]
"""Makes a progress bar of a label and a unit, "B" or "images"."""


def place(source: Source, file: Path, target: Path, bars: Bars) -> None:
    """Copies the file to the target, or unpacks it there.

    Raises:
        UnavailableError: the archive is damaged, hostile or another one.
        ValueError: there is no room, or something is in the way.
        OSError: the target cannot be written.
    """
    require_space(target.parent, file.stat().st_size)
    with _staged(target) as new:
        if not source.is_archive:
            shutil.copyfile(file, new)
            flush(new)
            return
        new.mkdir()
        try:
            _unpack(source, file, new, bars)
        except ValueError as error:
            raise UnavailableError(
                f"{error}. It stays there: remove it, if it is of no use"
            ) from error


def _unpack(source: Source, file: Path, new: Path, bars: Bars) -> None:
    with bars(f"unpacking {source.file}", "images") as progress:
        num_images = unpack(
            file, new, source.folders, progress=lambda n: progress(n, source.images)
        )
    if source.images not in (None, num_images):
        raise ValueError(f"{file} must hold {source.images} images, and holds {num_images}")


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
        new.rename(target)
    except BaseException:
        if new.is_dir():
            shutil.rmtree(new)
        new.unlink(missing_ok=True)
        with suppress(OSError):  # somebody else uses them by now
            for folder in missing:
                folder.rmdir()
        raise
    flush(target.parent)
