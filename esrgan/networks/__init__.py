from esrgan.networks.blocks import Architecture, Initialise
from esrgan.networks.init import SMALL_KAIMING, scaled_kaiming
from esrgan.networks.msrresnet import MSRResNet
from esrgan.networks.rrdb import RRDBNet, scaled_kaiming_in_dense_blocks
from esrgan.networks.srgan import SRGANDiscriminator, SRGANGenerator
from esrgan.networks.srresnet import SRResNet
from esrgan.networks.unet_discriminator import UNetDiscriminator
from esrgan.networks.vgg_discriminator import VGGDiscriminator

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
