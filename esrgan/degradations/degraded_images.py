"""Whole images and what a degradation makes of them: a validation set that stays as it is."""

from collections.abc import Callable

import numpy as np

from esrgan.types import GroundTruths, Image, Pair

FIRST_NUMBER = 1 << 40
"""Of the samples that validation draws for: training's, which count from 0, never get there."""

MOST_KEPT = 1 << 29
"""Bytes of low-quality images that a process keeps: a thousand of DIV2K's at ×4."""


class DegradedImages:
    """Pairs of which the low-quality half is made once: implements `WholeImages`.

    What is made of an image is a function of the degradation's own seed and of the image's place in
    the set, so that it is the same from the first validation of a run to the last, in whichever
    process. `MOST_KEPT` of them are kept in memory once they were made; what goes beyond is made
    again for each validation.

    Args:
        images: the ground truths. They lose up to `scale` - 1 rows at the bottom and columns on
            the right, so that their sides are multiples of it.
        degrade: makes the low-quality image of a ground truth and a sample number.

    Raises:
        ValueError: an image is smaller than `scale`.
    """

    def __init__(
        self, images: GroundTruths, *, degrade: Callable[[Image, int], Image], scale: int
    ) -> None:
        for index in range(len(images)):
            height, width = images.size(index)
            if min(height, width) < scale:
                raise ValueError(
                    f"{images.key(index)} ({height}x{width}) is smaller than scale ({scale}): "
                    "leave it out"
                )
        self.images, self.degrade, self.scale = images, degrade, scale
        self._made: dict[int, Image] = {}
        self._kept = 0

    def __len__(self) -> int:
        return len(self.images)

    def key(self, index: int) -> str:
        return self.images.key(index)

    def lq_size(self, index: int) -> tuple[int, int]:
        """Height and width, known without making it."""
        height, width = self.images.size(index)
        return height // self.scale, width // self.scale

    def verify(self) -> None:
        """Check the ground truths, as `GroundTruths.verify` says."""
        self.images.verify()

    def is_grey(self, index: int) -> bool:
        """Never: noise gives colours to a grey image, too."""
        return False

    def read(self, index: int) -> Pair:
        """A ValueError, with the image's name, where it cannot be read or degraded."""
        gt = self.images.read(index)
        height, width = self.lq_size(index)
        gt = np.ascontiguousarray(gt[: height * self.scale, : width * self.scale])
        lq = self._made.get(index)
        if lq is None:
            lq = self._make(index, gt)
        if lq.shape != (height, width, 3):
            raise ValueError(
                f"{self.key(index)}: the degradation made {lq.shape} of {gt.shape}: it must divide "
                f"by the scale ({self.scale})"
            )
        return Pair(lq=lq, gt=gt)

    def _make(self, index: int, gt: Image) -> Image:
        try:
            lq = self.degrade(gt, FIRST_NUMBER + index)
        except ValueError as error:
            raise ValueError(f"{self.key(index)} cannot be degraded: {error}") from error
        if self._kept + lq.nbytes <= MOST_KEPT:
            self._made[index] = lq
            self._kept += lq.nbytes
        return lq
