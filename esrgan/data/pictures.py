"""Image files with all that a user wants back: 16 bits, transparency, grey, colour profiles, EXIF.

`images` reads what networks learn from, and refuses or drops these. Here:

- 8 and 16 bits stay what they are, and so does grey; a palette becomes RGB, or RGBA.
- Alpha is kept. A single transparent colour becomes an alpha channel.
- What says how colours are meant is kept beside the pixels, which stay as they are: the profile of
  RGB and of grey, gamma, primaries and the like. CMYK becomes sRGB, by its profile if it has one.
- EXIF data, resolution and date are kept.
- Formats, damage, limits and the orientation are dealt with as in `images`.
- What a file of the chosen format would lose is refused, and what is left out is said.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from esrgan.data.header import About, DamageError, Header, failures_named
from esrgan.data.images import read_pixels, turned_upright
from esrgan.data.rescue import rescued
from esrgan.types import Pixels

log = logging.getLogger("esrgan.data")


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A decoded image, upright."""

    colour: Pixels
    """RGB (H, W, 3), not multiplied by alpha; grey has three equal channels."""

    alpha: Pixels | None
    """(H, W), of the same type; the largest number is opaque."""

    is_grey: bool
    icc_profile: bytes | None
    """Of the colour space of `colour`, or of grey where that is grey."""

    about: About = field(default_factory=About)
    """Of the file; the orientation in its EXIF data is the file's, too."""

    @property
    def is_transparent(self) -> bool:
        alpha = self.alpha
        return alpha is not None and bool(alpha.min() < np.iinfo(alpha.dtype).max)


def read_picture(path: Path, *, tolerant: bool = False) -> Picture:
    """Decodes a file by the rules of this module; an `ImageError` where it breaks one.

    With `tolerant`, what is damaged or cut short is read as far as it goes, and a warning says so.
    """
    damage: tuple[str, ...] = ()
    with failures_named(str(path)):
        data = path.read_bytes()
        try:
            header, pixels = read_pixels(data)
        except (DamageError, OSError) as error:  # the second is Pillow's
            if not tolerant:
                raise
            header, pixels, damage = _rescue(data, error)
    channels, is_grey = pixels.shape[2], header.is_grey
    colour = pixels[..., :1].repeat(3, axis=2) if is_grey else pixels[..., :3]
    notes = [*damage, *header.notes]
    profile = header.icc_profile
    if profile and profile[16:20] != (b"GRAY" if is_grey else b"RGB "):
        # Viewers ignore such, or complain
        notes.append("has a colour profile of another colour space, which is left out")
        profile = None
    for note in notes:
        log.warning("%s %s", path, note)
    return Picture(
        colour=np.require(colour, requirements="C"),
        alpha=pixels[..., -1].copy() if channels in (2, 4) else None,
        is_grey=is_grey,
        icc_profile=profile,
        about=header.about,
    )


def _rescue(data: bytes, error: Exception) -> tuple[Header, Pixels, tuple[str, ...]]:
    """What can be seen, and what is said of it; the error itself where nothing can."""
    try:
        header, pixels = rescued(data)
        upright = turned_upright(header, pixels)
    except Exception as failure:
        raise error from failure
    return header, upright, (f"is damaged ({error}): what could not be read is black or grey",)
