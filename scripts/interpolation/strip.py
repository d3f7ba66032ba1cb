"""The crops of figure 10 of the paper."""

from collections.abc import Mapping

import numpy as np

from esrgan.data import Image
from esrgan.evaluation import SheetRow, most_different_window
from interpolation.between import mix_images

STRIP_ALPHAS = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)


def strip_rows(name: str, outputs: Mapping[float, Image], *, crop_size: int) -> list[SheetRow]:
    """Network interpolation and image interpolation of one image, where its ends differ most.

    Args:
        name: of the image.
        outputs: of the networks at `STRIP_ALPHAS` and perhaps elsewhere.
        crop_size: side of the square, in pixels of the output.
    """
    sr_a, sr_b = outputs[0.0], outputs[1.0]
    top, left = most_different_window([sr_a, sr_b], crop_size)
    window = np.s_[top : top + crop_size, left : left + crop_size]
    images = {
        "network interpolation": {alpha: outputs[alpha] for alpha in STRIP_ALPHAS},
        "image interpolation": {alpha: mix_images(sr_a, sr_b, alpha) for alpha in STRIP_ALPHAS},
    }
    return [
        SheetRow(
            crops={_column(alpha): image[window].copy() for alpha, image in row.items()},
            captions={_column(STRIP_ALPHAS[0]): kind, _column(STRIP_ALPHAS[1]): name},
        )
        for kind, row in images.items()
    ]


def _column(alpha: float) -> str:
    return f"alpha {alpha:g}"
