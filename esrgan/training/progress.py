import sys
from collections.abc import Mapping
from typing import NoReturn

from tqdm import tqdm


class Progress:
    """A bar that counts iterations, with the time left and the newest values.

    Where the output is not a terminal, a line every half a minute instead of a moving bar.
    """

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None

    def start(self, *, total: int, done: int, show: bool) -> None:
        terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=total,
            initial=done,
            unit="it",
            dynamic_ncols=terminal,
            mininterval=0.2 if terminal else 30,
            disable=not show,
        )

    def advance(self) -> None:
        if self._bar is not None:
            self._bar.update()

    def show(self, values: Mapping[str, float]) -> None:
        if self._bar is not None:
            short = {name.partition("/")[2]: f"{value:.4g}" for name, value in values.items()}
            self._bar.set_postfix(short, refresh=False)

    def clear(self) -> None:
        """Make room for a line of text; the bar comes back with the next iteration."""
        if self._bar is not None:
            self._bar.clear()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
