"""Blurring and sharpening as steps of a degradation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from esrgan.degradations.dice import Dice
from esrgan.degradations.filters import filter2d, sharpen
from esrgan.degradations.kernels import KINDS, KernelParameters, Kind, blur_kernel
from esrgan.degradations.rules import check_range, check_share, check_shares, check_sizes
from esrgan.degradations.steps import Size


@dataclass(frozen=True)
class DrawnBlur:
    """Correlates with one kernel."""

    kernel: KernelParameters

    def apply(self, image: Tensor, lq: Size) -> Tensor:
        return filter2d(image, blur_kernel(self.kernel).to(image.device))

    def __str__(self) -> str:
        return f"blur {self.kernel}"


_SMALL_KERNEL = 13  # below it the published cutoffs of a sinc begin higher


@dataclass(frozen=True, kw_only=True)
class Blur:
    """Blur by a kernel of a drawn kind, size and shape.

    Attributes:
        sizes: of kernels, all equally likely.
        kinds: with their probabilities.
        sigma: the range of the standard deviations, in pixels.
        generalized_beta, plateau_beta: ranges of the shape, all equally likely.
        cutoff, cutoff_small: the range of a sinc's, for kernels from 13 pixels and below.
    """

    probability: float
    sizes: Sequence[int]
    kinds: Mapping[Kind, float]
    sigma: Sequence[float]
    theta: Sequence[float]
    generalized_beta: Sequence[Sequence[float]]
    plateau_beta: Sequence[Sequence[float]]
    cutoff: Sequence[float]
    cutoff_small: Sequence[float]

    def check(self, key: str) -> None:
        check_share(f"{key}.probability", self.probability)
        check_sizes(f"{key}.sizes", self.sizes)
        check_shares(f"{key}.kinds", self.kinds, KINDS)
        check_range(f"{key}.sigma", self.sigma, low=0.01, high=100)
        check_range(f"{key}.theta", self.theta, low=-3.15, high=3.15)
        for bounds in self.generalized_beta:
            check_range(f"{key}.generalized_beta", bounds, low=0.1, high=100)
        for bounds in self.plateau_beta:
            check_range(f"{key}.plateau_beta", bounds, low=0.1, high=100)
        check_range(f"{key}.cutoff", self.cutoff, low=0.01, high=3.15)
        check_range(f"{key}.cutoff_small", self.cutoff_small, low=0.01, high=3.15)

    def draw(self, own: Dice, shared: Dice) -> DrawnBlur:
        size, kind = own.item(self.sizes), own.weighted(self.kinds)
        betas = self.plateau_beta if kind.startswith("plateau") else self.generalized_beta
        cutoff = self.cutoff_small if size < _SMALL_KERNEL else self.cutoff
        kernel = KernelParameters(
            kind=kind,
            size=size,
            sigma_x=own.uniform(self.sigma),
            sigma_y=own.uniform(self.sigma),
            theta=own.uniform(self.theta),
            beta=own.uniform(own.item(betas)),
            cutoff=own.uniform(cutoff),
        )
        return DrawnBlur(kernel)

    def smallest(self, side: float, lq: float) -> float:
        return side

    @property
    def needs(self) -> int:
        return max(self.sizes) // 2 + 1


@dataclass(frozen=True)
class DrawnSharpening:
    """Unsharp masking without a threshold, `size` pixels wide."""

    size: int
    amount: float

    def apply(self, image: Tensor, lq: Size) -> Tensor:
        # OpenCV's rule for the deviation of a kernel of a given size
        sigma = 0.3 * ((self.size - 1) / 2 - 1) + 0.8
        return sharpen(image, size=self.size, sigma=sigma, amount=self.amount, threshold=0)

    def __str__(self) -> str:
        return f"sharpen {self.size} px, {self.amount:.2f}"


@dataclass(frozen=True, kw_only=True)
class Sharpen:
    """Oversharpen, with halos, as cameras and programs do; `amount` is the range of strengths."""

    probability: float
    sizes: Sequence[int]
    amount: Sequence[float]

    def check(self, key: str) -> None:
        check_share(f"{key}.probability", self.probability)
        check_sizes(f"{key}.sizes", self.sizes)
        check_range(f"{key}.amount", self.amount, low=0, high=10)

    def draw(self, own: Dice, shared: Dice) -> DrawnSharpening:
        return DrawnSharpening(own.item(self.sizes), own.uniform(self.amount))

    def smallest(self, side: float, lq: float) -> float:
        return side

    @property
    def needs(self) -> int:
        return max(self.sizes) // 2 + 1
