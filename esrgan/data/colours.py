"""CMYK as RGB, by its colour profile where it has one."""

from contextlib import suppress
from io import BytesIO

import numpy as np
from PIL import ImageCms
from PIL.Image import Image as PillowImage

from esrgan.types import Pixels


def rgb_of_cmyk(image: PillowImage, profile: bytes | None) -> Pixels:
    """sRGB, (H, W, 3); without a profile of CMYK by the formula that everybody has, 1 - ink."""
    if profile:
        srgb = ImageCms.createProfile("sRGB")
        with suppress(ImageCms.PyCMSError):  # damaged, or of another colour space: as if none
            converted = ImageCms.profileToProfile(image, BytesIO(profile), srgb, outputMode="RGB")
            image = converted or image
    return np.array(image.convert("RGB"))
