"""What a metric is, those that there are by name, and the protocol of measuring in words.

Validation, the choice of the best checkpoint, evaluation, tables and pages take names, directions
and digits from here. To add one: a file with a `Metric`, and its line in `METRICS`; or, without a
line here, its import path in place of a name.
"""

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from esrgan.errors import suggestion
from esrgan.evaluation.full_reference import (
    brightness,
    color_drift,
    contrast,
    psnr_rgb,
    psnr_y,
    rmse_y,
    root_mean_square,
    ssim_rgb,
    ssim_y,
)
from esrgan.evaluation.niqe import load_niqe_model, niqe
from esrgan.types import Image

if TYPE_CHECKING:
    import torch

NIQE_MODEL = Path("data/niqe/niqe_pris_params.npz")

Measure = Callable[[Image, Image], float]
"""From the result (sr) and the ground truth (gt), of equal size; some do not look at gt.

Where gt has one channel, (H, W, 1), the result is measured as a grey image, too.
"""


def mean(values: Iterable[float]) -> float:
    """Added up from the first to the last, so that all who average have the same digits."""
    numbers = list(values)
    return sum(numbers) / len(numbers)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What metrics may need besides the images."""

    crop: int  # pixels left out on each side
    device: "torch.device | None"  # of networks that compare features; None: a GPU if there is one
    niqe_model: Path  # the file of its parameters
    alexnet: str  # weights of the features: "imagenet", which torchvision publishes, or a file
    vgg16: str


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number for an image."""

    name: str  # on command lines, in configs, logs and tables
    larger_is_better: bool
    digits: int  # after the point, as papers write it
    about: str  # how it is computed, for the protocol
    load: Callable[[Resources], Measure]
    takes_grey: bool = False  # images of one channel, (H, W, 1); else it is given three equal ones
    needs_reference: bool = True  # else the ground truth can be measured, too
    average: Callable[[Iterable[float]], float] = mean  # over the images of a benchmark
    best_at: float | None = None  # the best value, where it lies between better and worse ones

    @property
    def directed(self) -> str:
        """The name with an arrow that shows where better is."""
        if self.best_at is not None:
            return f"{self.name} → {self.best_at:g}"
        return f"{self.name} {'↑' if self.larger_is_better else '↓'}"

    def cost(self, value: float) -> float:
        """Of two values, the better one has the smaller cost."""
        if self.best_at is not None:
            return abs(value - self.best_at)
        return -value if self.larger_is_better else value

    def is_better(self, value: float, other: float) -> bool:
        """Never true of NaN."""
        return self.cost(value) < self.cost(other)

    def text(self, value: float) -> str:
        """As papers write it; ∞ for the PSNR of identical images."""
        if math.isinf(value):
            return "∞" if value > 0 else "-∞"
        return f"{value:.{self.digits}f}"


def plain(function: Callable[..., float]) -> Callable[[Resources], Measure]:
    """The `load` of a function (sr, gt, *, crop) that needs nothing else.

    Raises:
        ValueError: it does not take these.
    """
    try:
        signature(function).bind(None, None, crop=0)
    except TypeError as error:
        raise ValueError(f"a metric's function takes (sr, gt, *, crop): {error}") from error
    return lambda resources: partial(function, crop=resources.crop)


def _load_niqe(resources: Resources) -> Measure:
    model = load_niqe_model(resources.niqe_model)
    return lambda sr, _gt: niqe(sr, crop=resources.crop, model=model)


def _load_lpips(network: Literal["alexnet", "vgg16"], resources: Resources) -> Measure:
    from esrgan.evaluation.learned import lpips  # imports torchvision, which takes a second

    weights = resources.alexnet if network == "alexnet" else resources.vgg16
    return lpips(network=network, weights=weights, crop=resources.crop, device=resources.device)


def _load_dists(resources: Resources) -> Measure:
    from esrgan.evaluation.learned import dists

    return dists(weights=resources.vgg16, crop=resources.crop, device=resources.device)


_PSNR = "10 log10(255^2 / MSE) in dB; RGB: one MSE over the three channels"
_SSIM = (
    "Wang et al. 2004: Gaussian window 11x11, sigma 1.5, wherever it lies inside the image; RGB: "
    "mean of the three channels"
)
_RMSE = (
    "root of the mean squared error of Y in whole levels; its mean: the root of the mean square "
    "(PIRM 2018)"
)
_DRIFT = "mean difference of the mean colours of squares of about 32x32 pixels, of 255 levels"
_BRIGHTNESS = "mean of 0.299 R + 0.587 G + 0.114 B less that of the ground truth, of 255 levels"
_CONTRAST = (
    "standard deviation of 0.299 R + 0.587 G + 0.114 B, plus one of 255 levels, over that of the "
    "ground truth"
)
_NIQE = (
    "Mittal et al. 2013, as the authors' MATLAB code, on Y in whole levels, pristine parameters as "
    "published, exactly flat areas as zero; uncertain on images of few blocks of 96x96 pixels"
)
_LPIPS = "Zhang et al. 2018, version 0.1 on AlexNet (torchvision's)"
_LPIPS_VGG = "Zhang et al. 2018, version 0.1 on VGG16 (torchvision's)"
_DISTS = "Ding et al. 2020, on VGG16 (torchvision's), not resized"
_Y = (
    "65.481 R + 128.553 G + 24.966 B + 16 of R, G, B in [0, 1], not rounded (MATLAB's rgb2ycbcr); "
    "of a file with one channel, that channel"
)

_higher = partial(Metric, larger_is_better=True, takes_grey=True)
_lower = partial(Metric, larger_is_better=False)
_lower_of_grey = partial(_lower, takes_grey=True)

METRICS = {
    metric.name: metric
    for metric in (
        _higher(name="PSNR-Y", digits=2, about=_PSNR, load=plain(psnr_y)),
        _higher(name="SSIM-Y", digits=4, about=_SSIM, load=plain(ssim_y)),
        _higher(name="PSNR-RGB", digits=2, about=_PSNR, load=plain(psnr_rgb)),
        _higher(name="SSIM-RGB", digits=4, about=_SSIM, load=plain(ssim_rgb)),
        _lower_of_grey(
            name="RMSE-Y", digits=2, about=_RMSE, load=plain(rmse_y), average=root_mean_square
        ),
        _lower(name="COLOR-DRIFT", digits=4, about=_DRIFT, load=plain(color_drift)),
        _lower(name="BRIGHTNESS", digits=2, about=_BRIGHTNESS, load=plain(brightness), best_at=0),
        _lower(name="CONTRAST", digits=3, about=_CONTRAST, load=plain(contrast), best_at=1),
        _lower_of_grey(name="NIQE", digits=2, about=_NIQE, load=_load_niqe, needs_reference=False),
        _lower(name="LPIPS", digits=4, about=_LPIPS, load=partial(_load_lpips, "alexnet")),
        _lower(name="LPIPS-VGG", digits=4, about=_LPIPS_VGG, load=partial(_load_lpips, "vgg16")),
        _lower(name="DISTS", digits=4, about=_DISTS, load=_load_dists),
    )
}
"""By their names."""

STANDARD = ("PSNR-Y", "SSIM-Y", "PSNR-RGB", "SSIM-RGB")
"""The four numbers that papers report."""


def find_metric(name: str) -> Metric:
    """Of a name in any case, or an import path (`my_module.SHARPNESS`); a ValueError if none."""
    if name.upper() in METRICS:
        return METRICS[name.upper()]
    module, _, attribute = name.rpartition(".")
    if module:
        try:
            found: object = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ValueError(
                f"the metric {name} cannot be imported ({error}): the folder of its file must be "
                "in PYTHONPATH"
            ) from error
        if isinstance(found, Metric):
            return found
        raise ValueError(f"{name} is not a metric: it must be an esrgan.evaluation.Metric")
    raise ValueError(f"{name} is not a metric: {suggestion(name.upper(), METRICS)}")


def border_of(scale: int) -> int:
    """Pixels that papers leave out on each side: as many as the scale, and none at 1.

    What an enlargement does at its border is of no interest; restored pictures are compared whole
    (SwinIR, arXiv:2108.10257, and FBCNN, arXiv:2109.14573, in their code).
    """
    return scale if scale > 1 else 0


def open_metrics(
    metrics: Iterable[str | Metric],
    *,
    crop: int,
    device: "torch.device | None" = None,
    niqe_model: Path | str | None = None,
    alexnet: str = "imagenet",
    vgg16: str = "imagenet",
) -> dict[Metric, Measure]:
    """The functions of metrics, or of their names, with the `Resources` they need; none twice.

    Raises:
        ValueError: a name is no metric's, two metrics have one name, or a file or network is
            missing or cannot be used.
    """
    found = dict.fromkeys(find_metric(m) if isinstance(m, str) else m for m in metrics)
    names = [metric.name for metric in found]
    if len(set(names)) < len(names):
        raise ValueError(f"two metrics have one name ({', '.join(names)}): rename one")
    resources = Resources(
        crop=crop,
        device=device,
        niqe_model=Path(niqe_model or NIQE_MODEL),
        alexnet=alexnet,
        vgg16=vgg16,
    )
    return {metric: partial(_measure, metric, metric.load(resources)) for metric in found}


def _measure(metric: Metric, measure: Measure, sr: Image, gt: Image) -> float:
    """Of files of one channel as papers do, whose code converts to Y where there are three."""
    if gt.shape[2] == 1:
        sr = np.rint(sr.mean(axis=2, keepdims=True)).astype(np.uint8)
        if not metric.takes_grey:
            sr, gt = (np.repeat(image, 3, axis=2) for image in (sr, gt))
    return measure(sr, gt)


def describe_protocol(
    metrics: Collection[Metric], *, scale: int, crop: int, lq: str
) -> dict[str, str]:
    """What numbers must have in common to be compared; `lq` says where the images came from.

    Another Y or low-resolution file moves a PSNR by more than a year of research did.
    """
    known = list(METRICS.values())
    others = sorted(set(metrics).difference(known), key=lambda metric: metric.name)
    metrics = [*(metric for metric in known if metric in metrics), *others]
    on_y = any(metric.name.endswith("-Y") or metric.name == "NIQE" for metric in metrics)
    cut = f"cut at the bottom and right to multiples of {scale}"
    return {
        "scale": f"x{scale}",
        "low-resolution images" if scale > 1 else "damaged images": lq,
        "ground truth": cut if scale > 1 else "whole",
        "results": "clamped to [0, 1], times 255, rounded to uint8 RGB",
        "border": f"{crop} pixels left out on each side" if crop else "none left out",
        **({"Y": _Y} if on_y else {}),
        **{m.name.removesuffix("-Y").removesuffix("-RGB"): m.about for m in metrics},
        "mean": "of the values of the images",
    }
