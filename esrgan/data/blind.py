"""Samples whose low-quality images are still to be made: crops of ground truths."""

import logging
from collections.abc import Callable
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset, default_collate

from esrgan.data.draws import Augment, Draw, check_draws, draw_sample, fraction
from esrgan.data.patches import PatchDataset, place_of
from esrgan.errors import near_multiples
from esrgan.types import BlindBatch, GroundTruths, Image

log = logging.getLogger("esrgan.data")

Degrade = Callable[[Image, int], Image | None]
"""A crop of a ground truth and the sample's number in, its low-quality image out; None leaves it to
the device."""

Small = Literal["refuse", "skip", "pad"]
"""What becomes of images that are smaller than the crop: an error, left out, or mirrored at the
bottom and at the right as often as needed."""


class BlindSample(TypedDict):
    """A crop, its low-quality image if it was given, and the number that it was asked for by."""

    gt: Image
    lq: Image | None
    number: int


class BlindPatches(Dataset[BlindSample]):
    """Random crops of ground truths, without end: any sample number ≥ 0 names a sample.

    Every draw is a pure function of the seed and the sample number, as `draws` explains.

    Args:
        crop: height and width of what a low-quality image is made of, less what is beyond a
            multiple of `scale`: 400 is 399 at scale 3.
        patch_size: of the patches that will be cut out of the crops; here it is only checked.
        seed: in [0, 2**64).
        in_worker: makes low-quality images in the loading process; None: the device makes all.
        given: pairs to mix in, as patches of the size of the crop.
        given_share: the probability with which a sample is one of these pairs.

    Raises:
        ValueError: a size does not fit the scale or an image, the two that say what is mixed in do
            not fit the others, or a value is out of range.
    """

    def __init__(  # noqa: PLR0913 # all that a sample is made of
        self,
        images: GroundTruths,
        *,
        scale: int,
        crop: int,
        patch_size: int,
        seed: int,
        augment: Augment = True,
        small: Small = "refuse",
        in_worker: Degrade | None = None,
        given: PatchDataset | None = None,
        given_share: float = 0.0,
    ) -> None:
        check_draws(seed=seed, augment=augment)
        self.crop_size = crop - crop % scale
        _check_sizes(crop=crop, crop_size=self.crop_size, patch_size=patch_size, scale=scale)
        _check_given(given, given_share, crop_size=self.crop_size, scale=scale)
        self.images, self.given, self.seed = images, given, seed
        self._scale, self._augment, self._in_worker = scale, augment, in_worker
        self._given_share = given_share
        self._used = _usable(images, self.crop_size, small)

    def __getitem__(self, number: int) -> BlindSample:
        if self.given is not None and self.is_given(number):
            pair = self.given[number]
            return BlindSample(gt=pair["gt"], lq=pair["lq"], number=number)
        draw = self.draw(number)
        try:
            gt = self._cut(draw)
            lq = self._in_worker(gt, number) if self._in_worker else None
            self._check_lq(lq)
        except Exception as error:
            raise ValueError(f"{self.name(number)} cannot be made: {error}") from error
        return BlindSample(gt=gt, lq=lq, number=number)

    def is_given(self, number: int) -> bool:
        """Whether a sample is one of the given pairs."""
        return self.given is not None and fraction(self.seed, number) < self._given_share

    def key(self, number: int) -> str:
        """The name of the image that a sample shows a part of."""
        if self.given is not None and self.is_given(number):
            return self.given.key(number)
        return self.images.key(self.draw(number).image)

    def name(self, number: int) -> str:
        """A sample by its number, image and place, for messages."""
        if self.given is not None and self.is_given(number):
            return self.given.name(number)
        index = self.draw(number).image
        return f"sample {number} (image {self.images.key(index)!r}{place_of(self.images, index)})"

    def draw(self, number: int) -> Draw:
        """What a sample shows, where it is none of the given pairs, without reading it."""

        def places(position: int) -> tuple[int, int]:
            height, width = self.images.size(int(self._used[position]))
            return max(height - self.crop_size, 0) + 1, max(width - self.crop_size, 0) + 1

        draw = draw_sample(
            number,
            seed=self.seed,
            num_images=len(self._used),
            places=places,
            augment=self._augment,
        )
        return draw._replace(image=int(self._used[draw.image]))

    def verify(self) -> None:
        self.images.verify()
        if self.given is not None:
            self.given.verify()

    @staticmethod
    def collate(samples: list[BlindSample]) -> BlindBatch:
        """Copy samples into a batch: in a worker, into the memory it shares, in one piece each."""
        given = [sample["lq"] for sample in samples if sample["lq"] is not None]
        lq = iter(default_collate(given) if given else [])
        return BlindBatch(
            gt=default_collate([sample["gt"] for sample in samples]),
            lq=[None if sample["lq"] is None else next(lq) for sample in samples],
            number=[sample["number"] for sample in samples],
        )

    def _cut(self, draw: Draw) -> Image:
        height, width = (min(side, self.crop_size) for side in self.images.size(draw.image))
        image = self.images.read_crop(draw.image, draw.top, draw.left, height, width)
        return _pad(draw.orient(image), self.crop_size)

    def _check_lq(self, lq: Image | None) -> None:
        size = self.crop_size // self._scale
        if lq is not None and lq.shape != (size, size, 3):
            raise ValueError(f"in_worker made {lq.shape}, not {(size, size, 3)}")


def _pad(image: Image, size: int) -> Image:
    """Mirrored without the pixels at the edge, at the bottom and at the right, up to a square."""
    height, width = image.shape[:2]
    if (height, width) == (size, size):
        return image
    return np.pad(image, ((0, size - height), (0, size - width), (0, 0)), mode="reflect")


def _check_sizes(*, crop: int, crop_size: int, patch_size: int, scale: int) -> None:
    if patch_size < 1 or patch_size % scale:
        fix = f"use {near_multiples(patch_size, scale)}"
        raise ValueError(f"patch_size ({patch_size}) must be a multiple of scale ({scale}): {fix}")
    if crop < scale:
        raise ValueError(f"data.train.crop ({crop}) must be at least scale ({scale}): 400 is usual")
    if patch_size > crop_size:
        raise ValueError(
            f"patch_size ({patch_size}) must be at most {crop_size}, the largest multiple of scale"
            f" ({scale}) in data.train.crop ({crop}): use patch_size={crop_size} or less, or"
            f" data.train.crop={patch_size} or more"
        )


def _check_given(
    given: PatchDataset | None, given_share: float, *, crop_size: int, scale: int
) -> None:
    key = "data.train.given"
    if not 0 <= given_share <= 1:
        raise ValueError(f"{key}_share ({given_share}) must lie in [0, 1]: 0.25 mixes in a quarter")
    if given is None and given_share > 0:
        raise ValueError(f"{key}_share ({given_share}) must be 0 without pairs: give {key}, too")
    if given is None:
        return
    if given_share == 0:
        raise ValueError(f"{key} has no effect with {key}_share=0: give a share, or {key}=null")
    if given.pairs.scale != scale:
        raise ValueError(
            f"the pairs of {key} are x{given.pairs.scale}, this run is x{scale}: name others"
        )
    if given.patch_size != crop_size:
        raise ValueError(
            f"{key}.patch_size ({given.patch_size}) must be equal to the crop of the others: use"
            f" {crop_size}"
        )


def _usable(images: GroundTruths, crop_size: int, small: Small) -> NDArray[np.int64]:
    """The numbers of the images that crops are taken of."""
    if small not in ("refuse", "skip", "pad"):
        raise ValueError(f"data.train.small ({small}) must be refuse, skip or pad")
    if len(images) == 0:
        raise ValueError("there are no images to train on: add images to the data set")
    sizes = np.array([images.size(index) for index in range(len(images))])
    is_small = sizes.min(axis=1) < crop_size
    if small == "pad" or not is_small.any():
        return np.arange(len(images))
    too_small = np.flatnonzero(is_small)
    count = (
        f"{too_small.size} of {len(images)} images are smaller than data.train.crop ({crop_size})"
    )
    if small == "refuse":
        names = (f"\n  {images.key(i)} ({sizes[i, 0]}x{sizes[i, 1]})" for i in too_small.tolist())
        raise ValueError(
            f"{count}: leave them out (data.train.small=skip), mirror their edges (=pad), or use"
            f" data.train.crop={sizes.min()} or less:{''.join(names)}"
        )
    if is_small.all():
        raise ValueError(f"{count}, none is left to train on: use a smaller data.train.crop")
    log.warning("%s and are left out", count)
    return np.flatnonzero(~is_small)
