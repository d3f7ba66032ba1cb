"""What every full-reference metric does first: check the two images, and leave out the border."""

import numpy as np

from esrgan.evaluation.color import Image


def shave(sr: Image, gt: Image, *, crop: int) -> tuple[Image, Image]:
    """Both images without `crop` pixels on each side. Papers leave out as many as the scale.

    Raises:
        ValueError: the images cannot be compared, or nothing of them would be left.
    """
    for name, image in (("sr", sr), ("gt", gt)):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"{name} is {image.dtype} {image.shape}: metrics take RGB images, uint8 (H, W, 3)"
            )
    if sr.shape != gt.shape:
        raise ValueError(
            f"sr {sr.shape[:2]} and gt {gt.shape[:2]} differ in size: "
            "crop gt to scale times the size of lq"
        )
    height, width = gt.shape[:2]
    if crop < 0 or min(height, width) <= 2 * crop:
        raise ValueError(
            f"crop ({crop}) must be at least 0 and leave something of a {height}x{width} image"
        )
    inner = np.s_[crop : height - crop, crop : width - crop]
    return sr[inner], gt[inner]
