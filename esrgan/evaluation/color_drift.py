import cv2
import numpy as np
from numpy.typing import NDArray

from esrgan.evaluation.color import Image
from esrgan.evaluation.shave import shave

_SQUARE = 32


def color_drift(sr: Image, gt: Image, *, crop: int) -> float:
    """How far the colours of large areas are from the truth, in levels of 255; 0 is best.

    The mean, over squares of about 32 x 32 pixels and the channels, of the difference between the
    squares' mean colours. Detail averages out in it: bicubic interpolation stays far below 1.
    """
    sr, gt = shave(sr, gt, crop=crop)
    return float(np.abs(_squares(sr) - _squares(gt)).mean())


def _squares(image: Image) -> NDArray[np.float64]:
    height, width = (max(side // _SQUARE, 1) for side in image.shape[:2])
    means = cv2.resize(image.astype(np.float64), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(means, dtype=np.float64)
