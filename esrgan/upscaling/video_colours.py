"""Colours of a video's frames: to the RGB that networks know, and back to what they were.

A frame holds luma and, at half the size, two differences of colour. By which matrix and in which
range is said in the stream or left unsaid; what is unsaid players guess by the height, as the
matrix of HD from 720 lines on. A result is higher than its source: in it the matrix is always said.
"""

from typing import NamedTuple, cast

import av
import numpy as np
from av.video.reformatter import Interpolation

from esrgan.data import Picture
from esrgan.types import Pixels

# Colours are neither repeated for pairs of pixels nor taken from every second one
_EXACT = (
    Interpolation.BICUBIC
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.ACCURATE_RND
)

# Numbers of ITU-T H.273, which FFmpeg and the streams use
_RGB, _BT709, _UNSAID, _BT601 = 0, 1, 2, 6
_MATRICES = {_BT709: "BT.709", 4: "FCC", 5: "BT.601", _BT601: "BT.601", 7: "240M", 9: "BT.2020"}
_LIMITED, _FULL = 1, 2
_SWS = {_BT601: 5}
"""Numbers of matrices where those of FFmpeg's converter differ."""

_HD_LINES = 720


HDR = {16: "PQ", 18: "HLG"}
"""Transfer functions of a high dynamic range."""


class Colours(NamedTuple):
    """What the numbers in a frame mean; the first four by ITU-T H.273, range as FFmpeg has it."""

    matrix: int
    range: int
    primaries: int
    transfer: int
    is_deep: bool
    """More than 8 bits: 16 in RGB, and 10 in the result."""

    is_grey: bool
    has_alpha: bool


def colours_of(frame: av.VideoFrame) -> Colours:
    """Raises a ValueError where they are in a matrix that FFmpeg does not convert."""
    pixel_format = frame.format
    matrix, color_range = frame.colorspace, frame.color_range or _LIMITED
    if pixel_format.name.startswith("yuvj"):
        color_range = _FULL
    if pixel_format.is_rgb or pixel_format.has_palette:
        # Only of the result: in RGB there is none
        matrix, color_range = _BT709, _LIMITED
    elif matrix in (_UNSAID, _RGB):
        matrix = _BT709 if frame.height >= _HD_LINES else _BT601
    if matrix not in _MATRICES:
        known = ", ".join(sorted(set(_MATRICES.values())))
        raise ValueError(
            f"its colours are in matrix {matrix} of ITU-T H.273, which cannot be converted: "
            f"convert it to one of {known}"
        )
    components = pixel_format.components
    return Colours(
        matrix=matrix,
        range=color_range,
        primaries=frame.color_primaries,
        transfer=frame.color_trc,
        is_deep=max(component.bits for component in components) > 8,
        is_grey=pixel_format.name.startswith("gray"),
        has_alpha=any(component.is_alpha for component in components),
    )


def to_picture(frame: av.VideoFrame, colours: Colours) -> Picture:
    """Of more than 8 bits, FFmpeg makes white 65283 of 65535, and the reverse in `to_frame`.

    Raises:
        ValueError: pixels are transparent, which a result cannot hold.
    """
    names = ("rgb24", "rgb48le", "rgba", "rgba64le")
    pixels = frame.to_ndarray(
        format=names[colours.is_deep + 2 * colours.has_alpha],
        src_colorspace=_SWS.get(colours.matrix, colours.matrix),
        src_color_range=colours.range,
        interpolation=_EXACT,
    )
    if colours.has_alpha and pixels[..., 3].min() < (65535 if colours.is_deep else 255):
        raise ValueError("has transparent pixels, which a result cannot hold: give it a background")
    colour = cast("Pixels", np.ascontiguousarray(pixels[..., :3]))
    return Picture(colour=colour, alpha=None, is_grey=colours.is_grey, icc_profile=None)


def to_frame(picture: Picture, colours: Colours, pixel_format: str) -> av.VideoFrame:
    """The reverse, for an encoder."""
    name = "rgb48le" if picture.colour.itemsize == 2 else "rgb24"
    rgb = av.VideoFrame.from_ndarray(picture.colour, name)
    frame = rgb.reformat(
        format=pixel_format,
        dst_colorspace=_SWS.get(colours.matrix, colours.matrix),
        dst_color_range=colours.range,
        interpolation=_EXACT,
    )
    frame.color_primaries, frame.color_trc = colours.primaries, colours.transfer
    return frame
