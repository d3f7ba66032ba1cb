"""What a comparison sheet shows of an image: which part, and which numbers below it."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from esrgan.evaluation.benchmark import GROUND_TRUTH, Comparison
from esrgan.evaluation.color import Image
from esrgan.evaluation.sheet import Origin, SheetRow

LQ = "LQ"
_METRICS_PER_LINE = 2  # so many are legible below a crop
_FROM_0_TO_1 = ("SSIM", "LPIPS", "DISTS")  # of these, papers give four digits, of others two


def comparison_row(
    comparison: Comparison,
    *,
    metrics: Sequence[str],
    crop_size: int = 96,
    at: tuple[int, int] | None = None,
) -> SheetRow:
    """LQ (its pixels enlarged), every method and GT, below what the scores say of each.

    Args:
        comparison: of one image. A score may be of GT or LQ, too: some metrics need no reference.
        metrics: those to write, each as measured on the whole image.
        crop_size: side of the square, in pixels of the ground truth.
        at: its top and left, in pixels of the ground truth; by default where the images differ
            most.

    Raises:
        ValueError: the square is empty or not inside the image, a metric was not measured, or a
            method is called LQ or GT.
    """
    if crop_size < 1:
        raise ValueError(f"crop_size ({crop_size}) must be at least 1")
    images = named_images(comparison)
    height, width = (min(crop_size, side) for side in comparison.gt.shape[:2])
    if at is None:
        full = [image for name, image in images.items() if name != LQ]
        top, left = most_different_window(full, crop_size)
    else:
        top, left = _checked(at, (height, width), comparison)
    scale = comparison.gt.shape[0] // comparison.lq.shape[0]
    images[LQ] = comparison.lq.repeat(scale, axis=0).repeat(scale, axis=1)
    window = np.s_[top : top + height, left : left + width]
    box = (top, left, top + height, left + width)
    return SheetRow(
        crops={name: image[window].copy() for name, image in images.items()},
        captions=_captions(comparison, metrics),
        origin=Origin(comparison.key, comparison.gt, box),
    )


def named_images(comparison: Comparison) -> dict[str, Image]:
    """LQ, the methods' outputs in their order, GT.

    Raises:
        ValueError: a method has one of these two names.
    """
    for name in (LQ, GROUND_TRUTH):
        if name in comparison.outputs:
            raise ValueError(f"no method may be called {name}, which names an image: rename it")
    return {LQ: comparison.lq, **comparison.outputs, GROUND_TRUTH: comparison.gt}


def score_text(metric: str, value: float) -> str:
    """As papers write it: 28.43 (PSNR, NIQE), 0.8111 (SSIM); ∞ for the PSNR of identical images."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.{4 if metric.upper().startswith(_FROM_0_TO_1) else 2}f}"


def most_different_window(images: Sequence[Image], size: int) -> tuple[int, int]:
    """Top and left of the square in which the images' grey values range most.

    With the ground truth among them, that is where there is detail which some of them miss. Of
    equal squares the first; (0, 0) where the square is not smaller than the image.
    """
    grey = np.stack([image.mean(axis=2) for image in images])
    # A summed-area table: the sum over any square is a combination of its four corners.
    table = cv2.integral(np.ptp(grey, axis=0))
    height, width = (min(size, side) for side in grey.shape[1:])
    sums = table[height:, width:] - table[height:, :-width]
    sums += table[:-height, :-width] - table[:-height, width:]
    top, left = np.unravel_index(np.argmax(sums), sums.shape)
    return int(top), int(left)


def _checked(at: tuple[int, int], size: tuple[int, int], comparison: Comparison) -> tuple[int, int]:
    """`at`, if a square of `size` lies inside the image there."""
    image = comparison.gt.shape[:2]
    last = [whole - part for whole, part in zip(image, size, strict=True)]
    if not all(0 <= start <= end for start, end in zip(at, last, strict=True)):
        raise ValueError(
            f"the crop at top {at[0]}, left {at[1]} must lie inside {comparison.key} (height "
            f"{image[0]}, width {image[1]}): of a crop of {size[0]}x{size[1]} pixels, top can be "
            f"0 to {last[0]} and left 0 to {last[1]}"
        )
    return at


def _captions(comparison: Comparison, metrics: Sequence[str]) -> dict[str, str]:
    known = list(dict.fromkeys(name for score in comparison.scores for name in score.values))
    for metric in metrics:
        if metric not in known:
            raise ValueError(f"{metric} was not measured: choose among {', '.join(known)}")
    captions = {}
    for score in comparison.scores:
        texts = [
            f"{metric} {score_text(metric, score.values[metric])}"
            for metric in metrics
            if metric in score.values
        ]
        lines = range(0, len(texts), _METRICS_PER_LINE)
        captions[score.method] = "\n".join(
            " · ".join(texts[line : line + _METRICS_PER_LINE]) for line in lines
        )
    return captions
