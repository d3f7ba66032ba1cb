"""The blur kernels of Real-ESRGAN, by their parameters (arXiv:2107.10833, sections 3.1 and 3.3).

A kernel is float64 of shape (size, size), its sum 1, sampled at the centres of the pixels.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

Kind = Literal[
    "iso",
    "aniso",
    "generalized_iso",
    "generalized_aniso",
    "plateau_iso",
    "plateau_aniso",
    "sinc",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class KernelParameters:
    """What a kernel is made of.

    Attributes:
        size: height and width in pixels, odd.
        sigma_x: the standard deviation along the first axis, in pixels; those named iso have it
            along both.
        theta: the angle of the first axis, in radians, from x (to the right) to y (down).
        beta: the shape of those that are generalized (1: a Gaussian; less: a sharper peak) or have
            a plateau (more: a flatter top).
        cutoff: of a sinc, in radians per pixel, at most pi.
    """

    kind: Kind
    size: int
    sigma_x: float = 1.0
    sigma_y: float = 1.0
    theta: float = 0.0
    beta: float = 1.0
    cutoff: float = math.pi

    def __str__(self) -> str:
        if self.kind == "sinc":
            return f"sinc {self.size} px, cutoff {self.cutoff:.2f}"
        words = f"{self.kind} {self.size} px, sigma {self.sigma_x:.2f}"
        if self.kind.endswith("aniso"):
            words += f" x {self.sigma_y:.2f} at {math.degrees(self.theta):.0f} deg"
        return words if self.kind in ("iso", "aniso") else f"{words}, beta {self.beta:.2f}"


def blur_kernel(parameters: KernelParameters) -> Tensor:
    """The kernel of these parameters."""
    half = parameters.size // 2
    steps = torch.arange(-half, half + 1, dtype=torch.float64)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    if parameters.kind == "sinc":
        kernel = _sinc(x, y, parameters.cutoff)
    else:
        kernel = _bell(_mahalanobis(x, y, parameters), parameters)
    return kernel / kernel.sum()


def _mahalanobis(x: Tensor, y: Tensor, parameters: KernelParameters) -> Tensor:
    """The squared distance from the centre in units of the standard deviations."""
    cos, sin = math.cos(parameters.theta), math.sin(parameters.theta)
    sigma_y = parameters.sigma_y if parameters.kind.endswith("aniso") else parameters.sigma_x
    along, across = x * cos + y * sin, y * cos - x * sin
    return (along / parameters.sigma_x) ** 2 + (across / sigma_y) ** 2


def _bell(distance: Tensor, parameters: KernelParameters) -> Tensor:
    if parameters.kind.startswith("plateau"):
        return 1 / (1 + distance**parameters.beta)
    beta = parameters.beta if parameters.kind.startswith("generalized") else 1.0
    return torch.exp(-0.5 * distance**beta)


def _sinc(x: Tensor, y: Tensor, cutoff: float) -> Tensor:
    """The ideal low-pass of a circular pass band: omega J1(omega r) / (2 pi r)."""
    # Few: a kernel is symmetric
    squares, positions = torch.unique(x**2 + y**2, return_inverse=True)
    radii = squares.sqrt()
    values = cutoff * _bessel_j1(cutoff * radii) / (2 * math.pi * radii)
    values[0] = cutoff**2 / (4 * math.pi)  # the limit at the centre
    kernel: Tensor = values[positions]
    return kernel


def _bessel_j1(x: Tensor) -> Tensor:
    """Of up to 100, by Bessel's integral; torch's own is exact to 1e-7 only.

    The integrand is periodic and smooth, so that a sum over equal steps is exact to rounding.
    """
    angles = torch.arange(256, dtype=torch.float64) * (2 * math.pi / 256)
    values: Tensor = torch.cos(angles - x[:, None] * angles.sin()).mean(1)
    return values
