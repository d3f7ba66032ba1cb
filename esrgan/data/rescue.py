"""What can still be seen of a damaged picture, for those who ask for it."""

import threading
from io import BytesIO

from PIL import Image as Pillow
from PIL import ImageFile

from esrgan.data.formats import check_plausible
from esrgan.data.header import Header
from esrgan.data.pillow_formats import described
from esrgan.types import Pixels

_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF")
_switch = threading.Lock()  # of Pillow's, which is one for the whole process


def rescued(data: bytes) -> tuple[Header, Pixels]:
    """As `read_pixels`, as far as the content goes: what is missing is black or grey.

    Of more than 8 bits per colour, 8 are left.

    Raises:
        Exception: nothing can be seen; Pillow's.
    """
    with _switch:
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            with Pillow.open(BytesIO(data), formats=_FORMATS) as image:
                header = described(image)
                check_plausible(header, len(data))
                return header, header.decode()
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before
