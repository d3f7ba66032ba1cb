"""Image pairs out of a data set in LMDB form."""

from pathlib import Path

import numpy as np

from esrgan.data.check import find_problems
from esrgan.data.lmdb_dataset import open_dataset
from esrgan.data.lmdb_store import LmdbReader
from esrgan.data.manifest import GT, LQ
from esrgan.data.pairs import Image, Pair


class LmdbPairs:
    """The pairs of a data set that `build_dataset` or BasicSR wrote; implements `ImagePairs`.

    Args:
        folder: holds the two LMDB folders, and a manifest unless BasicSR wrote it.
        scale: gt size / lq size that the caller counts on.
        gt: name of the LMDB of ground truths in the folder.
        lq: name of the LMDB of low-quality images.

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

    def read(self, index: int) -> Pair:
        height, width = self.lq_size(index)
        return self._read(index, slice(0, height), slice(0, width))

    def read_crop(self, index: int, top: int, left: int, size: int) -> Pair:
        return self._read(index, slice(top, top + size), slice(left, left + size))

    def verify(self) -> None:
        dataset = self._dataset
        problems = find_problems(dataset.folder, gt=dataset.gt.name, lq=dataset.lq.name)
        if lines := [f"  {problem}" for problem in problems]:
            raise ValueError(
                f"data set {dataset.folder} has {len(lines)} problems:\n" + "\n".join(lines)
            )

    def _read(self, index: int, rows: slice, columns: slice) -> Pair:
        height, width = self.lq_size(index)
        if not (
            0 <= rows.start < rows.stop <= height and 0 <= columns.start < columns.stop <= width
        ):
            raise ValueError(
                f"crop [{rows.start}:{rows.stop}, {columns.start}:{columns.stop}] is not inside"
                f" lq image {self.key(index)!r} of {height}x{width}"
            )
        key, scale = self._dataset.index.key(index), self._dataset.scale
        gt_window = np.s_[
            scale * rows.start : scale * rows.stop, scale * columns.start : scale * columns.stop
        ]
        return Pair(
            lq=self._crop(self._lq, key, (height, width), (rows, columns)),
            gt=self._crop(self._gt, key, (scale * height, scale * width), gt_window),
        )

    def _crop(
        self, reader: LmdbReader, key: bytes, size: tuple[int, int], window: tuple[slice, slice]
    ) -> Image:
        codec = self._dataset.codec
        return reader.read(key, lambda value: codec.decode(value, size)[window].copy())
