"""Which names in an archive are safe on every system, and which are worth unpacking."""

import re
import unicodedata
from pathlib import PurePosixPath

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
ARCHIVES = frozenset({".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar"})
_TEXTS = frozenset({".txt", ".md"})
_TEXT_NAMES = frozenset({"readme", "license", "licence"})
_LEFT_BY_SYSTEMS = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_DEVICES = frozenset(  # names that Windows opens as devices, whatever the suffix
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)
_MAX_BYTES = 255  # of one part, on all common file systems
_MAX_PARTS = 20


def member_path(name: str) -> PurePosixPath:
    """The path that a name in an archive stands for.

    Raises:
        ValueError: the name is unsafe; the message goes on from it.
    """
    if re.search(r"[\x00-\x1f\x7f\\:]", name):
        raise ValueError("has a backslash, a colon or a control character in its name")
    if name.startswith("/"):
        raise ValueError("is an absolute path")
    path = PurePosixPath(name)
    if not path.parts or len(path.parts) > _MAX_PARTS:
        raise ValueError(f"must have 1 to {_MAX_PARTS} parts in its path")
    for part in path.parts:
        _check(part)
    return path


def _check(part: str) -> None:
    if part == "..":
        raise ValueError("leads out of the folder by `..`")
    if part.endswith((".", " ")) or part.startswith(" "):
        raise ValueError("has a part that begins with a space, or ends with one or a full stop")
    if part.partition(".")[0].rstrip().lower() in _DEVICES:
        raise ValueError("has a name that is reserved for devices")
    try:
        length = len(part.encode("utf-8"))
    except UnicodeEncodeError:
        raise ValueError("has a name that is not UTF-8") from None
    if length > _MAX_BYTES:
        raise ValueError(f"has a part of more than {_MAX_BYTES} bytes in its name")


def same_on_some_system(path: PurePosixPath) -> str:
    """Equal for paths that differ in case or composition, which some file systems ignore."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(path)).casefold())


def is_dispensable(path: PurePosixPath) -> bool:
    """Whether it is a text about the images, or something that a system leaves everywhere."""
    name = path.name.lower()
    return (
        "__macosx" in (part.lower() for part in path.parts)
        or name.startswith("._")
        or name in _LEFT_BY_SYSTEMS
        or path.suffix.lower() in _TEXTS
        or name in _TEXT_NAMES
    )
