"""From an image file to the records that are stored of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from esrgan.data.codecs import Codec
from esrgan.data.images import ImageError, read_image
from esrgan.data.manifest import Record, digest
from esrgan.data.pairs import Image, Pair
from esrgan.data.sources import Source
from esrgan.data.subimages import SubImages

Downscale = Callable[[Image, float], Image]
"""An image and a scale below 1 in, the smaller image out."""


@dataclass(frozen=True)
class Recipe:
    """How records are made. It travels to other processes, so all of it can be pickled.

    Args:
        scale: gt size / lq size.
        codec: how images are stored.
        downscale: makes an lq image of a whole gt image, or None where there are lq files.
        subimages: what images are cut into, or None to store them whole.

    Raises:
        ValueError: scale is not positive, or does not divide the sub-images.
    """

    scale: int
    codec: Codec
    downscale: Downscale | None
    subimages: SubImages | None = None

    def __post_init__(self) -> None:
        if self.scale < 1:
            raise ValueError(f"scale ({self.scale}) must be at least 1")
        if self.subimages:
            self.subimages.check(self.scale)


class Encoded(NamedTuple):
    """A record and its two values."""

    record: Record
    gt: bytes
    lq: bytes


class Made(NamedTuple):
    """The records of a source, and its fingerprint from before it was read."""

    fingerprint: str
    records: list[Encoded]

    def num_bytes(self) -> int:
        return sum(len(encoded.gt) + len(encoded.lq) for encoded in self.records)


def encode_source(source: Source, recipe: Recipe) -> Made | ImageError:
    """Reads the files of a source; an error is returned, as it must not stop the others' work."""
    try:
        fingerprint = source.fingerprint()
        parts = _parts(source.key, _read_pair(source, recipe), recipe)
        return Made(fingerprint, [_encode(key, part, source, recipe) for key, part in parts])
    except ImageError as error:
        return error
    except (ValueError, OSError) as error:
        return ImageError(str(source.gt), str(error))


def _read_pair(source: Source, recipe: Recipe) -> Pair:
    """The gt image, cropped at the right and at the bottom to a multiple of scale, and the lq."""
    scale = recipe.scale
    gt = read_image(source.gt)
    height, width = gt.shape[0] // scale, gt.shape[1] // scale
    if height == 0 or width == 0:
        raise ValueError(f"{gt.shape[0]}x{gt.shape[1]} is smaller than scale ({scale})")
    gt = gt[: scale * height, : scale * width]
    if source.lq:
        lq = read_image(source.lq)
    else:
        assert recipe.downscale
        lq = recipe.downscale(gt, 1 / scale)
    if lq.shape != (height, width, 3):
        raise ValueError(
            f"its lq image is {lq.shape[0]}x{lq.shape[1]}, but must be {height}x{width}, which is"
            f" the size of the gt image ({gt.shape[0]}x{gt.shape[1]}) divided by {scale}"
        )
    return Pair(lq=lq, gt=gt)


def _parts(key: str, pair: Pair, recipe: Recipe) -> Iterator[tuple[str, Pair]]:
    if recipe.subimages is None:
        yield key, pair
        return
    for number, part in enumerate(recipe.subimages.cut(pair, recipe.scale), start=1):
        yield f"{key}_s{number:03d}", part


def _encode(key: str, pair: Pair, source: Source, recipe: Recipe) -> Encoded:
    gt, lq = recipe.codec.encode(pair.gt), recipe.codec.encode(pair.lq)
    height, width = pair.gt.shape[:2]
    return Encoded(Record(key, height, width, digest(gt), digest(lq), str(source.gt)), gt, lq)
