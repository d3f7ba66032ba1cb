from esrgan.networks.blocks import SMALL_KAIMING, Architecture, Initialise, scaled_kaiming
from esrgan.networks.discriminators import SRGANDiscriminator, UNetDiscriminator, VGGDiscriminator
from esrgan.networks.rrdb import RRDBNet, scaled_kaiming_in_dense_blocks
from esrgan.networks.srresnet import MSRResNet, SRGANGenerator, SRResNet

__all__ = [
    "SMALL_KAIMING",
    "Architecture",
    "Initialise",
    "MSRResNet",
    "RRDBNet",
    "SRGANDiscriminator",
    "SRGANGenerator",
    "SRResNet",
    "UNetDiscriminator",
    "VGGDiscriminator",
    "scaled_kaiming",
    "scaled_kaiming_in_dense_blocks",
]
