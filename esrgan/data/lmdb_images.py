"""Ground truths out of a data set in LMDB form."""

from pathlib import Path

from esrgan.data.check import verify_dataset
from esrgan.data.lmdb_dataset import open_dataset
from esrgan.data.lmdb_store import LmdbReader
from esrgan.data.manifest import GT
from esrgan.types import Image


class LmdbImages:
    """The ground truths of a data set, with or without pairs; implements `GroundTruths`.

    `build_dataset` or BasicSR wrote it; `gt` is the name of the LMDB in the folder. Low-quality
    images that may be there are not looked at.

    Raises:
        ValueError: the folder is no data set, or an incomplete or visibly damaged one. What only
            reading all of it can tell is left to `verify`.
    """

    def __init__(self, *, folder: str | Path, gt: str = GT) -> None:
        self._dataset = open_dataset(Path(folder), gt=gt, lq=None)
        self._gt = LmdbReader(self._dataset.gt)

    def __len__(self) -> int:
        return len(self._dataset.index)

    def key(self, index: int) -> str:
        return self._dataset.index.key(index).decode()

    def place(self, index: int) -> str:
        return str(self._dataset.folder)

    def size(self, index: int) -> tuple[int, int]:
        return self._dataset.index.size(index)

    def read(self, index: int) -> Image:
        return self.read_crop(index, 0, 0, *self.size(index))

    def read_crop(self, index: int, top: int, left: int, height: int, width: int) -> Image:
        """Of raw records, only the crop is read and copied."""
        size = self.size(index)
        bottom, right = top + height, left + width
        if not (0 <= top < bottom <= size[0] and 0 <= left < right <= size[1]):
            raise ValueError(
                f"crop [{top}:{bottom}, {left}:{right}] is not inside"
                f" image {self.key(index)!r} of {size[0]}x{size[1]}"
            )
        key, decode = self._dataset.index.key(index), self._dataset.codec.decode
        return self._gt.read(key, lambda value: decode(value, size)[top:bottom, left:right].copy())

    def verify(self) -> None:
        verify_dataset(self._dataset)
