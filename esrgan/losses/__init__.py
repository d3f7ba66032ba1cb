"""What is minimised.

Losses of an image are callables `(sr, gt) -> scalar`, given their weights in the config. The
adversarial ones are of a discriminator's logits: `esrgan.losses.adversarial` says what they share.
"""

from esrgan.losses.adversarial import HingeGAN as HingeGAN
from esrgan.losses.adversarial import LeastSquaresGAN as LeastSquaresGAN
from esrgan.losses.adversarial import RelativisticAverageGAN as RelativisticAverageGAN
from esrgan.losses.adversarial import StandardGAN as StandardGAN
from esrgan.losses.content import PerceptualLoss as PerceptualLoss
from esrgan.losses.content import WeightedLoss as WeightedLoss
