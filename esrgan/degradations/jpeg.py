"""JPEG as a tensor operation, as in Real-ESRGAN, and real encoders."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # as everybody calls it
from torch import Tensor

from esrgan.degradations.dice import Dice
from esrgan.degradations.rules import check_range, check_share, check_weights
from esrgan.degradations.steps import Size

# The tables of the standard (ITU-T T.81, annex K); rows are vertical frequencies.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47),
    (18, 21, 26, 66),
    (24, 26, 56, 99),
    (47, 66, 99, 99),
)

_TO_YCBCR = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)
_TO_RGB = ((1, 0, 1.402), (1, -0.344136, -0.714136), (1, 1.772, 0))

SUBSAMPLINGS: Mapping[str, tuple[int, int]] = {"4:2:0": (2, 2), "4:2:2": (1, 2), "4:4:4": (1, 1)}
"""Luma rows and columns for each of chroma."""

CODECS = ("simulated", "jpeg", "webp")


def simulated_jpeg(
    images: Tensor, quality: float, *, subsampling: str = "4:2:0", transposed: bool = False
) -> Tensor:
    """What JPEG of this quality does to images in [0, 1], (N, 3, H, W); clamped to [0, 1].

    Unlike a real encoder it takes any real quality, does not round the tables or the pixels, and
    brings chroma back by repeating it. `transposed` exchanges vertical and horizontal frequencies
    in the luminance table, as the published code does.
    """
    factor = (5000 / quality if quality < 50 else 200 - 2 * quality) / 100
    height, width = images.shape[-2:]
    rows, columns = SUBSAMPLINGS[subsampling]
    # with zeros, as published, up to whole blocks of chroma
    padding = (0, -width % (8 * columns), 0, -height % (8 * rows))
    ycbcr = _times(F.pad(images, padding) * 255, _TO_YCBCR)
    luma, chroma = ycbcr[:, :1], ycbcr[:, 1:]
    chroma = F.avg_pool2d(chroma, (rows, columns))  # of Cb - 128 and Cr - 128
    luma = (
        _coded(luma - 128, factor, _table(luma.device, chroma=False, transposed=transposed)) + 128
    )
    chroma = _coded(chroma, factor, _table(luma.device, chroma=True, transposed=False))
    chroma = chroma.repeat_interleave(rows, -2).repeat_interleave(columns, -1)
    rgb = _times(torch.cat([luma, chroma], 1), _TO_RGB)
    return rgb.clamp(0, 255)[..., :height, :width] / 255


def quantised(planes: Tensor, factor: float, table: Tensor) -> Tensor:
    """Whole multiples of factor times table, of all 8 x 8 blocks: (N, C, blocks, 64)."""
    return (_blocks(planes) @ _dct(planes.device).T / (table * factor)).round()


def _coded(planes: Tensor, factor: float, table: Tensor) -> Tensor:
    coefficients = quantised(planes, factor, table) * (table * factor)
    return _planes(coefficients @ _dct(planes.device), planes.shape[-2], planes.shape[-1])


def _times(images: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    return torch.einsum("dc,nchw->ndhw", images.new_tensor(matrix), images)


def _blocks(planes: Tensor) -> Tensor:
    n, channels, height, width = planes.shape
    split = planes.reshape(n, channels, height // 8, 8, width // 8, 8)
    return split.transpose(3, 4).reshape(n, channels, -1, 64)


def _planes(blocks: Tensor, height: int, width: int) -> Tensor:
    n, channels = blocks.shape[:2]
    split = blocks.reshape(n, channels, height // 8, width // 8, 8, 8)
    return split.transpose(3, 4).reshape(n, channels, height, width)


@lru_cache(maxsize=4)
def _dct(device: torch.device) -> Tensor:
    """(64, 64): the two-dimensional cosine transform of a block that is written row by row."""
    k, n = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    rows = torch.cos((2 * n.double() + 1) * k.double() * math.pi / 16) / 2
    rows[0] /= math.sqrt(2)
    return torch.kron(rows, rows).float().to(device)


@lru_cache(maxsize=8)
def _table(device: torch.device, *, chroma: bool, transposed: bool) -> Tensor:
    if chroma:
        table = torch.full((8, 8), 99.0)
        table[:4, :4] = torch.tensor(_CHROMINANCE)
    else:
        table = torch.tensor(_LUMINANCE, dtype=torch.float32)
        table = table.T if transposed else table
    return table.reshape(64).to(device)


_SAMPLING_FACTORS = {
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}


def encoded(images: Tensor, quality: int, *, codec: str, subsampling: str) -> Tensor:
    """Images in [0, 1] through a real encoder and back: `jpeg` or `webp` (always 4:2:0).

    On the host: images of another device are fetched and sent back.
    """
    pixels = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return torch.cat([_reencoded(each, quality, codec, subsampling) for each in pixels]).to(images)


def _reencoded(image: np.ndarray, quality: int, codec: str, subsampling: str) -> Tensor:
    options = [cv2.IMWRITE_WEBP_QUALITY, quality]
    if codec == "jpeg":
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SAMPLING_FACTORS[subsampling]]
    done, data = cv2.imencode(f".{codec}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ValueError(f"OpenCV cannot encode an image of {image.shape} as {codec}")
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert bgr is not None
    decoded = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return torch.from_numpy(decoded).permute(2, 0, 1)[None].float() / 255


@dataclass(frozen=True)
class DrawnJpeg:
    """A codec at a quality, which real encoders round."""

    quality: float
    codec: str
    subsampling: str
    transposed_table: bool

    def apply(self, image: Tensor, lq: Size) -> Tensor:
        if self.codec == "simulated":
            return simulated_jpeg(
                image.clamp(0, 1),
                self.quality,
                subsampling=self.subsampling,
                transposed=self.transposed_table,
            )
        return encoded(image, round(self.quality), codec=self.codec, subsampling=self.subsampling)

    def __str__(self) -> str:
        if self.codec == "webp":
            return f"WebP q {self.quality:.0f}"
        name = "JPEG" if self.codec == "simulated" else "JPEG by an encoder"
        return f"{name} q {self.quality:.0f} {self.subsampling}"


@dataclass(frozen=True, kw_only=True)
class Compress:
    """Compress at a drawn quality.

    Attributes:
        quality: its range, 1 to 100.
        codecs: weights of `simulated` (a tensor operation, on the device), `jpeg` and `webp` (real
            encoders: such samples are made by the loading processes).
        subsampling: weights of 4:2:0, 4:2:2 and 4:4:4.
        transposed_table: of the simulated one, as published.
    """

    probability: float
    quality: Sequence[float]
    codecs: Mapping[str, float]
    subsampling: Mapping[str, float]
    transposed_table: bool

    def check(self, key: str) -> None:
        check_share(f"{key}.probability", self.probability)
        check_range(f"{key}.quality", self.quality, low=1, high=100)
        check_weights(f"{key}.codecs", self.codecs, CODECS)
        check_weights(f"{key}.subsampling", self.subsampling, tuple(SUBSAMPLINGS))

    def draw(self, own: Dice, shared: Dice) -> DrawnJpeg:
        return DrawnJpeg(
            quality=own.uniform(self.quality),
            codec=own.weighted(self.codecs),
            subsampling=own.weighted(self.subsampling),
            transposed_table=self.transposed_table,
        )

    def smallest(self, side: float, lq: float) -> float:
        return side

    @property
    def needs(self) -> int:
        return 1
