"""Gradients that become means over all processes while the passes of a step go on."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from torch import Tensor
from torch.nn import Parameter

from esrgan.training.ranks import begin_average, world_size

MESSAGE = 4 << 20
"""Bytes of gradients in one message: what is left to wait for after the last pass is about one."""


class Averaging:
    """Replaces the gradients of weights, in place, by their means over all processes.

    They travel in messages of a few weights each, the last layers' first, as soon as the backward
    passes have all of a message. What is in a message, and their order, are the same on all
    processes, whatever is ready first. In one process, nothing happens.

    Args:
        weights: in the order in which the network uses them, which decides only over the speed.
        passes: the backward passes that each gradient is the sum of. None: all travel in one
            message once `send` says so, and none is in the way of what a pass has to send itself,
            as BatchNorm does.

    Attributes:
        figures: what was sent with the gradients.
    """

    def __init__(self, weights: Iterable[Parameter], *, passes: int | None) -> None:
        self.figures: list[Tensor] = []
        self._begun: list[Callable[[], None]] = []
        several = world_size() > 1
        trained = [weight for weight in weights if several and weight.requires_grad]
        self._messages = _messages(trained) if passes else [trained]
        # The last message waits for the figures
        self._missing = [len(message) * (passes or 0) for message in self._messages[:-1]]
        self._hooks = [
            weight.register_post_accumulate_grad_hook(partial(self._arrived, number))  # type: ignore[no-untyped-call]
            for number, message in enumerate(self._messages[:-1])
            for weight in message
        ]

    def _arrived(self, number: int, _weight: Tensor) -> None:
        self._missing[number] -= 1
        while (begun := len(self._begun)) < len(self._missing) and not self._missing[begun]:
            self._begin(self._messages[begun])

    def _begin(self, message: Sequence[Parameter], figures: Sequence[Tensor] = ()) -> None:
        gradients = [weight.grad for weight in message if weight.grad is not None]
        self._begun.append(begin_average([*gradients, *figures]))

    def send(self, figures: Iterable[Tensor]) -> None:
        """Send what has not been sent: the passes are over.

        Args:
            figures: of this process; they become means over all processes, too.
        """
        self.figures = list(figures)
        for hook in self._hooks:
            hook.remove()
        *others, last = self._messages[len(self._begun) :]
        for message in others:  # some pass did without a weight
            self._begin(message)
        self._begin(last, self.figures)

    def receive(self) -> None:
        """Wait until gradients and figures are the means."""
        for end in self._begun:
            end()


def _messages(weights: Sequence[Parameter]) -> list[list[Parameter]]:
    """What is sent together, the last weights first."""
    messages: list[list[Parameter]] = [[]]
    size = 0
    for weight in reversed(weights):
        if size >= MESSAGE:
            messages.append([])
            size = 0
        messages[-1].append(weight)
        size += weight.nbytes
    return messages
