"""From image files to the records that are stored of them."""

import os
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from typing import NamedTuple

from esrgan.data.header import ImageError
from esrgan.data.images import image_size, read_image
from esrgan.data.lmdb_store import Codec
from esrgan.data.manifest import Entry, Record, digest
from esrgan.data.sources import Source, SubImages
from esrgan.data.versions import Version, versions
from esrgan.signals import ctrl_c_kept_from_new_processes
from esrgan.types import Image, Resize

_SCALES = (1, 2, 3, 4, 8)  # that there are networks for
_PER_PROCESS = 2  # sources that are being encoded or wait to be stored: it is what bounds memory


@dataclass(frozen=True)
class Recipe:
    """How records are made. It travels to other processes, so all of it can be pickled."""

    scale: int  # gt size / lq size
    codec: Codec
    downscale: Resize | None  # makes an lq image of a whole gt image; None: there are lq files
    subimages: SubImages | None = None  # what images are cut into; None: they are stored whole
    gt_only: bool = False  # no lq images are stored; scale is 1 then
    multi_scale: bool = False  # besides each image, its reduced versions are stored
    skip_small: int | None = None  # versions with a shorter side are left out

    def __post_init__(self) -> None:
        if self.scale < 1:
            raise ValueError(f"scale ({self.scale}) must be at least 1")
        if self.gt_only and (self.downscale or self.scale != 1):
            raise ValueError("without lq images, scale must be 1 and there is no downscale to give")
        if self.multi_scale and not (self.downscale or self.gt_only):
            raise ValueError("multi_scale has no effect on ready-made lq images: leave one out")
        if self.skip_small is not None and self.skip_small < 1:
            raise ValueError(f"skip_small ({self.skip_small}) must be at least 1")
        if self.scale == 1 and self.downscale:
            raise ValueError(
                "at scale 1, lq images made of gt images would be the same: give them (--lq), or "
                "have them made while training (--no-lq, then data=blind with degradations)"
            )
        if self.subimages:
            self.subimages.check(self.scale)

    def versions(self, height: int, width: int) -> Iterator[Version]:
        """What is stored of an image of this size."""
        for version in versions(height, width, multi_scale=self.multi_scale):
            if min(version.height, version.width) >= (self.skip_small or 0):
                yield version


class Encoded(NamedTuple):
    """What the journal will say of a record, and its values; there may be no lq one."""

    entry: Entry
    gt: bytes
    lq: bytes | None


class Stored(NamedTuple):
    """The sources of which something is stored, and by name what is too small for it."""

    sources: list[Source]
    too_small: list[str]


def leave_out_small(sources: Sequence[Source], recipe: Recipe) -> Stored:
    """What `skip_small` comes to, by the headers of the files.

    A file whose header cannot be read stays a source: whoever reads it says so.
    """
    if recipe.skip_small is None:
        return Stored(list(sources), [])
    kept, too_small = [], []
    for source in sources:
        try:
            height, width = image_size(source.gt)
        except ImageError:
            kept.append(source)
            continue
        stored = set(recipe.versions(height, width))
        if stored:
            kept.append(source)
        for version in versions(height, width, multi_scale=recipe.multi_scale):
            if version not in stored:
                name = f"{source.gt} {version.suffix}".rstrip()
                too_small.append(f"{name} ({version.height}x{version.width})")
    return Stored(kept, too_small)


def encode_sources(
    sources: Iterable[Source], recipe: Recipe, *, processes: int
) -> Generator[list[Encoded] | ImageError, None, None]:
    """What `encode_source` makes of each source, in their order, whatever the number of processes.

    Raises:
        ValueError: `processes` is not positive, or the system ended one of them.
    """
    if processes < 1:
        raise ValueError(f"processes ({processes}) must be at least 1")
    if processes == 1:
        yield from (encode_source(source, recipe) for source in sources)
        return
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_end_with_parent)
    try:
        waiting: deque[Future[list[Encoded] | ImageError]] = deque()
        for source in sources:
            with ctrl_c_kept_from_new_processes():  # their parent sees it, and decides
                waiting.append(pool.submit(encode_source, source, recipe))
            if len(waiting) == _PER_PROCESS * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise ValueError(
            "an encoding process was ended from outside, most often for lack of memory: continue"
            f" with fewer than {processes} processes"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def encode_source(source: Source, recipe: Recipe) -> list[Encoded] | ImageError:
    """Reads the files of a source; an error is returned, as it must not stop the others' work."""
    try:
        fingerprint = source.fingerprint()  # before it is read: it may be changed meanwhile
        image = read_image(source.gt)
        return [
            _encode(key, gt, lq, source, recipe, fingerprint)
            for version in recipe.versions(*image.shape[:2])
            for key, gt, lq in _parts(version, image, source, recipe)
        ]
    except ImageError as error:
        return error
    except (ValueError, OSError) as error:
        return ImageError(str(source.gt), str(error))


def _parts(
    version: Version, image: Image, source: Source, recipe: Recipe
) -> Iterator[tuple[str, Image, Image | None]]:
    """Key, gt and lq of each record that is made of a version of the image."""
    key = source.key + version.suffix
    whole = version.make(image)
    gt = _crop(whole, recipe.scale)
    lq = None if recipe.gt_only else _lq_image(gt, source, recipe, whole.shape[:2])
    if recipe.subimages is None:
        yield key, gt, lq
        return
    squares = [*recipe.subimages.cut(gt)]
    lq_squares = [None] * len(squares) if lq is None else recipe.subimages.cut(lq, recipe.scale)
    for number, (square, lq_square) in enumerate(zip(squares, lq_squares, strict=True), start=1):
        yield f"{key}_s{number:03d}", square, lq_square


def _crop(gt: Image, scale: int) -> Image:
    """Without what is beyond a multiple of scale at the right and at the bottom."""
    height, width = gt.shape[0] // scale, gt.shape[1] // scale
    if height == 0 or width == 0:
        raise ValueError(f"{gt.shape[0]}x{gt.shape[1]} is smaller than scale ({scale})")
    return gt[: scale * height, : scale * width]


def _lq_image(gt: Image, source: Source, recipe: Recipe, whole: tuple[int, ...]) -> Image:
    """The lq image of a gt image that was `whole` before it was cropped."""
    if source.lq:
        lq = read_image(source.lq)
    else:
        assert recipe.downscale
        lq = recipe.downscale(gt, 1 / recipe.scale)
    height, width = gt.shape[0] // recipe.scale, gt.shape[1] // recipe.scale
    if lq.shape != (height, width, 3):
        divided = f" divided by {recipe.scale}" if recipe.scale > 1 else ""
        fitting = (s for s in _SCALES if lq.shape[:2] == (whole[0] // s, whole[1] // s))
        hint = "".join(f"; it fits --scale {s}" for s in fitting)
        raise ValueError(
            f"its lq image is {lq.shape[0]}x{lq.shape[1]}, but must be {height}x{width}, which is"
            f" the size of the gt image ({gt.shape[0]}x{gt.shape[1]}){divided}{hint}"
        )
    return lq


def _encode(
    key: str, gt: Image, lq: Image | None, source: Source, recipe: Recipe, fingerprint: str
) -> Encoded:
    gt_value = recipe.codec.encode(gt)
    lq_value = None if lq is None else recipe.codec.encode(lq)
    lq_digest = "" if lq_value is None else digest(lq_value)
    height, width = gt.shape[:2]
    record = Record(key, height, width, digest(gt_value), lq_digest, str(source.gt))
    return Encoded(Entry(record, fingerprint), gt_value, lq_value)


def _end_with_parent() -> None:
    """A killed parent cannot tell its processes to end; they would wait for work for ever."""
    parent = parent_process()
    assert parent

    def wait_and_end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait_and_end, daemon=True).start()
