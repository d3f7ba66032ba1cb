"""What lies between two networks, A and B, as pictures: crops side by side, an animation, a curve.

Network interpolation mixes their weights, image interpolation their outputs (section 3.4 and figure
10 of the ESRGAN paper). alpha is the part of B, from 0 to 1.
"""

import io
import sys
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from esrgan.evaluation import compare, open_metrics
from esrgan.reports.sheet import SheetRow, most_different_window
from esrgan.reports.tables import markdown_table
from esrgan.types import Image, WholeImages

KINDS = ("network interpolation", "image interpolation")
STRIP_ALPHAS = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)
GIF_ALPHAS = tuple(step / 10 for step in range(11))
_MILLISECONDS = 330  # of each frame
_BAR = 28  # pixels above the frame's image, for alpha

Output = Callable[[float, Image], Image]
"""What the network at an alpha makes of an image."""

Curve = Sequence[tuple[float, float]]
"""alpha and PSNR-Y in dB, mean over the images."""


def mix_images(sr_a: Image, sr_b: Image, alpha: float) -> Image:
    """(1 - alpha) A + alpha B pixel by pixel, of 8-bit images, rounded to 8 bits."""
    return np.rint((1 - alpha) * sr_a + alpha * sr_b).astype(np.uint8)


def strip_rows(name: str, outputs: Mapping[float, Image], *, crop_size: int) -> list[SheetRow]:
    """Network interpolation and image interpolation of one image, where its ends differ most.

    Args:
        name: of the image.
        outputs: of the networks at `STRIP_ALPHAS` and perhaps elsewhere.
        crop_size: side of the square, in pixels of the output.
    """
    sr_a, sr_b = outputs[0.0], outputs[1.0]
    top, left = most_different_window([sr_a, sr_b], crop_size)
    window = np.s_[top : top + crop_size, left : left + crop_size]
    columns = [f"alpha {alpha:g}" for alpha in STRIP_ALPHAS]
    by_network = [outputs[alpha] for alpha in STRIP_ALPHAS]
    by_image = [mix_images(sr_a, sr_b, alpha) for alpha in STRIP_ALPHAS]
    return [
        SheetRow(
            crops={c: image[window].copy() for c, image in zip(columns, images, strict=True)},
            captions={columns[0]: kind, columns[1]: name},
        )
        for kind, images in zip(KINDS, (by_network, by_image), strict=True)
    ]


def encode_gif(outputs: Mapping[float, Image]) -> bytes:
    """One image at `GIF_ALPHAS`, each frame under its alpha, over and over.

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
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=_MILLISECONDS, loop=0)
    return buffer.getvalue()


def measure_curves(
    network_output: Output, pairs: WholeImages, *, steps: int, crop: int
) -> Mapping[str, Curve]:
    """Of both interpolations, at `steps` + 1 places; `crop` pixels are left out on each side."""
    alphas = [step / steps for step in range(steps + 1)]
    ((metric, measure),) = open_metrics(["PSNR-Y"], crop=crop).items()
    networks = {
        f"alpha {alpha:g}": lambda _key, lq, alpha=alpha: network_output(alpha, lq)
        for alpha in alphas
    }
    by_network, by_image = [], []
    for comparison in compare(networks, pairs, {metric: measure}):
        sys.stderr.write(f"{comparison.key}\n")
        sr_a, *_, sr_b = comparison.outputs.values()
        by_network.append([score.values[metric] for score in comparison.scores])
        by_image.append([measure(mix_images(sr_a, sr_b, alpha), comparison.gt) for alpha in alphas])
    means = np.mean([by_network, by_image], axis=1).tolist()
    curves = [list(zip(alphas, values, strict=True)) for values in means]
    return dict(zip(KINDS, curves, strict=True))


def curve_table(curves: Mapping[str, Curve]) -> str:
    rows = [
        [f"{points[0][0]:g}", *(f"{value:.4f}" for _, value in points)]
        for points in zip(*curves.values(), strict=True)
    ]
    return markdown_table(["alpha", *curves], rows)


def _frame(image: Image, label: str) -> Image:
    height, width = image.shape[:2]
    frame = Pillow.new("RGB", (width, height + _BAR), (255, 255, 255))
    ImageDraw.Draw(frame).text((6, 2), label, fill=(32, 32, 32), font=ImageFont.load_default(18))
    frame.paste(Pillow.fromarray(image), (0, _BAR))
    return np.asarray(frame, dtype=np.uint8)
