"""The protocol behind the tables of the field, as functions and in words.

Numbers obtained under different protocols cannot be compared: another Y or low-resolution file
moves a PSNR by more than a year of research did. So a result carries its protocol with it.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import numpy as np

from esrgan.evaluation.benchmark import Metric
from esrgan.evaluation.color import Image
from esrgan.evaluation.psnr import psnr_rgb, psnr_y
from esrgan.evaluation.ssim import ssim_rgb, ssim_y

Resize = Callable[[Image, float], Image]
"""An image and a factor for its sides in, the resized image out."""


def standard_metrics(*, crop: int) -> dict[str, Metric]:
    """The four numbers that papers report, by the names they have in tables."""
    return {
        "PSNR-Y": partial(psnr_y, crop=crop),
        "SSIM-Y": partial(ssim_y, crop=crop),
        "PSNR-RGB": partial(psnr_rgb, crop=crop),
        "SSIM-RGB": partial(ssim_rgb, crop=crop),
    }


def describe_protocol(*, scale: int, crop: int, lq: str, metrics: Iterable[str]) -> dict[str, str]:
    """In words. `lq` says where the low-resolution images came from; `metrics` are their names."""
    names = set(metrics)
    if "PI" in names:
        names |= {"MA", "NIQE"}
    families = {name.removesuffix("-Y").removesuffix("-RGB") for name in names}
    return {
        "scale": f"x{scale}",
        "low-resolution images": lq,
        "results": "clamped to [0, 1], times 255, rounded to uint8 RGB",
        "border": f"{crop} pixels left out on each side",
        **({"Y": _Y} if any(name.endswith("-Y") or name == "NIQE" for name in names) else {}),
        **{family: words for family, words in _METRICS.items() if family in families},
        "mean": "of the values of the images",
    }


_Y = "65.481 R + 128.553 G + 24.966 B + 16 of R, G, B in [0, 1], not rounded (MATLAB's rgb2ycbcr)"
_METRICS = {
    "PSNR": "10 log10(255^2 / MSE) in dB; RGB: one MSE over the three channels",
    "SSIM": "Wang et al. 2004: Gaussian window 11x11, sigma 1.5, wherever it lies inside the "
    "image; RGB: mean of the three channels",
    "RMSE": "root of the mean squared error of Y in whole levels; its mean: the root of the mean "
    "square (PIRM 2018)",
    "NIQE": "Mittal et al. 2013, as the authors' MATLAB code, on Y in whole levels, "
    "pristine parameters as published; uncertain on images of few blocks of 96x96 pixels",
    "LPIPS": "Zhang et al. 2018, version 0.1 on AlexNet (torchmetrics)",
    "LPIPS-VGG": "Zhang et al. 2018, version 0.1 on VGG16 (torchmetrics)",
    "DISTS": "Ding et al. 2020, on VGG16, not resized (torchmetrics)",
    "MA": "score of Ma et al. 2017, from a file",
    "PI": "((10 - MA) + NIQE) / 2 (PIRM 2018)",
}


def recognise_bicubic(lq: Image, gt: Image, conventions: Mapping[str, Resize]) -> str | None:
    """The name of the resizing that makes `lq` of `gt`, byte for byte, if one does."""
    scale = lq.shape[0] / gt.shape[0]
    for name, resize in conventions.items():
        if np.array_equal(resize(gt, scale), lq):
            return name
    return None
