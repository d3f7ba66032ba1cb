"""Which pairs a data set holds: their keys and sizes."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from esrgan.data.codecs import png_size
from esrgan.data.lmdb_store import LmdbReader
from esrgan.data.manifest import RECORDS, Manifest, digest, read_records

_NUM_NAMED = 5


class PairIndex:
    """Keys and lq sizes (height, width) of the pairs.

    They lie in three arrays, as forked workers would come to copy a list of objects: counting the
    references to an object writes to its memory.
    """

    def __init__(self, entries: Iterable[tuple[bytes, tuple[int, int]]]) -> None:
        keys = bytearray()
        ends = [0]
        sizes = []
        for key, size in entries:
            keys += key
            ends.append(len(keys))
            sizes.append(size)
        self._keys = bytes(keys)
        self._ends = np.array(ends, np.int64)
        self._sizes = np.array(sizes, np.int32).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self._sizes)

    def key(self, index: int) -> bytes:
        if not 0 <= index < len(self):
            raise IndexError(f"pair {index} of {len(self)}")
        return self._keys[self._ends[index] : self._ends[index + 1]]

    def lq_size(self, index: int) -> tuple[int, int]:
        height, width = self._sizes[index].tolist()
        return height, width


def index_of_records(folder: Path, manifest: Manifest) -> PairIndex:
    """The index of a complete data set of this package.

    Raises:
        ValueError: the data set is incomplete, or its records file not the one that was written.
    """
    contents = manifest.contents
    path = folder / RECORDS
    if contents is None:
        raise ValueError(f"{folder} is incomplete: build it again with prepare_data")
    if not path.is_file() or digest(path.read_bytes()) != contents.records_digest:
        raise ValueError(f"{path} is missing or was changed: copy the data set again or rebuild it")
    scale = manifest.settings.scale
    return PairIndex(
        (record.key.encode(), (record.height // scale, record.width // scale))
        for record in read_records(folder)
    )


def index_of_png_lmdbs(gt: Path, lq: Path) -> tuple[PairIndex, int]:
    """The index and the scale of two LMDBs of BasicSR.

    The keys come from the LMDBs and the sizes from the headers of the PNGs: `meta_info.txt` has
    both, but published ones give the sizes that images had before they were cropped.

    Raises:
        ValueError: the two have not the same keys, or gt is not everywhere the same whole number
            of times larger than lq.
    """
    gt_sizes, lq_sizes = _sizes(gt), _sizes(lq)
    only_gt, only_lq = sorted(gt_sizes.keys() - lq_sizes), sorted(lq_sizes.keys() - gt_sizes)
    if only_gt or only_lq:
        raise ValueError(
            f"{gt} and {lq} must have the same keys: {len(only_gt)} are in the first only"
            f" ({_named(only_gt)}), {len(only_lq)} in the second only ({_named(only_lq)})"
        )
    if not gt_sizes:
        raise ValueError(f"{gt} is empty: build the data set with prepare_data")
    first = next(iter(gt_sizes))
    scale = gt_sizes[first][0] // lq_sizes[first][0]
    wrong = [
        key
        for key, (height, width) in lq_sizes.items()
        if gt_sizes[key] != (height * scale, width * scale)
    ]
    if wrong:
        raise ValueError(
            f"{len(wrong)} of {len(gt_sizes)} images in {gt} are not exactly {scale} times as large"
            f" as in {lq} ({_named(wrong)}): crop them to a multiple and build again"
        )
    return PairIndex(lq_sizes.items()), scale


def _sizes(lmdb: Path) -> dict[bytes, tuple[int, int]]:
    reader = LmdbReader(lmdb)
    keys = list(reader.keys())
    return {key: reader.read(key, png_size) for key in keys}


def _named(keys: list[bytes]) -> str:
    more = f" and {len(keys) - _NUM_NAMED} more" if len(keys) > _NUM_NAMED else ""
    return (", ".join(key.decode(errors="replace") for key in keys[:_NUM_NAMED]) or "none") + more
