"""Whether a file of weights is whole: told in a moment, and without torch."""

import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = (".pth", ".safetensors")
_ZIP = b"PK"


def list_releases(folder: Path) -> list[Path]:
    """The files of weights that lie in a run's folder itself, by name."""
    return [path for suffix in SUFFIXES for path in sorted(folder.glob(f"*{suffix}"))]


def is_whole(release: Path) -> bool:
    """Whether all of a file is there, and as it was written as far as its format shows.

    A .pth of torch is a ZIP with a checksum of each part, or, of older versions, a bare pickle,
    which shows nothing. A .safetensors says how long it is.
    """
    try:
        if release.suffix == ".safetensors":
            return release.stat().st_size == _promised_size(release)
        with release.open("rb") as file:
            start = file.read(len(_ZIP))
        if start != _ZIP:
            return len(start) == len(_ZIP)
        with zipfile.ZipFile(release) as archive:
            return archive.testzip() is None
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError):
        return False


def _promised_size(release: Path) -> int:
    """By its header: eight bytes that say how long it is, then JSON that says where tensors end."""
    with release.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(min(length, release.stat().st_size)))
    return 8 + length + max(_ends(header), default=0)


def _ends(header: object) -> Iterator[int]:
    if not isinstance(header, dict):
        raise ValueError("a header of .safetensors is a mapping")
    for name, tensor in header.items():
        if name != "__metadata__":
            yield int(tensor["data_offsets"][1])
