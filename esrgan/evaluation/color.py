"""The luminance on which super-resolution papers measure."""

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""An RGB image, uint8, (H, W, 3)."""

# ITU-R BT.601 in studio range: the weights of R, G and B, and black.
_RGB_TO_Y = np.array([[65.481 / 255, 128.553 / 255, 24.966 / 255, 16.0]])


def rgb_to_y(image: Image) -> NDArray[np.float64]:
    """Luminance (H, W) in [16, 235] as MATLAB's `rgb2ycbcr` gives it for doubles: not rounded.

    OpenCV's YCrCb spans [0, 255] instead, which alone lowers a PSNR by about 1.3 dB, and rounding
    to bytes changes its third digit.
    """
    return np.asarray(cv2.transform(image.astype(np.float64), _RGB_TO_Y), dtype=np.float64)


def rounded_y(image: Image) -> NDArray[np.float64]:
    """The same in whole levels, as `rgb2ycbcr` gives it for uint8: NIQE and PIRM measure on it."""
    return np.floor(rgb_to_y(image) + 0.5)
