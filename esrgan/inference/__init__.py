"""Running a trained network on images."""

from esrgan.inference.precision import fastest_dtype
from esrgan.inference.upscale import upscale
from esrgan.inference.upscaler import Upscaler

__all__ = ["Upscaler", "fastest_dtype", "upscale"]
