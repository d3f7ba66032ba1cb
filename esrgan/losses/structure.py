"""Structure of luminance and contrast at several scales: MS-SSIM."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from esrgan.losses.pixels import blur, gaussian
from esrgan.losses.sizes import require_patch_size
from esrgan.precision import precise

_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of scales, the finest first: section 3.2
_RADIUS, _SIGMA = 5, 1.5  # of the window: 11 pixels
_C1, _C2 = 0.01**2, 0.03**2
_LEAST = 1e-4


class MSSSIMLoss(nn.Module):
    """1 - MS-SSIM of images (N, C, H, W) in [0, 1], the mean over images.

    Z. Wang, E. Simoncelli, A. Bovik, *Multi-scale structural similarity for image quality
    assessment*, Asilomar 2003, equation 7: the product over scales j of cs_j^b_j, and of l^b at the
    coarsest, where cs and l are means over all channels and windows of 11 x 11 that lie inside the
    image, and each scale is the one before under means of 2 x 2. Where the image is smaller than
    the five scales need, fewer are compared, with exponents that add up to 1 as theirs do.

    A cs of less than 1e-4, as of images that have nothing in common, counts as that, because
    powers have no gradient at 0. torchmetrics' function is not used for that reason, and because it
    takes the coarsest scale's mean over mirrored borders, too.

    Args:
        scales: 1 to 5; 5 is the paper's.
        patch_size: the side of the images, at least 11 · 2^(scales - 1).

    Raises:
        ValueError: a number is out of range.
    """

    window: Tensor

    def __init__(self, *, scales: int, patch_size: int) -> None:
        super().__init__()
        most = len(_EXPONENTS)
        if not 1 <= scales <= most:
            raise ValueError(
                f"training.losses.ms_ssim.loss.scales ({scales}) must lie between 1 and {most}"
            )
        side = 2 * _RADIUS + 1
        fit = sum(patch_size >= side * 2**number for number in range(most))
        fix = f"give training.losses.ms_ssim.loss.scales={fit}, or " if fit else ""
        least = side * 2 ** (scales - 1)
        require_patch_size("ms_ssim", patch_size, least, f"for {scales} scales", fix)
        total = sum(_EXPONENTS[:scales])
        self.exponents = [exponent / total for exponent in _EXPONENTS[:scales]]
        self.register_buffer("window", gaussian(_SIGMA, radius=_RADIUS), persistent=False)

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        x, y = precise(sr), precise(gt)
        product = x.new_ones(len(x))
        with torch.autocast(x.device.type, enabled=False):
            for number, exponent in enumerate(self.exponents):
                if number:
                    x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
                luminance, contrast = self._compare(x, y)
                is_last = number == len(self.exponents) - 1
                map_ = luminance * contrast if is_last else contrast
                product = product * map_.mean(dim=(1, 2, 3)).clamp(min=_LEAST) ** exponent
        return 1 - product.mean()

    def _compare(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """SSIM's two factors at every position of the window."""
        stack = torch.cat([x, y, x * x, y * y, x * y])
        x_mean, y_mean, xx, yy, xy = blur(stack, self.window).chunk(5)
        product, squares = x_mean * y_mean, x_mean.square() + y_mean.square()
        luminance = (2 * product + _C1) / (squares + _C1)
        contrast = (2 * (xy - product) + _C2) / (xx + yy - squares + _C2)
        return luminance, contrast
