"""What the patch dataset, the validation and the benchmarks know about a collection of images."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""An RGB image, uint8, (H, W, 3)."""


class Pair(NamedTuple):
    """A low-quality image and its ground truth, whose height and width are `scale` times larger."""

    lq: Image
    gt: Image


class ImagePairs(Protocol):
    """An indexed collection of image pairs.

    Every implementation can be pickled, opens what it reads from on first use in each process (so
    that any start method of worker processes is safe), and holds no open handle across a fork.
    """

    @property
    def scale(self) -> int: ...

    def __len__(self) -> int: ...

    def key(self, index: int) -> str:
        """The name of a pair, unique in the collection."""
        ...

    def lq_size(self, index: int) -> tuple[int, int]:
        """Height and width of the low-quality image, known without decoding it."""
        ...

    def read(self, index: int) -> Pair:
        """The whole pair."""
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
