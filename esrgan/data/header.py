"""What an image file says of itself, whatever its format."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from esrgan.errors import in_one_line
from esrgan.types import Pixels


class ImageError(ValueError):
    """An image that cannot be used."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)  # both, so that it survives pickling
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class DamageError(ValueError):
    """Of content that is cut short or not what was written: a part may still be seen."""


@contextmanager
def failures_named(name: str) -> Iterator[None]:
    """Makes of whatever is raised an `ImageError`."""
    try:
        yield
    except ImageError:
        raise
    except Exception as error:  # a decoder may raise anything on damaged content
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ImageError(name, in_one_line(reason) or type(error).__name__) from error


@dataclass(frozen=True, kw_only=True)
class About:
    """What a picture says besides its pixels and its colour profile."""

    exif: bytes | None = None
    """A TIFF structure; its orientation is that of the stored pixels."""

    dpi: tuple[float, float] | None = None
    """Dots per inch, horizontally and vertically."""

    colour_chunks: Mapping[bytes, bytes] = field(default_factory=dict)
    """How colours are meant, as chunks of PNG: sRGB, gAMA, cHRM, cICP, mDCV, cLLI."""

    time: bytes | None = None
    """Of the last change, as a PNG has it in tIME."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Header:
    """Of a file whose pixels are not read yet; `height` and `width` are before it is turned."""

    height: int
    width: int
    is_grey: bool
    decode: Callable[[], Pixels]
    """(H, W, C), not turned; 1: grey, 2: grey and alpha, 3: RGB, 4: RGB and alpha.

    Colours are not multiplied by alpha, of which the largest number is opaque.
    """

    orientation: int = 1
    icc_profile: bytes | None = None
    about: About = field(default_factory=About)
    notes: tuple[str, ...] = ()
    """What is not carried over, for the user."""

    @property
    def upright_size(self) -> tuple[int, int]:
        """Height and width after the rotation."""
        turned = self.orientation in (5, 6, 7, 8)
        return (self.width, self.height) if turned else (self.height, self.width)


def note_of_frames(number: int, what: str) -> tuple[str, ...]:
    """What is said of a file with more than one picture."""
    return (f"has {number} {what}, of which the first is taken",) if number > 1 else ()
