"""The words that all parts share: what an image is, a pair of them, and a batch."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor  # only its name: whoever reads no tensor need not wait for torch

Image = NDArray[np.uint8]
"""An RGB image, uint8, (H, W, 3)."""

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
"""The same in 8 or 16 bits; where it is said, of other channels."""

Grey = NDArray[np.uint8]
"""An image of one channel, uint8, (H, W, 1): metrics take both."""

Resize = Callable[[Image, float], Image]
"""An image and a factor for its sides in, the resized image out: 0.25 shrinks to a quarter."""

Progress = Callable[[int, int], None]
"""Is told how many of how many are done."""


class Pair(NamedTuple):
    """A low-quality image and its ground truth, whose height and width are `scale` times larger."""

    lq: Image
    gt: Image


class Batch(TypedDict):
    """Patches as bytes, RGB: `lq` is uint8 (N, h, w, 3), `gt` is uint8 (N, H, W, 3)."""

    lq: "Tensor"
    gt: "Tensor"


class WholeImages(Protocol):
    """Pairs of whole images by their number: what validation and benchmarks look at."""

    def __len__(self) -> int: ...

    def key(self, index: int) -> str:
        """The name of a pair, unique among them."""
        ...

    def read(self, index: int) -> Pair:
        """The whole pair."""
        ...

    def is_grey(self, index: int) -> bool:
        """Whether the ground truth was stored with one channel: metrics are then of that one."""
        ...


class ImagePairs(WholeImages, Protocol):
    """Pairs of which parts can be read: what patches are cut from.

    Every implementation can be pickled, opens what it reads from on first use in each process (so
    that any start method of worker processes is safe), and holds no open handle across a fork.
    """

    @property
    def scale(self) -> int: ...

    def lq_size(self, index: int) -> tuple[int, int]:
        """Height and width of the low-quality image, known without decoding it."""
        ...

    def read_crop(self, index: int, top: int, left: int, size: int) -> Pair:
        """A square of the pair: position and size count pixels of the low-quality image.

        The arrays are the caller's own: they outlive whatever they were read from.
        """
        ...

    def verify(self) -> None:
        """Check all that can go wrong before training starts.

        Raises:
            ValueError: names every bad record, the rule it breaks and what to do.
        """
        ...
