"""Images and pairs of them in folders: for validation, the benchmarks, and first looks."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from esrgan.data.images import read_header, read_image
from esrgan.data.layouts import pair_folders
from esrgan.data.listing import list_images
from esrgan.data.names import find_partners, find_truths, raise_any
from esrgan.types import Image, Pair, Resize


class FolderPairs:
    """Images of two folders, paired by name; or of one, the other half made on each read.

    `gt/0001.png` belongs to `lq/0001.png` or, as in the published data sets, `lq/0001x4.png` and
    the like (`names.find_partners`); subfolders tell equal names apart. Where the sides of a ground
    truth are no multiples of `scale`, it loses up to `scale` - 1 rows at the bottom and columns on
    the right.
    """

    def __init__(
        self,
        *,
        gt: Path | str,
        lq: Path | str | None = None,
        scale: int,
        downscale: Resize | None = None,
    ) -> None:
        """Reads the headers of all images; give exactly one of `lq` and `downscale`.

        Where `gt` stands for folders of both (`pair_folders`), nothing is made. At scale 1 there
        is nothing to make lq images from: they must be there.

        Raises:
            ValueError: names every file without its partner and every pair whose sizes differ by
                another factor than `scale`.
        """
        if scale < 1:
            raise ValueError(f"scale ({scale}) must be at least 1")
        if (lq is None) == (downscale is None):
            raise ValueError(
                "give either lq (a folder of low-quality images) or downscale (how to make them)"
            )
        if lq is None:
            gt, lq = pair_folders(str(gt), scale=scale)
        if lq is None and scale == 1:
            raise ValueError(
                f"at scale 1, lq images made of {gt} would be their own ground truth: name folders "
                "of both, GT:LQ, or one that has gt and lq in it"
            )
        truths = find_truths([Path(gt)])
        self.scale = scale
        self._downscale = downscale if lq is None else None
        self._keys = sorted(truths)
        self._gt_paths = [truths[key].path for key in self._keys]
        self._gt_sizes, self._gt_is_grey = _headers(self._gt_paths)
        if lq is None:
            self._lq_paths = []
            self._lq_sizes = self._gt_sizes // scale
        else:
            partners = find_partners(truths, [Path(lq)], scale=scale)
            self._lq_paths = [partners[key] for key in self._keys]
            self._lq_sizes, _ = _headers(self._lq_paths)
        self._check_sizes()

    def __len__(self) -> int:
        return len(self._keys)

    def key(self, index: int) -> str:
        return self._keys[index]

    def place(self, index: int) -> str:
        return str(self._gt_paths[index])

    def lq_size(self, index: int) -> tuple[int, int]:
        height, width = self._lq_sizes[index].tolist()
        return height, width

    def is_grey(self, index: int) -> bool:
        return bool(self._gt_is_grey[index])

    def read(self, index: int) -> Pair:
        gt = self._read_gt(index)
        if self._downscale is None:
            return Pair(lq=_read(self._lq_paths[index], self._lq_sizes[index]), gt=gt)
        lq = self._downscale(gt, 1 / self.scale)
        if lq.shape[:2] != self.lq_size(index):
            raise ValueError(
                f"downscale made {_text(lq.shape)} of {_text(gt.shape)}: it must divide by the "
                f"scale ({self.scale})"
            )
        return Pair(lq=lq, gt=gt)

    def read_crop(self, index: int, top: int, left: int, size: int) -> Pair:
        """Decodes both whole images, which makes it many times slower than a read of an LMDB."""
        height, width = self.lq_size(index)
        if not (0 <= top <= height - size and 0 <= left <= width - size):
            raise ValueError(
                f"{self.key(index)}: a crop of {size} at ({top}, {left}) does not fit into "
                f"{height}x{width}"
            )
        lq, gt = self.read(index)
        gt_top, gt_left, gt_size = (self.scale * number for number in (top, left, size))
        return Pair(
            lq=lq[top : top + size, left : left + size].copy(),
            gt=gt[gt_top : gt_top + gt_size, gt_left : gt_left + gt_size].copy(),
        )

    def verify(self) -> None:
        """Decodes every file (the constructor read the headers only)."""
        problems = []
        for index in range(len(self)):
            try:
                self._read_gt(index)
                if self._lq_paths:
                    _read(self._lq_paths[index], self._lq_sizes[index])
            except ValueError as error:
                problems.append(str(error))
        raise_any(problems)

    def digest(self) -> str:
        """Of the names and bytes of all files."""
        whole = hashlib.sha256(f"{self.scale}\n".encode())
        for path in [*self._gt_paths, *self._lq_paths]:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            whole.update(f"{path.stem}\t{content}\n".encode())
        return whole.hexdigest()

    def _read_gt(self, index: int) -> Image:
        height, width = self.lq_size(index)
        gt = _read(self._gt_paths[index], self._gt_sizes[index])
        return np.ascontiguousarray(gt[: height * self.scale, : width * self.scale])

    def _check_sizes(self) -> None:
        remainder = self._gt_sizes - self._lq_sizes * self.scale
        fits = (remainder >= 0) & (remainder < self.scale) & (self._lq_sizes > 0)
        rule = f"{self.scale} times" if self.scale > 1 else "the size of"
        raise_any(
            f"{self.key(index)}: gt is {_text(self._gt_sizes[index])}, which is not {rule} lq, "
            f"{_text(self._lq_sizes[index])}: replace one, or correct scale"
            for index in np.flatnonzero(~fits.all(axis=1)).tolist()
        )


class FolderImages:
    """The images of a folder and its subfolders; implements `GroundTruths`.

    The key of an image is its path below the folder.
    """

    def __init__(self, folder: Path | str) -> None:
        """Reads the headers of all images.

        Raises:
            ValueError: there are none, or names every image whose header cannot be read.
        """
        self._paths = list_images(Path(folder))
        self._keys = [path.relative_to(folder).as_posix() for path in self._paths]
        self._sizes, _ = _headers(self._paths)

    def __len__(self) -> int:
        return len(self._keys)

    def key(self, index: int) -> str:
        return self._keys[index]

    def place(self, index: int) -> str:
        return str(self._paths[index])

    def size(self, index: int) -> tuple[int, int]:
        height, width = self._sizes[index].tolist()
        return height, width

    def read(self, index: int) -> Image:
        return _read(self._paths[index], self._sizes[index])

    def read_crop(self, index: int, top: int, left: int, height: int, width: int) -> Image:
        """Decodes the whole image, which makes it many times slower than a read of an LMDB."""
        size = self.size(index)
        if not (0 <= top <= size[0] - height and 0 <= left <= size[1] - width):
            raise ValueError(
                f"{self.key(index)}: a crop of {height}x{width} at ({top}, {left}) does not fit "
                f"into {size[0]}x{size[1]}"
            )
        return self.read(index)[top : top + height, left : left + width].copy()

    def verify(self) -> None:
        """Decodes every file (the constructor read the headers only)."""
        problems = []
        for index in range(len(self)):
            try:
                self.read(index)
            except ValueError as error:
                problems.append(str(error))
        raise_any(problems)


def _headers(paths: list[Path]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Heights and widths, (N, 2), and which are grey, (N,)."""
    headers, problems = [], []
    for path in paths:
        try:
            header = read_header(path)
            headers.append((*header.upright_size, header.is_grey))
        except ValueError as error:
            problems.append(str(error))
    raise_any(problems)
    numbers = np.array(headers, np.int32).reshape(-1, 3)
    return numbers[:, :2], numbers[:, 2].astype(bool)


def _read(path: Path, size: NDArray[np.int32]) -> Image:
    image = read_image(path)
    if image.shape[:2] != tuple(size):
        raise ValueError(f"{path} was {_text(size)} at the start, and is now {_text(image.shape)}")
    return image


def _text(shape: Iterable[int]) -> str:
    height, width, *_ = shape
    return f"{height}x{width}"
