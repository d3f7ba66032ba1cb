"""Running a trained network on images."""

from esrgan.inference.network import upscale
from esrgan.inference.upscaler import Upscaler

__all__ = ["Upscaler", "upscale"]
