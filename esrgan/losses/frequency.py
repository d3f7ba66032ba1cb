"""Spectra: the focal frequency loss."""

import torch
from torch import Tensor, nn

from esrgan.precision import precise


class FocalFrequencyLoss(nn.Module):
    """Squared distances of the spectra, those weighted most that are hardest.

    L. Jiang et al., *Focal Frequency Loss for Image Reconstruction and Synthesis*, ICCV 2021
    (arXiv:2012.12821), equations 8 to 10: the mean over frequencies of w · |F(sr) - F(gt)|², with
    w = |F(sr) - F(gt)|^alpha over its largest value in that channel of that image, through which no
    gradient flows. F is the unitary Fourier transform (`norm="ortho"`), as in the authors' code.

    Args:
        alpha: how much more the hard frequencies weigh; 1 in the paper, 0 is the mean squared
            error.
    """

    def __init__(self, *, alpha: float) -> None:
        super().__init__()
        if not alpha >= 0:
            raise ValueError(
                f"training.losses.focal_frequency.loss.alpha ({alpha}) must be at least 0"
            )
        self.alpha = alpha

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        difference: Tensor = torch.fft.fft2(precise(sr) - precise(gt), norm="ortho")
        squares = difference.real.square() + difference.imag.square()
        weights = squares.detach() ** (self.alpha / 2)
        largest = weights.amax(dim=(2, 3), keepdim=True)
        weights = weights / largest.clamp(min=torch.finfo(weights.dtype).tiny)
        return torch.mul(weights, squares).mean()
