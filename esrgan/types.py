"""The words that all parts share: what an image is, a pair of them, and a batch."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypedDict, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor  # only its name: whoever reads no tensor need not wait for torch

Image = NDArray[np.uint8]
"""An RGB image, uint8, (H, W, 3)."""

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
"""The same in 8 or 16 bits; where it is said, of other channels."""

Floats = NDArray[np.float32]
"""The same in [0, 1]: between two networks, never in a file."""

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


class BlindBatch(TypedDict):
    """Ground truths whose low-quality images are still to be made, as bytes, RGB.

    `gt` is uint8 (N, S, S, 3). `lq` has an image for each, uint8 (S / scale, S / scale, 3), or None
    where it is to be made. `number` has the sample numbers, from which all draws follow.
    """

    gt: "Tensor"
    lq: "list[Tensor | None]"
    number: list[int]


class Prepared(NamedTuple):
    """What a step works on: (N, 3, h, w) and (N, 3, H, W), in [0, 1].

    `sharp` is gt after unsharp masking, for the losses that compare with it; None where nobody
    sharpens.
    """

    lq: "Tensor"
    gt: "Tensor"
    sharp: "Tensor | None" = None


class GroundTruths(Protocol):
    """Images of which parts can be read, without low-quality counterparts.

    As for `ImagePairs`: it can be pickled, and opens what it reads from on first use in a process.
    """

    def __len__(self) -> int: ...

    def key(self, index: int) -> str:
        """The name of an image, unique among them."""
        ...

    def size(self, index: int) -> tuple[int, int]:
        """Height and width, known without decoding it."""
        ...

    def read(self, index: int) -> Image:
        """The whole image."""
        ...

    def read_crop(self, index: int, top: int, left: int, height: int, width: int) -> Image:
        """A rectangle of it; the array is the caller's own."""
        ...

    def verify(self) -> None:
        """Check all that can go wrong before training starts; raises as `ImagePairs.verify`."""
        ...


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


@runtime_checkable
class Identified(Protocol):
    """Pairs that can be told from others by what they are, wherever they lie."""

    def digest(self) -> str:
        """Differs where the names or the content of the images do."""
        ...
