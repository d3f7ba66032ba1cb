"""Running a trained network on images."""

from esrgan.inference.upscale import upscale

__all__ = ["upscale"]
