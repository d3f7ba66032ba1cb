"""What a data set in LMDB form consists of, and whether its parts fit together."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from esrgan.data.lmdb_store import CODECS, Codec, LmdbReader, png_size
from esrgan.data.manifest import PARTIAL_SUFFIX, Manifest, read_manifest, read_records
from esrgan.errors import listed


class ImageIndex:
    """Keys and gt sizes (height, width) of the records.

    They lie in three arrays, as forked workers would come to copy a list of objects: counting the
    references to an object writes to its memory.
    """

    def __init__(self, entries: Iterable[tuple[bytes, tuple[int, int]]]) -> None:
        records = list(entries)
        self._keys = b"".join(key for key, _ in records)
        self._ends = np.cumsum([0, *(len(key) for key, _ in records)], dtype=np.int64)
        self._sizes = np.array([size for _, size in records], np.int32).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self._sizes)

    def key(self, index: int) -> bytes:
        if not 0 <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        return self._keys[self._ends[index] : self._ends[index + 1]]

    def size(self, index: int) -> tuple[int, int]:
        height, width = self._sizes[index].tolist()
        return height, width


@dataclass(frozen=True)
class LmdbDataset:
    """A data set whose parts are there and fit together.

    Of ground truths alone, or where only those were asked for, `lq` is None and `scale` 1;
    `manifest` is None for BasicSR's.
    """

    folder: Path
    gt: Path
    lq: Path | None
    index: ImageIndex
    scale: int
    codec: Codec
    manifest: Manifest | None


def open_dataset(folder: Path, *, gt: str, lq: str | None) -> LmdbDataset:
    """Reads the index of a data set, with the checks of `check_files`."""
    manifest = check_files(folder, gt=gt, lq=lq)
    gt_path, lq_path = folder / gt, folder / lq if lq else None
    if manifest is None:
        index, scale = _index_of_png_lmdbs(gt_path, lq_path)
        codec = CODECS["png"]
    else:
        scale, name = manifest.settings.scale if lq else 1, manifest.settings.codec
        if name not in CODECS:
            raise ValueError(f"{folder} is coded as {name!r}, known are {', '.join(CODECS)}")
        codec = CODECS[name]
        index = ImageIndex(
            (record.key.encode(), (record.height, record.width))
            for record in read_records(folder, manifest)
        )
    return LmdbDataset(folder, gt_path, lq_path, index, scale, codec, manifest)


def check_files(folder: Path, *, gt: str, lq: str | None) -> Manifest | None:
    """Checks what the names and sizes of the files tell, and returns the manifest if there is one.

    `lq` is None where only the ground truths are asked for.

    Raises:
        ValueError: a part is missing, or not of the size that the manifest gives.
    """
    if not folder.is_dir():
        raise ValueError(_absent(folder))
    manifest = read_manifest(folder)
    if lq and manifest and not manifest.settings.has_lq:
        raise ValueError(
            f"data set {folder} has ground truths only (prepare_data --no-lq): train on it with"
            " data=blind, or build another without --no-lq"
        )
    contents = manifest.contents if manifest else None
    expected = {gt: contents and contents.gt_bytes}
    if lq:
        expected[lq] = contents and contents.lq_bytes
    for name, num_bytes in expected.items():
        path = folder / name / "data.mdb"
        if not path.is_file():
            fix = "build one with prepare_data"
            raise ValueError(f"{folder} is not a data set, it has no {name}/data.mdb: {fix}")
        actual = path.stat().st_size
        if num_bytes is not None and actual != num_bytes:
            fix = "copy the data set again or rebuild it"
            raise ValueError(f"{path} has {actual} bytes instead of {num_bytes}: {fix}")
    return manifest


def _absent(folder: Path) -> str:
    partial = folder.with_name(folder.name + PARTIAL_SUFFIX)
    if partial.is_dir():
        return (
            f"data set {folder} is incomplete, {partial} holds its beginning: run the"
            " prepare_data command that began it again, it continues where it was"
        )
    return f"data set {folder} does not exist: build it with prepare_data"


def _index_of_png_lmdbs(gt: Path, lq: Path | None) -> tuple[ImageIndex, int]:
    """The index and the scale of one or two LMDBs of BasicSR.

    The keys come from the LMDBs and the sizes from the headers of the PNGs: `meta_info.txt` has
    both, but published ones give the sizes that images had before they were cropped.
    """
    sizes = _png_sizes(gt)
    if not sizes:
        raise ValueError(f"{gt} is empty: build the data set with prepare_data")
    return ImageIndex(sizes.items()), _common_scale(gt, lq, sizes) if lq else 1


def _common_scale(gt: Path, lq: Path, gt_sizes: dict[bytes, tuple[int, int]]) -> int:
    lq_sizes = _png_sizes(lq)
    only_gt, only_lq = sorted(gt_sizes.keys() - lq_sizes), sorted(lq_sizes.keys() - gt_sizes)
    if only_gt or only_lq:
        raise ValueError(
            f"{gt} and {lq} must have the same keys: {len(only_gt)} are in the first only"
            f" ({_listed(only_gt)}), {len(only_lq)} in the second only ({_listed(only_lq)})"
        )
    first = next(iter(gt_sizes))
    scale = gt_sizes[first][0] // lq_sizes[first][0]
    if wrong := [k for k, (h, w) in lq_sizes.items() if gt_sizes[k] != (h * scale, w * scale)]:
        raise ValueError(
            f"{len(wrong)} of {len(gt_sizes)} images in {gt} are not exactly {scale} times as large"
            f" as in {lq} ({_listed(wrong)}): crop them to a multiple and build again"
        )
    return scale


def _png_sizes(lmdb: Path) -> dict[bytes, tuple[int, int]]:
    reader = LmdbReader(lmdb)
    return {key: reader.read(key, png_size) for key in list(reader.keys())}


def _listed(keys: list[bytes]) -> str:
    return listed([key.decode(errors="replace") for key in keys]) or "none"
