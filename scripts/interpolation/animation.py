"""One image with alpha from 0 to 1, as the animations of the authors' repository."""

import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from esrgan.data import Image

GIF_ALPHAS = tuple(step / 10 for step in range(11))
MILLISECONDS = 330  # of each frame
_BAR = 28  # above the image, for alpha


def encode_gif(outputs: Mapping[float, Image]) -> bytes:
    """The frames of `GIF_ALPHAS`, each under its alpha, over and over.

    A GIF has 256 colours: bands appear where the image is smooth. All frames share them and nothing
    is dithered, because flickering and dots would be taken for the noise of a network.
    """
    frames = [_frame(outputs[alpha], f"alpha {alpha:.1f}") for alpha in GIF_ALPHAS]
    # On Set5's bird it is nearer to the original than Pillow's usual method: 32.7, not 31.3 dB.
    palette = Pillow.fromarray(np.concatenate(frames)).quantize(method=Pillow.Quantize.FASTOCTREE)
    first, *others = (
        Pillow.fromarray(frame).quantize(palette=palette, dither=Pillow.Dither.NONE)
        for frame in frames
    )
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=MILLISECONDS, loop=0)
    return buffer.getvalue()


def write_gif(path: Path, content: bytes) -> None:
    """The file exists completely or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _frame(image: Image, label: str) -> Image:
    height, width = image.shape[:2]
    frame = Pillow.new("RGB", (width, height + _BAR), (255, 255, 255))
    ImageDraw.Draw(frame).text((6, 2), label, fill=(32, 32, 32), font=ImageFont.load_default(18))
    frame.paste(Pillow.fromarray(image), (0, _BAR))
    return np.asarray(frame, dtype=np.uint8)
