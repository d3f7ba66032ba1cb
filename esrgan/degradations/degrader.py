"""Where degradations meet training: in the batch, in a loading process, in validation."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from esrgan.degradations.filters import sharpen
from esrgan.degradations.jpeg import DrawnJpeg
from esrgan.degradations.recipe import Degradation, Draws, degrade, exactly
from esrgan.degradations.steps import Size
from esrgan.errors import near_multiples
from esrgan.types import Batch, BlindBatch, Image, Prepared


class Degrader:
    """Makes low-quality images, each by the draws of its number.

    Args:
        scale: of the network; the sides of a ground truth are multiples of it.
        seed: in [0, 2**64).

    Raises:
        ValueError: the degradation leaves the size as it is, and the scale is not 1.
    """

    def __init__(self, *, degradation: Degradation, scale: int, seed: int) -> None:
        degradation.check_scale(scale)
        self.degradation, self.scale, self.seed = degradation, scale, seed

    def draw(self, number: int) -> Draws:
        return self.degradation.draw(self.seed, number)

    def __call__(self, gt: Image, number: int) -> Image:
        """On the CPU, whole.

        Raises:
            ValueError: a side is no multiple of scale, or smaller than the steps can work on.
        """
        least = self.degradation.smallest_crop(self.scale)
        if gt.shape[0] % self.scale or gt.shape[1] % self.scale or min(gt.shape[:2]) < least:
            raise ValueError(
                f"an image of {gt.shape[0]}x{gt.shape[1]} cannot be degraded: its sides must be "
                f"multiples of {self.scale}, and at least {least} for the kernels of the blurs"
            )
        with exactly():
            image = as_float(torch.from_numpy(gt)[None])
            if self.degradation.from_sharpened:
                image = sharpen(image)
            lq = degrade(image, self.draw(number), scale=self.scale)
        return np.ascontiguousarray(lq[0].permute(1, 2, 0).numpy())

    def stages(self, gt: Image, number: int) -> Iterator[tuple[str, Image]]:
        """What was done, in words, and the image after each step, the last being what is learnt of.

        Between the steps an image may go beyond what 8 bits can show; here it is clipped.
        """
        lq = Size(gt.shape[0] // self.scale, gt.shape[1] // self.scale)
        with exactly():
            image = as_float(torch.from_numpy(gt)[None])
            yield "ground truth", gt
            if self.degradation.from_sharpened:
                image = sharpen(image)
                yield "sharpened", as_bytes(image)
            for name, step in self.draw(number).steps:
                image = step.apply(image, lq)
                yield f"{name}: {step}", as_bytes(image)


class InWorker:
    """Which low-quality images the loading processes make.

    Args:
        everything: all of them, as on a machine without a GPU; None: where there is none. Else
            only those with a real encoder among their steps, which the device has not.
    """

    def __init__(self, *, degrader: Degrader, everything: bool | None) -> None:
        self._degrader = degrader
        self._everything = not torch.cuda.is_available() if everything is None else everything

    def __call__(self, gt: Image, number: int) -> Image | None:
        steps = self._degrader.draw(number).steps
        real = (isinstance(s, DrawnJpeg) and s.codec != "simulated" for _, s in steps)
        return self._degrader(gt, number) if self._everything or any(real) else None


class Degrade:
    """Makes of a batch of ground truths, on their device, the images of a step.

    Every sample is made alone, from the draws of its number: it is the same in every batch.

    Args:
        crop: height and width of the ground truths, of which the low-quality images are made.
        patch_size: of the patches that are cut out of them, at a position that is drawn.
        sharpened_gt: whether sharpened ground truths are wanted, too.
        sharpen_patch: sharpen the patch, mirroring its border, as the published code does in its
            GAN stage, instead of cutting it out of the sharpened image.

    Raises:
        ValueError: the sizes do not fit each other, the scale or the steps.
    """

    def __init__(
        self,
        *,
        degrader: Degrader,
        crop: int,
        patch_size: int,
        sharpened_gt: bool,
        sharpen_patch: bool,
    ) -> None:
        scale, least = degrader.scale, degrader.degradation.smallest_crop(degrader.scale)
        crop -= crop % scale
        if patch_size % scale or not 0 < patch_size <= crop:
            raise ValueError(
                f"patch_size ({patch_size}) must be a multiple of scale ({scale}), at most the size"
                f" that is degraded ({crop}): use {near_multiples(min(patch_size, crop), scale)}, "
                "or raise crop"
            )
        if crop < least:
            raise ValueError(
                f"crop ({crop}) is too small for the kernels of the blurs after the images were "
                f"resized: give crop={least} or more, or smaller degradations.steps.*.sizes"
            )
        self.degrader, self._patch_size = degrader, patch_size
        self.sharpens, self._sharpen_patch = sharpened_gt, sharpen_patch

    def __call__(self, batch: BlindBatch, dtype: torch.dtype) -> Prepared:
        with exactly():
            made = [self._make(*sample) for sample in zip(*_columns(batch), strict=True)]
        lq, gt, sharp = zip(*made, strict=True)
        return Prepared(
            lq=torch.cat(lq).to(dtype) / 255,
            gt=torch.cat(gt).to(dtype),
            sharp=torch.cat(sharp).to(dtype) if self.sharpens else None,
        )

    def _make(self, gt: Tensor, lq: Tensor | None, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """The patches of a sample: lq in whole levels, gt, and the sharpened gt."""
        degrader, degradation = self.degrader, self.degrader.degradation
        image = as_float(gt[None])
        needs_sharp = lq is None and degradation.from_sharpened
        sharp = image
        if needs_sharp or (self.sharpens and not self._sharpen_patch):
            sharp = sharpen(image)
        if lq is None:
            source = sharp if degradation.from_sharpened else image
            low = degrade(source, degrader.draw(number), scale=degrader.scale)
        else:
            low = lq.permute(2, 0, 1)[None]
        scale, size = degrader.scale, self._patch_size // degrader.scale
        choices = image.shape[-1] // scale - size + 1
        top, left = degradation.draw_corner(degrader.seed, number, choices)
        patch = _cut(image, top * scale, left * scale, self._patch_size)
        of_sharp = _cut(sharp, top * scale, left * scale, self._patch_size)
        if self.sharpens and self._sharpen_patch:
            of_sharp = sharpen(patch)
        return _cut(low, top, left, size), patch, of_sharp


class SharpenedPairs:
    """Makes of a batch of given pairs the images of a step, sharpened ground truths among them."""

    sharpens = True

    def __call__(self, batch: Batch, dtype: torch.dtype) -> Prepared:
        with exactly():
            lq, gt = as_float(batch["lq"]), as_float(batch["gt"])
            sharp = torch.cat([sharpen(image[None]) for image in gt])
        return Prepared(lq.to(dtype), gt.to(dtype), sharp.to(dtype))


def as_float(images: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] of bytes (N, H, W, 3)."""
    return images.permute(0, 3, 1, 2).contiguous().float() / 255


def as_bytes(image: Tensor) -> Image:
    """An image (1, 3, H, W) as (H, W, 3)."""
    pixels = (image[0] * 255).round().clamp(0, 255).byte()
    return np.ascontiguousarray(pixels.permute(1, 2, 0).cpu().numpy())


def _columns(batch: BlindBatch) -> tuple[Tensor, list[Tensor | None], list[int]]:
    return batch["gt"], batch["lq"], batch["number"]


def _cut(images: Tensor, top: int, left: int, size: int) -> Tensor:
    return images[..., top : top + size, left : left + size]
