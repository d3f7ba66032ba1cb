"""What can be measured: each metric is one object, whoever uses it.

Validation, the choice of the best checkpoint, evaluation, tables and pages take names, directions
and digits from here. To add one: a file with a `Metric`, and its name in `METRICS`.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from esrgan.errors import suggestion
from esrgan.evaluation.color_drift import color_drift
from esrgan.evaluation.niqe import load_niqe_model, niqe
from esrgan.evaluation.pirm import rmse_y, root_mean_square
from esrgan.evaluation.psnr import psnr_rgb, psnr_y
from esrgan.evaluation.ssim import ssim_rgb, ssim_y
from esrgan.types import Image

if TYPE_CHECKING:
    import torch

NIQE_MODEL = Path("data/niqe/niqe_pris_params.npz")

Measure = Callable[[Image, Image], float]
"""From the result (sr) and the ground truth (gt), of equal size; some do not look at gt."""

Average = Callable[[Iterable[float]], float]


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What metrics may need besides the images.

    Attributes:
        crop: pixels left out on each side.
        device: of networks that compare features; None: a GPU where there is one.
        niqe_model: the file of NIQE's parameters.
    """

    crop: int
    device: "torch.device | None" = None
    niqe_model: Path = NIQE_MODEL


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number for an image.

    Attributes:
        name: on command lines, in configs, logs and tables.
        larger_is_better: else smaller is.
        digits: after the point, as papers write it.
        about: how it is computed, for the protocol.
        load: makes the function that measures.
        needs_reference: whether it looks at the ground truth; else that can be measured, too.
        average: over the images of a benchmark.
    """

    name: str
    larger_is_better: bool
    digits: int
    about: str
    load: Callable[[Resources], Measure]
    needs_reference: bool = True
    average: Average = fmean

    @property
    def directed(self) -> str:
        """The name with an arrow that shows where better is."""
        return f"{self.name} {'↑' if self.larger_is_better else '↓'}"

    def is_better(self, value: float, other: float) -> bool:
        """Never true of NaN."""
        return value > other if self.larger_is_better else value < other

    def text(self, value: float) -> str:
        """As papers write it; ∞ for the PSNR of identical images."""
        if math.isinf(value):
            return "∞" if value > 0 else "-∞"
        return f"{value:.{self.digits}f}"


def _plain(function: Callable[..., float]) -> Callable[[Resources], Measure]:
    """Of a function (sr, gt, *, crop) that needs nothing else."""
    return lambda resources: partial(function, crop=resources.crop)


def _load_niqe(resources: Resources) -> Measure:
    model = load_niqe_model(resources.niqe_model)
    return lambda sr, _gt: niqe(sr, crop=resources.crop, model=model)


def _load_learned(
    name: Literal["lpips_alex", "lpips_vgg", "dists"], resources: Resources
) -> Measure:
    from esrgan.evaluation import learned  # imports torchvision, which takes a second
    from esrgan.hardware import choose_device

    device = resources.device or choose_device(None)
    if name == "dists":
        return learned.dists(crop=resources.crop, device=device)
    backbone: Literal["alex", "vgg"] = "alex" if name == "lpips_alex" else "vgg"
    return learned.lpips(backbone=backbone, crop=resources.crop, device=device)


_PSNR = "10 log10(255^2 / MSE) in dB; RGB: one MSE over the three channels"
_SSIM = (
    "Wang et al. 2004: Gaussian window 11x11, sigma 1.5, wherever it lies inside the image; RGB: "
    "mean of the three channels"
)

METRICS = {
    metric.name: metric
    for metric in (
        Metric(name="PSNR-Y", larger_is_better=True, digits=2, about=_PSNR, load=_plain(psnr_y)),
        Metric(name="SSIM-Y", larger_is_better=True, digits=4, about=_SSIM, load=_plain(ssim_y)),
        Metric(
            name="PSNR-RGB", larger_is_better=True, digits=2, about=_PSNR, load=_plain(psnr_rgb)
        ),
        Metric(
            name="SSIM-RGB", larger_is_better=True, digits=4, about=_SSIM, load=_plain(ssim_rgb)
        ),
        Metric(
            name="RMSE-Y",
            larger_is_better=False,
            digits=2,
            about="root of the mean squared error of Y in whole levels; its mean: the root of the "
            "mean square (PIRM 2018)",
            load=_plain(rmse_y),
            average=root_mean_square,
        ),
        Metric(
            name="COLOR-DRIFT",
            larger_is_better=False,
            digits=2,
            about="mean difference of the mean colours of squares of 32x32 pixels, of 255",
            load=_plain(color_drift),
        ),
        Metric(
            name="LPIPS",
            larger_is_better=False,
            digits=4,
            about="Zhang et al. 2018, version 0.1 on AlexNet (torchmetrics)",
            load=partial(_load_learned, "lpips_alex"),
        ),
        Metric(
            name="LPIPS-VGG",
            larger_is_better=False,
            digits=4,
            about="Zhang et al. 2018, version 0.1 on VGG16 (torchmetrics)",
            load=partial(_load_learned, "lpips_vgg"),
        ),
        Metric(
            name="DISTS",
            larger_is_better=False,
            digits=4,
            about="Ding et al. 2020, on VGG16, not resized (torchmetrics)",
            load=partial(_load_learned, "dists"),
        ),
        Metric(
            name="NIQE",
            larger_is_better=False,
            digits=2,
            about="Mittal et al. 2013, as the authors' MATLAB code, on Y in whole levels, "
            "pristine parameters as published; uncertain on images of few blocks of 96x96 pixels",
            load=_load_niqe,
            needs_reference=False,
        ),
    )
}
"""By their names."""


def find_metric(name: str) -> Metric:
    """The metric of a name in any case of letters; or of an import path, `my_module.SHARPNESS`.

    Raises:
        ValueError: there is none.
    """
    if name.upper() in METRICS:
        return METRICS[name.upper()]
    module, _, attribute = name.rpartition(".")
    if module:
        try:
            found: object = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"the metric {name} cannot be found: {error}") from error
        if isinstance(found, Metric):
            return found
    raise ValueError(f"{name} is not a metric: {suggestion(name.upper(), METRICS)}")


def open_metrics(
    names: Sequence[str],
    *,
    crop: int,
    device: "torch.device | None" = None,
    niqe_model: Path | str = NIQE_MODEL,
) -> dict[Metric, Measure]:
    """The functions of metrics, with what they need loaded; none twice.

    Args:
        names: of `METRICS`, or import paths.
        crop: pixels left out on each side.
        device: of networks that compare features; None: a GPU where there is one.
        niqe_model: the file of NIQE's parameters.

    Raises:
        ValueError: a name is no metric's, or a file or network is missing or cannot be used.
    """
    resources = Resources(crop=crop, device=device, niqe_model=Path(niqe_model))
    return {metric: metric.load(resources) for metric in map(find_metric, names)}
