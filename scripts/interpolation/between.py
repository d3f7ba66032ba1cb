"""What lies between two networks, and between their outputs."""

import numpy as np

from esrgan.data import Image
from esrgan.inference import upscale
from esrgan.weights import Generator, interpolate


def network_output(a: Generator, b: Generator, alpha: float, lq: Image) -> Image:
    """What the network between A and B makes of an image."""
    return upscale(interpolate(a, b, alpha), lq)


def mix_images(sr_a: Image, sr_b: Image, alpha: float) -> Image:
    """(1 - alpha) A + alpha B pixel by pixel, of 8-bit images, rounded to 8 bits."""
    return np.rint((1 - alpha) * sr_a + alpha * sr_b).astype(np.uint8)
