"""What Real-ESRGAN's degradation costs: ours, and plain code in the form that was published."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from hydra.utils import instantiate
from torch import Tensor
from torch.nn import functional as F

from bench.result import Table
from bench.sizes import Sizes
from bench.turns import DEVICE, AfterIteration, Form, compare_in_turns
from esrgan.commands.configs import configs_folder
from esrgan.degradations.degrader import Degrade
from esrgan.degradations.filters import gaussian_taps
from esrgan.degradations.jpeg import simulated_jpeg
from esrgan.degradations.kernels import KernelParameters, blur_kernel
from esrgan.hydra_errors import composed
from esrgan.runs import Settings

CROP, PATCH = 400, 256
WITHOUT = "without the unsharp masking of the ground truth"


def degrading_table(sizes: Sizes) -> Table:
    """Batches of the published size, as `realesrgan_x4plus` and a plain loop make them."""
    batch = sizes.degraded
    forms: Mapping[str, Form] = {
        "published form: dense 51 x 51 masking, batched": partial(published_form, batch, True),
        f"published form, {WITHOUT}": partial(published_form, batch, False),
        "ours, a sample at a time": partial(ours, batch, True),
        f"ours, {WITHOUT}": partial(ours, batch, False),
    }
    return compare_in_turns(
        f"Degrading, {batch} crops of {CROP}",
        forms,
        "On a CPU ours works in one thread, so that the bits do not depend on how many there are; "
        "loading processes share the samples out. The draws are in it.",
        rounds=max(sizes.rounds // 2, 1),
        iterations=1,
        unit="iteration",
    )[0]


def crops(batch: int) -> Tensor:
    """Bytes of noise: what is in a picture hardly changes the cost."""
    return torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (batch, CROP, CROP, 3), np.uint8)
    )


def ours(batch: int, masked: bool, iterations: int, after_iteration: AfterIteration) -> None:
    settings = ["experiment=realesrgan_x4plus", f"prepare.sharpened_gt={masked}"]
    settings.append(f"degradations.from_sharpened={masked}")
    cfg = composed("train", settings, configs=configs_folder(), own=None, schema=Settings)
    prepare: Degrade = instantiate(cfg.prepare, _convert_="all")
    gt = crops(batch).to(DEVICE)
    for iteration in range(iterations):
        numbers = list(range(iteration * batch, (iteration + 1) * batch))
        prepare({"gt": gt, "lq": [None] * batch, "number": numbers}, torch.float32)
        after_iteration()


def published_form(
    batch: int, masked: bool, iterations: int, after_iteration: AfterIteration
) -> None:
    """The usual draws of a batch, as whole-batch operations, without what is drawn for it."""
    gt = crops(batch).permute(0, 3, 1, 2).float().to(DEVICE) / 255
    taps = gaussian_taps(51, 8.0).float().to(DEVICE)
    dense = torch.outer(taps, taps)
    kernel = blur_kernel(KernelParameters(kind="iso", size=21, sigma_x=1.6)).float().to(DEVICE)
    for _ in range(iterations):
        image = _mask(gt, dense) if masked else gt
        image = _blur(image, kernel)
        image = _noise(F.interpolate(image, scale_factor=0.6, mode="bicubic"), batch)
        image = _blur(_jpeg(image, batch), kernel)
        image = _noise(F.interpolate(image, size=(80, 80), mode="bilinear"), batch)
        image = _jpeg(_blur(F.interpolate(image, size=(100, 100), mode="area"), kernel), batch)
        if masked:
            _mask(gt[..., :PATCH, :PATCH], dense)
        after_iteration()


def _mask(images: Tensor, kernel: Tensor) -> Tensor:
    residual = images - _blur(images, kernel)
    soft = _blur((residual.abs() * 255 > 10).float(), kernel)
    return soft * (images + 0.5 * residual).clamp(0, 1) + (1 - soft) * images


def _blur(images: Tensor, kernel: Tensor) -> Tensor:
    n, channels, height, width = images.shape
    padded = F.pad(images, [kernel.shape[-1] // 2] * 4, mode="reflect")
    planes = padded.reshape(1, n * channels, *padded.shape[-2:])
    weight = kernel.expand(n * channels, 1, *kernel.shape)
    return F.conv2d(planes, weight, groups=n * channels).reshape(n, channels, height, width)


def _noise(images: Tensor, batch: int) -> Tensor:
    """Poisson noise, of which every sample's distinct levels are counted."""
    levels = (images * 255).round().clamp(0, 255) / 255
    counts = [2 ** int(np.ceil(np.log2(len(torch.unique(levels[i]))))) for i in range(batch)]
    scale = images.new_tensor(counts).view(-1, 1, 1, 1)
    return (images + torch.poisson(levels * scale) / scale - levels).clamp(0, 1)


def _jpeg(images: Tensor, batch: int) -> Tensor:
    return torch.cat([simulated_jpeg(images[i : i + 1], 60) for i in range(batch)])
