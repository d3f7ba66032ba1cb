from esrgan.networks.blocks import Architecture, Initialise
from esrgan.networks.init import SMALL_KAIMING, scaled_kaiming
from esrgan.networks.rrdb import RRDBNet, scaled_kaiming_in_dense_blocks
from esrgan.networks.srresnet import SRResNet

__all__ = [
    "SMALL_KAIMING",
    "Architecture",
    "Initialise",
    "RRDBNet",
    "SRResNet",
    "scaled_kaiming",
    "scaled_kaiming_in_dense_blocks",
]
