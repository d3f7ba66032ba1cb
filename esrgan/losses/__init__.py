"""What is minimised.

Losses of an image are callables `(sr, gt) -> scalar`, given their weights in the config. The
adversarial ones are of a discriminator's logits: `esrgan.losses.adversarial` says what they share.
"""

from esrgan.losses.adversarial import HingeGAN as HingeGAN
from esrgan.losses.adversarial import LeastSquaresGAN as LeastSquaresGAN
from esrgan.losses.adversarial import RelativisticAverageGAN as RelativisticAverageGAN
from esrgan.losses.adversarial import StandardGAN as StandardGAN
from esrgan.losses.artefacts import LDLLoss as LDLLoss
from esrgan.losses.content import PerceptualLoss as PerceptualLoss
from esrgan.losses.content import WeightedLoss as WeightedLoss
from esrgan.losses.frequency import FocalFrequencyLoss as FocalFrequencyLoss
from esrgan.losses.learned_distances import DISTSLoss as DISTSLoss
from esrgan.losses.learned_distances import LPIPSLoss as LPIPSLoss
from esrgan.losses.pixels import CharbonnierLoss as CharbonnierLoss
from esrgan.losses.pixels import ChromaLoss as ChromaLoss
from esrgan.losses.pixels import LumaLoss as LumaLoss
from esrgan.losses.structure import MSSSIMLoss as MSSSIMLoss
