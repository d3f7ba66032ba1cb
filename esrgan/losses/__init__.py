"""What is minimised.

Losses of an image are callables `(sr, gt) -> scalar`, given their weights in the config. The
adversarial ones are of a discriminator's logits: `esrgan.losses.adversarial` says what they share.
"""

from esrgan.losses.adversarial import (
    HingeGAN,
    LeastSquaresGAN,
    RelativisticAverageGAN,
    StandardGAN,
)
from esrgan.losses.content import PerceptualLoss, WeightedLoss

__all__ = [
    "HingeGAN",
    "LeastSquaresGAN",
    "PerceptualLoss",
    "RelativisticAverageGAN",
    "StandardGAN",
    "WeightedLoss",
]
