"""Artefacts of a GAN, told from details: LDL."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from esrgan.losses.sizes import require_patch_size
from esrgan.precision import precise

_WINDOW = 7  # pixels: n of equation 2
_ROOT = 1 / 5  # 1/a of equation 3
_LEAST = 1e-12  # a variance; its root has no gradient at 0


class LDLLoss(nn.Module):
    """Locally discriminative learning: |sr - gt| where it is an artefact, and not where a detail.

    J. Liang, H. Zeng, L. Zhang, *Details or Artifacts*, CVPR 2022 (arXiv:2203.09195), section 3.2,
    with the authors' code where it says more. With R the sum over channels of |gt - sr|, the map is
    var(R)^(1/5), of an image, times the variance of R in the 7 x 7 pixels around each, mirrored at
    borders; it is 0 where R is smaller than that of what the EMA of the generator makes. The loss
    is the mean of map · |sr - gt|. As in that code, gradient flows through the map too.

    Args:
        patch_size: the side of the images.
    """

    needs_average = True

    def __init__(self, *, patch_size: int) -> None:
        super().__init__()
        require_patch_size("ldl", patch_size, _WINDOW // 2 + 1, "for its window of 7 x 7 pixels")

    def forward(self, sr: Tensor, gt: Tensor, averaged: Tensor) -> Tensor:
        """`averaged` is what the EMA makes of the same lq."""
        sr, gt = precise(sr), precise(gt)
        artefacts = artefact_map(sr, gt, precise(averaged))
        return (artefacts * (sr - gt).abs()).mean()


def artefact_map(sr: Tensor, gt: Tensor, averaged: Tensor) -> Tensor:
    """(N, 3, H, W) to (N, 1, H, W): how much each pixel is taken for an artefact (equation 4)."""
    residual = (gt - sr).abs().sum(dim=1, keepdim=True)
    side = _WINDOW // 2
    padded = F.pad(residual, (side, side, side, side), mode="reflect")
    around = padded.unfold(2, _WINDOW, 1).unfold(3, _WINDOW, 1)
    whole = residual.var(dim=(1, 2, 3), keepdim=True).clamp(min=_LEAST) ** _ROOT
    artefacts = whole * around.var(dim=(-2, -1))
    smaller = residual < (gt - averaged).abs().sum(dim=1, keepdim=True)
    return torch.where(smaller, 0, artefacts)
