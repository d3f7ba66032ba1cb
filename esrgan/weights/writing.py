"""Where a file may come to be: never in the place of another unasked."""

from pathlib import Path

from esrgan.weights.files import WeightsError


def check_target(path: Path, *, suffixes: tuple[str, ...], overwrite: bool) -> None:
    """Refuse before the work what could not be written after it.

    Raises:
        WeightsError: the suffix is another, there is no such folder, or the file exists and
            `overwrite` is not set.
    """
    if path.suffix not in suffixes:
        raise WeightsError(f"{path} must end in {' or '.join(suffixes)}")
    if not path.parent.is_dir():
        raise WeightsError(f"{path} cannot be written: the folder {path.parent} does not exist")
    if path.is_dir() or (path.exists() and not overwrite):
        raise WeightsError(f"{path} exists: choose another name or ask to overwrite it")
