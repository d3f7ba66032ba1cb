"""Image pairs out of a data set in LMDB form."""

import hashlib
from pathlib import Path

from esrgan.data.check import verify_dataset
from esrgan.data.lmdb_dataset import open_dataset
from esrgan.data.lmdb_store import LmdbReader
from esrgan.data.manifest import GT, LQ, read_records
from esrgan.types import Image, Pair


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
        self._lq = LmdbReader(self._dataset.folder / lq)

    @property
    def scale(self) -> int:
        return self._dataset.scale

    def __len__(self) -> int:
        return len(self._dataset.index)

    def key(self, index: int) -> str:
        return self._dataset.index.key(index).decode()

    def place(self, index: int) -> str:
        return str(self._dataset.folder)

    def lq_size(self, index: int) -> tuple[int, int]:
        height, width = self._dataset.index.size(index)
        return height // self.scale, width // self.scale

    def is_grey(self, index: int) -> bool:
        """Unknown, as all are stored as RGB."""
        return False

    def read(self, index: int) -> Pair:
        return self._read(index, 0, 0, *self.lq_size(index))

    def read_crop(self, index: int, top: int, left: int, size: int) -> Pair:
        return self._read(index, top, left, top + size, left + size)

    def verify(self) -> None:
        verify_dataset(self._dataset)

    def digest(self) -> str:
        """Of all keys and records; of BasicSR's, which have no digests, of keys and sizes."""
        dataset, whole = self._dataset, hashlib.sha256()
        if dataset.manifest:
            for record in read_records(dataset.folder, dataset.manifest):
                whole.update(f"{record.key}\t{record.gt_digest}\t{record.lq_digest}\n".encode())
        else:
            for index in range(len(self)):
                whole.update(f"{self.key(index)}\t{self.lq_size(index)}\n".encode())
            for lmdb in filter(None, (dataset.gt, dataset.lq)):
                whole.update(f"{(lmdb / 'data.mdb').stat().st_size}\n".encode())
        return whole.hexdigest()

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
