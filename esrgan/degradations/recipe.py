"""A degradation as a whole: which steps in which order, and what a sample number draws of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from esrgan.degradations.dice import Dice
from esrgan.degradations.resizing import FinalResize, Resize
from esrgan.degradations.rules import check_share
from esrgan.degradations.steps import Drawn, Size, Step
from esrgan.errors import listed, suggestion

KEY = "degradations"
"""Of the config group, for errors."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """The names of steps in the order in which they are done, and how probable it is."""

    probability: float
    steps: Sequence[str]


class Draws(NamedTuple):
    """All that was drawn for a sample: the steps that are done, by name, in their order."""

    number: int
    steps: tuple[tuple[str, Drawn], ...]


class Degradation:
    """What may happen to an image before it becomes a low-quality one.

    Args:
        steps: by name, which errors and previews have and from which their draws follow: a step
            that is added changes nothing of the others.
        orders: of which one is drawn; a step that an order does not name is not done.
        from_sharpened: start from the ground truth after unsharp masking.
        shared_among: how many samples one after the other share what the published code draws for
            a batch: the order, kinds, factors, filters, and where the patch is cut out. 1: nothing
            is shared.

    Raises:
        ValueError: a value breaks a rule; the message has its key.
    """

    def __init__(
        self,
        *,
        steps: Mapping[str, Step],
        orders: Sequence[Order],
        from_sharpened: bool,
        shared_among: int = 1,
    ) -> None:
        self.steps, self.orders = dict(steps), list(orders)
        self.from_sharpened, self.shared_among = from_sharpened, shared_among
        for name, step in self.steps.items():
            step.check(f"{KEY}.steps.{name}")
        if shared_among < 1:
            raise ValueError(f"{KEY}.shared_among ({shared_among}) must be at least 1")
        for order in self.orders:
            self._check_order(order)
        total = sum(order.probability for order in self.orders)
        if abs(total - 1) > 1e-6:
            raise ValueError(
                f"{KEY}.orders have probabilities that sum to {total:g}: they must sum to 1"
            )

    def _check_order(self, order: Order) -> None:
        check_share(f"{KEY}.orders.probability", order.probability)
        for name in order.steps:
            if name not in self.steps:
                known = suggestion(name, self.steps)
                raise ValueError(
                    f"{KEY}.orders names {name}, which is not among its steps: {known}"
                )
        final = [name for name in order.steps if isinstance(self.steps[name], FinalResize)]
        after = order.steps[order.steps.index(final[0]) + 1 :] if final else order.steps
        changes = [name for name in after if _may_change_size(self.steps[name])]
        if len(final) > 1 or changes:
            raise ValueError(
                f"{KEY}.orders has {listed(order.steps)}: exactly one of the steps must be a "
                "FinalResize, and none after it may change the size; where none at all changes it "
                "(scale 1), none is needed"
            )

    def check_scale(self, scale: int) -> None:
        """Raises ValueError where an order makes no image smaller, and the scale is not 1."""
        for order in self.orders:
            makes = any(isinstance(self.steps[name], FinalResize) for name in order.steps)
            if scale != 1 and not makes:
                raise ValueError(
                    f"{KEY}.orders has {listed(order.steps)}, which leave the size as it is: at "
                    f"scale {scale} one of the steps must be a FinalResize; or give scale=1"
                )

    def draw(self, seed: int, number: int) -> Draws:
        """What is done to the sample of a number: the same in every process, batch and restart."""
        first = number - number % self.shared_among
        orders = {index: order.probability for index, order in enumerate(self.orders)}
        order = self.orders[Dice(seed, first, "order").weighted(orders)]
        drawn = []
        for name in order.steps:
            step, own = self.steps[name], Dice(seed, number, name)
            if own.chance(step.probability):
                drawn.append((name, step.draw(own, Dice(seed, first, f"{name} of a batch"))))
        return Draws(number, tuple(drawn))

    def draw_corner(self, seed: int, number: int, choices: int) -> tuple[int, int]:
        """Top and left, each in range(choices), of the patch of a sample."""
        dice = Dice(seed, number - number % self.shared_among, "corner")
        return int(dice.fraction() * choices), int(dice.fraction() * choices)

    def smallest_crop(self, scale: int) -> int:
        """The smallest side of a ground truth that every step can work on, whatever is drawn."""
        return next(side for side in range(scale, 1 << 20, scale) if self._fits(side, scale))

    def _fits(self, gt: int, scale: int) -> bool:
        for order in self.orders:
            side, lq = float(gt), gt / scale
            for name in order.steps:
                step = self.steps[name]
                if int(side) < step.needs:
                    return False
                side = step.smallest(side, lq)
        return True


def _may_change_size(step: Step) -> bool:
    return isinstance(step, Resize) or step.smallest(2.0, 1.0) != 2


@contextmanager
def exactly() -> Iterator[None]:
    """In float32 without short cuts, and on the CPU in one thread.

    Sums are then added up in the same order, however many threads and processes there are.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with (
            torch.no_grad(),
            torch.autocast("cpu", enabled=False),
            torch.autocast("cuda", enabled=False),
        ):
            yield
    finally:
        torch.set_num_threads(threads)


def degrade(image: Tensor, draws: Draws, *, scale: int) -> Tensor:
    """The low-quality image of a ground truth (sharpened before, where the recipe says so).

    From float32 (1, 3, H, W) in [0, 1], both sides multiples of scale, to uint8
    (1, 3, H / scale, W / scale).
    """
    lq = Size(image.shape[-2] // scale, image.shape[-1] // scale)
    for _, step in draws.steps:
        image = step.apply(image, lq)
    return (image * 255).round().clamp(0, 255).byte()
