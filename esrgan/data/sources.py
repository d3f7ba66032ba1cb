"""Which image files a data set is built from, what its records are called, and how they are cut."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from esrgan.data.names import find_partners, find_truths
from esrgan.types import Image

_MAX_KEY_BYTES = 511 - len("T0_s00000")  # what LMDB takes, less what may be appended
_KEPT = "".join(map(chr, range(0x20, 0x7F))).replace("%", "").replace(".", "")


class Source(NamedTuple):
    """A gt file and, unless it is made from it, its lq file; `key` names its record(s)."""

    key: str
    gt: Path
    lq: Path | None

    def fingerprint(self) -> str:
        """Changes when a file is changed."""
        states = [path.stat() for path in (self.gt, self.lq) if path]
        return ",".join(f"{state.st_size}:{state.st_mtime_ns}" for state in states)


class SubImages(NamedTuple):
    """Squares of `size`, one every `step`; both count gt pixels."""

    size: int
    step: int

    def check(self, scale: int) -> None:
        """Raises ValueError if an lq square would not consist of whole pixels."""
        for name, value in (("sub-image size", self.size), ("sub-image step", self.step)):
            if value < 1 or value % scale:
                nearest = max(round(value / scale), 1) * scale
                rule = f"must be a multiple of scale ({scale})"
                raise ValueError(f"{name} ({value}) {rule}: use {nearest}")

    def cut(self, image: Image, scale: int = 1) -> Iterator[Image]:
        """The squares of a gt image, or of its lq image with their `scale`, row by row.

        Where the last square of a row or column does not reach the edge, one more is aligned with
        it, as BasicSR does, so that every pixel is used.

        Raises:
            ValueError: the image is smaller than a square.
        """
        height, width = image.shape[:2]
        size, step = self.size // scale, self.step // scale
        if min(height, width) < size:
            raise ValueError(f"{height}x{width} is smaller than the sub-image size ({size})")
        for top in _starts(height, size, step):
            for left in _starts(width, size, step):
                yield image[top : top + size, left : left + size]


def _starts(length: int, size: int, step: int) -> list[int]:
    last = length - size
    starts = list(range(0, last + 1, step))
    return starts if starts[-1] == last else [*starts, last]


def find_sources(
    gt_folders: Sequence[Path],
    lq_folders: Sequence[Path],
    *,
    scale: int,
    suffixes: Sequence[str] = (),
) -> list[Source]:
    """All images of the folders and their subfolders, sorted by key.

    With `lq_folders`, each gt image has its lq image in one of them (`names.find_partners`). Keys
    with one of the `suffixes` are taken, too.

    Raises:
        ValueError: two files have the same key, or an image lacks its counterpart; the files are
            named.
    """
    truths = find_truths(gt_folders)
    partners = find_partners(truths, lq_folders, scale=scale) if lq_folders else {}
    sources = {key_of(n): (truth.path, partners.get(n)) for n, truth in truths.items()}
    for key, (path, _) in sources.items():
        for suffix in suffixes:
            if key + suffix in sources:
                made = f"a reduced version of {path} would have the name of"
                raise ValueError(f"{made} {sources[key + suffix][0]}: rename one of them")
    return [Source(key, *sources[key]) for key in sorted(sources)]


def key_of(stem: str) -> str:
    """The key for a file's name: printable ASCII, without dots, and of a length that LMDB takes.

    Everything else is written as in a URL (`é` as `%C3%A9`), as are dots, at the first of which
    other readers of BasicSR's layout cut a key off, and the percent sign itself. Of longer keys,
    the end is a digest of the whole.
    """
    key = quote(stem, safe=_KEPT, errors="surrogateescape").replace(".", "%2E")
    if len(key) <= _MAX_KEY_BYTES:
        return key
    end = f"~{sha256(key.encode()).hexdigest()[:16]}"
    return key[: _MAX_KEY_BYTES - len(end)] + end
