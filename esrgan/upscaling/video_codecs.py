"""How results can be encoded, and which files can hold them: known without PyAV, as --help is."""

from collections.abc import Mapping
from typing import NamedTuple


class Codec(NamedTuple):
    """An encoder of FFmpeg's, and what is asked of it."""

    crf: int
    """Unless another is given; below it, differences are hardly seen."""

    largest_crf: int
    options: Mapping[str, str]
    suffixes: tuple[str, ...]
    """Of files that can hold it; the last one can hold everything."""

    smallest_side: int = 2


_MKV = ".mkv"
CODECS = {
    "libx264": Codec(18, 51, {"preset": "medium"}, (".mp4", ".m4v", ".mov", _MKV)),
    "libx265": Codec(
        20,
        51,
        {"x265-params": "log-level=none"},
        (".mp4", ".m4v", ".mov", _MKV),
        64,  # with less it writes beyond its memory: 4.1, at 48 x 32
    ),
    "libsvtav1": Codec(25, 63, {}, (".mp4", _MKV)),
    "libvpx-vp9": Codec(24, 63, {"b": "0", "row-mt": "1"}, (".mp4", _MKV)),
}
DEFAULT_CODEC = "libx264"

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", _MKV: "matroska"}
"""FFmpeg's names for the suffixes of results."""


def refuse_crf(crf: int, codec: str) -> None:
    """Raises a ValueError where a codec has no such quality."""
    largest = CODECS[codec].largest_crf
    if not 0 <= crf <= largest:
        raise ValueError(f"--crf ({crf}) must be from 0 (best) to {largest} for {codec}")
