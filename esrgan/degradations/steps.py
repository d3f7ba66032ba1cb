"""What a degradation consists of.

A step is a part of a config; drawn, it is a frozen record of plain numbers, which makes an image of
another. To add one: two such classes, and its name in configs/degradations.
"""

from typing import NamedTuple, Protocol

from torch import Tensor

from esrgan.degradations.dice import Dice


class Size(NamedTuple):
    """In pixels."""

    height: int
    width: int


class Drawn(Protocol):
    """A step with its parameters; as text it tells them to a user."""

    def apply(self, image: Tensor, lq: Size) -> Tensor:
        """Of an image (1, 3, H, W) around [0, 1] another; `lq` is the size after the last step."""
        ...


class Step(Protocol):
    """What may be drawn."""

    @property
    def probability(self) -> float: ...

    def check(self, key: str) -> None:
        """Raises ValueError with the rule that a value breaks; the step's key is `key`."""
        ...

    def draw(self, own: Dice, shared: Dice) -> Drawn:
        """`own` are a sample's, `shared` may be those of several samples.

        These then have the same kind, filter and order, as the batches of the published code do.
        """
        ...

    @property
    def needs(self) -> int:
        """The smallest side of an image that it can work on."""
        ...

    def smallest(self, side: float, lq: float) -> float:
        """The smallest side that it may leave of a `side`; that after the last step is `lq`."""
        ...
