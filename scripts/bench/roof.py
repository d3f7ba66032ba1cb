"""What a processor can do at most, measured: convolutions alone, in turns with what is compared."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

# Channels and side: of the generator's body, and of a discriminator or VGG further down
_SHAPES = ((64, 64), (256, 32))
_BATCH = 8
_FLOPS = 5e9  # of one measurement, at least, on a CPU
_FLOPS_OF_A_GPU = 5e12


def convolutions(
    dtype: torch.dtype,
    shape: tuple[int, int],
    iterations: int,
    after_iteration: Callable[[], None],
) -> None:
    """Passes of 3x3 convolutions of some channels on images of some side, again and again."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    channels, side = shape
    make = partial(torch.rand, dtype=dtype, device=device)
    images = make(_BATCH, channels, side, side).to(memory_format=torch.channels_last)
    weight = make(channels, channels, 3, 3).to(memory_format=torch.channels_last)
    once = 2 * 9 * channels**2 * side**2 * _BATCH
    count = max(int((_FLOPS_OF_A_GPU if device.type == "cuda" else _FLOPS) / once), 1)
    with torch.no_grad():
        for _ in range(iterations):
            for _ in range(count):
                torch.nn.functional.conv2d(images, weight, padding=1)
            after_iteration()


def roofs(dtype: torch.dtype) -> list[Callable[[int, Callable[[], None]], None]]:
    """Forms whose best is the roof of all that computes in a number format."""
    return [partial(convolutions, dtype, shape) for shape in _SHAPES]


def flops_of(form: Callable[[int, Callable[[], None]], object]) -> int:
    """Of convolutions and matrix products in one iteration, a multiplication counted by itself."""
    counter = _Counter()
    with counter, torch.compiler.set_stance("force_eager"):
        form(1, lambda: None)
    return counter.flops


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """By PyTorch's formulas; its own counter, which sums up by modules, refuses `autograd.grad`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 # an overload of PyTorch's, which have no type of their own
        types: Any,  # noqa: ANN401
        args: Any = (),  # noqa: ANN401
        kwargs: Any = None,  # noqa: ANN401
    ) -> object:
        output = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=output)
        return output
