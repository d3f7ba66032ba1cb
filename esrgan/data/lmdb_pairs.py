"""Image pairs out of a data set in LMDB form."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from esrgan.data.lmdb_store import CODECS, Codec, LmdbReader, png_size
from esrgan.data.manifest import GT, LQ, PARTIAL_SUFFIX, Manifest, read_manifest, read_records
from esrgan.errors import listed
from esrgan.types import Image, Pair


class PairIndex:
    """Keys and lq sizes (height, width) of the pairs.

    They lie in three arrays, as forked workers would come to copy a list of objects: counting the
    references to an object writes to its memory.
    """

    def __init__(self, entries: Iterable[tuple[bytes, tuple[int, int]]]) -> None:
        pairs = list(entries)
        self._keys = b"".join(key for key, _ in pairs)
        self._ends = np.cumsum([0, *(len(key) for key, _ in pairs)], dtype=np.int64)
        self._sizes = np.array([size for _, size in pairs], np.int32).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self._sizes)

    def key(self, index: int) -> bytes:
        if not 0 <= index < len(self):
            raise IndexError(f"pair {index} of {len(self)}")
        return self._keys[self._ends[index] : self._ends[index + 1]]

    def lq_size(self, index: int) -> tuple[int, int]:
        height, width = self._sizes[index].tolist()
        return height, width


@dataclass(frozen=True)
class LmdbDataset:
    """A data set whose parts are there and fit together; `manifest` is None for BasicSR's."""

    folder: Path
    gt: Path
    lq: Path
    index: PairIndex
    scale: int
    codec: Codec
    manifest: Manifest | None


class LmdbPairs:
    """The pairs of a data set that `build_dataset` or BasicSR wrote; implements `ImagePairs`.

    `gt` and `lq` are the names of the two LMDBs in the folder, `scale` is the gt size / lq size
    that the caller counts on.

    Raises:
        ValueError: the folder is no data set, an incomplete or visibly damaged one, or of another
            scale. What only reading all of it can tell is left to `verify`.
    """

    def __init__(self, *, folder: str | Path, scale: int, gt: str = GT, lq: str = LQ) -> None:
        self._dataset = open_dataset(Path(folder), gt=gt, lq=lq)
        if self._dataset.scale != scale:
            raise ValueError(
                f"data set {folder} is x{self._dataset.scale}, this run is x{scale}: set scale="
                f"{self._dataset.scale}, or build another with prepare_data --scale {scale}"
            )
        self._gt = LmdbReader(self._dataset.gt)
        self._lq = LmdbReader(self._dataset.lq)

    @property
    def scale(self) -> int:
        return self._dataset.scale

    def __len__(self) -> int:
        return len(self._dataset.index)

    def key(self, index: int) -> str:
        return self._dataset.index.key(index).decode()

    def lq_size(self, index: int) -> tuple[int, int]:
        return self._dataset.index.lq_size(index)

    def is_grey(self, index: int) -> bool:
        """Unknown, as all are stored as RGB."""
        return False

    def read(self, index: int) -> Pair:
        return self._read(index, 0, 0, *self.lq_size(index))

    def read_crop(self, index: int, top: int, left: int, size: int) -> Pair:
        return self._read(index, top, left, top + size, left + size)

    def verify(self) -> None:
        from esrgan.data.check import find_problems  # which opens data sets by this module

        dataset = self._dataset
        problems = find_problems(dataset.folder, gt=dataset.gt.name, lq=dataset.lq.name)
        if lines := [f"\n  {problem}" for problem in problems]:
            count = f"{len(lines)} problems"
            raise ValueError(f"data set {dataset.folder} has {count}:{''.join(lines)}")

    def _read(self, index: int, top: int, left: int, bottom: int, right: int) -> Pair:
        height, width = self.lq_size(index)
        if not (0 <= top < bottom <= height and 0 <= left < right <= width):
            raise ValueError(
                f"crop [{top}:{bottom}, {left}:{right}] is not inside"
                f" lq image {self.key(index)!r} of {height}x{width}"
            )
        key, decode = self._dataset.index.key(index), self._dataset.codec.decode

        def crop(reader: LmdbReader, scale: int) -> Image:
            size = (scale * height, scale * width)
            window = slice(scale * top, scale * bottom), slice(scale * left, scale * right)
            return reader.read(key, lambda value: decode(value, size)[window].copy())

        return Pair(lq=crop(self._lq, 1), gt=crop(self._gt, self.scale))


def open_dataset(folder: Path, *, gt: str = GT, lq: str = LQ) -> LmdbDataset:
    """Reads the index of a data set, with the checks of `check_files`."""
    manifest = check_files(folder, gt=gt, lq=lq)
    if manifest is None:
        index, scale = _index_of_png_lmdbs(folder / gt, folder / lq)
        codec = CODECS["png"]
    else:
        scale, name = manifest.settings.scale, manifest.settings.codec
        if name not in CODECS:
            raise ValueError(f"{folder} is coded as {name!r}, known are {', '.join(CODECS)}")
        codec = CODECS[name]
        index = PairIndex(
            (record.key.encode(), (record.height // scale, record.width // scale))
            for record in read_records(folder, manifest)
        )
    return LmdbDataset(folder, folder / gt, folder / lq, index, scale, codec, manifest)


def check_files(folder: Path, *, gt: str = GT, lq: str = LQ) -> Manifest | None:
    """Checks what the names and sizes of the files tell, and returns the manifest if there is one.

    Raises:
        ValueError: a part is missing, or not of the size that the manifest gives.
    """
    if not folder.is_dir():
        partial = folder.with_name(folder.name + PARTIAL_SUFFIX)
        if partial.is_dir():
            raise ValueError(
                f"data set {folder} is incomplete, {partial} holds its beginning: run the"
                " prepare_data command that began it again, it continues where it was"
            )
        raise ValueError(f"data set {folder} does not exist: build it with prepare_data")
    for name in (gt, lq):
        if not (folder / name / "data.mdb").is_file():
            fix = "build one with prepare_data"
            raise ValueError(f"{folder} is not a data set, it has no {name}/data.mdb: {fix}")
    manifest = read_manifest(folder)
    if manifest and (contents := manifest.contents):
        for name, expected in ((gt, contents.gt_bytes), (lq, contents.lq_bytes)):
            path = folder / name / "data.mdb"
            if (actual := path.stat().st_size) != expected:
                fix = "copy the data set again or rebuild it"
                raise ValueError(f"{path} has {actual} bytes instead of {expected}: {fix}")
    return manifest


def _index_of_png_lmdbs(gt: Path, lq: Path) -> tuple[PairIndex, int]:
    """The index and the scale of two LMDBs of BasicSR.

    The keys come from the LMDBs and the sizes from the headers of the PNGs: `meta_info.txt` has
    both, but published ones give the sizes that images had before they were cropped.
    """
    gt_sizes, lq_sizes = _png_sizes(gt), _png_sizes(lq)
    only_gt, only_lq = sorted(gt_sizes.keys() - lq_sizes), sorted(lq_sizes.keys() - gt_sizes)
    if only_gt or only_lq:
        raise ValueError(
            f"{gt} and {lq} must have the same keys: {len(only_gt)} are in the first only"
            f" ({_listed(only_gt)}), {len(only_lq)} in the second only ({_listed(only_lq)})"
        )
    if not gt_sizes:
        raise ValueError(f"{gt} is empty: build the data set with prepare_data")
    first = next(iter(gt_sizes))
    scale = gt_sizes[first][0] // lq_sizes[first][0]
    if wrong := [k for k, (h, w) in lq_sizes.items() if gt_sizes[k] != (h * scale, w * scale)]:
        raise ValueError(
            f"{len(wrong)} of {len(gt_sizes)} images in {gt} are not exactly {scale} times as large"
            f" as in {lq} ({_listed(wrong)}): crop them to a multiple and build again"
        )
    return PairIndex(lq_sizes.items()), scale


def _png_sizes(lmdb: Path) -> dict[bytes, tuple[int, int]]:
    reader = LmdbReader(lmdb)
    return {key: reader.read(key, png_size) for key in list(reader.keys())}


def _listed(keys: list[bytes]) -> str:
    return listed([key.decode(errors="replace") for key in keys]) or "none"
