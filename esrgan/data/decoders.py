"""From the bytes of an image file to RGB pixels; `images` has the rules and the interface.

Failures raise whatever the libraries raise: `images` gives them the name of the file.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image as PillowImage
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from esrgan.data.headers import check_plausible, orientation, upright_size
from esrgan.data.pairs import Image

_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")

_BITS_PER_SAMPLE_TAG = 258
_PHOTOMETRIC_TAG = 262
_SAMPLE_FORMAT_TAG = 339

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


def decode(data: bytes, header: ImageFile) -> Image:
    """Decodes the whole image whose header was parsed from `data`.

    Raises:
        ValueError: the content is damaged, is transparent, or is not what the header says.
    """
    pixels = decode_pixels(data, header)
    _check_transparency(pixels, header)
    return np.ascontiguousarray(_to_rgb(_to_eight_bits(pixels)))


def rgb_without_profile(image: PillowImage) -> PillowImage:
    """RGB, or RGBA where something is transparent, by formulas that know no ICC profile."""
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def decode_pixels(
    data: bytes,
    header: ImageFile,
    *,
    to_rgb: Callable[[PillowImage], PillowImage] = rgb_without_profile,
) -> Pixels:
    """What the file stores, upright: (H, W), or (H, W, 3 or 4) with the channels in the order RGBA.

    `to_rgb` is for what OpenCV does not decode, CMYK among it. The one transparent colour that a
    PNG may name, in place of an alpha channel, may be ignored.

    Raises:
        ValueError: the content is damaged, or is not what the header says.
    """
    check_plausible(data, header)
    height, width = upright_size(header)  # here, because Pillow's decoding can change it
    pixels = _decode_opencv(data) if _suits_opencv(header) else _decode_pillow(header, to_rgb)
    pixels = _turn_upright(pixels, orientation(header))
    if pixels.shape[:2] != (height, width):
        raise ValueError(f"the header says {width} x {height} pixels, the content differs")
    return pixels


def _suits_opencv(header: ImageFile) -> bool:
    """OpenCV is faster, keeps 16 bits, and checks the checksums of a PNG, which Pillow skips."""
    if isinstance(header, TiffImageFile):
        return _is_deep_tiff(header)
    if isinstance(header, JpegImageFile):
        return header.mode != "CMYK"
    return isinstance(header, PngImageFile)


def _is_deep_tiff(header: TiffImageFile) -> bool:
    if max(header.tag_v2.get(_BITS_PER_SAMPLE_TAG, (1,))) <= 8:
        return False
    plain = (
        set(header.tag_v2[_BITS_PER_SAMPLE_TAG]) == {16}
        and set(header.tag_v2.get(_SAMPLE_FORMAT_TAG, (1,))) == {1}
        and header.tag_v2.get(_PHOTOMETRIC_TAG) in (1, 2)
    )
    if not plain:
        raise ValueError("of the deep TIFFs, only 16-bit unsigned grey or RGB is supported")
    return True


def _decode_opencv(data: bytes) -> Pixels:
    """Returns (H, W), or (H, W, 3 or 4) with the channels in the order RGBA."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("the content is damaged or cut short")
    if pixels.ndim == 3:
        order = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        cv2.cvtColor(pixels, order, dst=pixels)
    return pixels  # type: ignore[return-value]  # the stubs know no dtypes


def _decode_pillow(
    header: ImageFile, to_rgb: Callable[[PillowImage], PillowImage]
) -> NDArray[np.uint8]:
    if header.mode not in _EIGHT_BIT_MODES:
        raise ValueError(f"pixels of Pillow's mode {header.mode} are not supported: save it as RGB")
    return np.array(to_rgb(header))


def _check_transparency(pixels: Pixels, header: ImageFile) -> None:
    has_alpha = pixels.ndim == 3 and pixels.shape[2] == 4
    if has_alpha:
        opaque = pixels[..., 3].min() == np.iinfo(pixels.dtype).max
    else:
        opaque = not header.has_transparency_data  # OpenCV drops the transparent colour of a PNG
    if not opaque:
        raise ValueError("has transparent pixels: put it on a background and save it without alpha")


def _to_eight_bits(pixels: Pixels) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)  # 65535 = 255 * 257


def _to_rgb(pixels: NDArray[np.uint8]) -> Image:
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    return pixels[..., :3]


def _turn_upright(pixels: Pixels, orientation: int) -> Pixels:
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
