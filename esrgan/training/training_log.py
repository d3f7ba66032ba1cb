"""What a training shows of itself: means of what the steps return, its speed, a progress bar."""

import sys
import time
from collections.abc import Mapping
from typing import Any, NoReturn

import torch
from torch import Tensor
from tqdm import tqdm


class TrainingLog:
    """Sums the values of each iteration and gives their means at the end of an interval.

    Args:
        every: the interval, in iterations.
    """

    def __init__(self, *, every: int) -> None:
        if every < 1:
            raise ValueError(f"log_every ({every}) must be at least 1 iteration")
        self.every = every
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self.start_clock()

    def start_clock(self) -> None:
        """Begin the interval whose speed is measured."""
        self._begin = self._last_end = time.perf_counter()
        self._waited, self._num_samples = 0.0, 0

    def batch_starts(self) -> None:
        self._waited += time.perf_counter() - self._last_end

    def add(self, values: Mapping[str, Tensor], *, num_samples: int) -> None:
        """Take in what a step returned; waits for nothing."""
        self._last_end = time.perf_counter()
        self._num_samples += num_samples
        for name, value in values.items():
            value = value.detach()
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
            self._counts[name] = self._counts.get(name, 0) + 1

    def leave_out_time(self) -> None:
        """Do not count what happened since the step ended: validation, checkpoints."""
        now = time.perf_counter()
        self._begin, self._last_end = self._begin + now - self._last_end, now

    def means(self) -> dict[str, float]:
        """The means since the last call, as `train/NAME`; the one place that waits for a device.

        A value that not every step returned is averaged over those that did.
        """
        sums = torch.stack(list(self._sums.values())).tolist()
        counts = self._counts.items()
        means = {f"train/{name}": s / n for (name, n), s in zip(counts, sums, strict=True)}
        self._sums, self._counts = {}, {}
        return means

    def speed(self) -> dict[str, float]:
        """Samples per second and the share of the time that was spent waiting for data.

        Nothing where no sample was seen since the interval began.
        """
        if not self._num_samples:
            return {}
        seconds = max(time.perf_counter() - self._begin, 1e-9)
        values = {
            "speed/samples_per_second": self._num_samples / seconds,
            "speed/data_wait": self._waited / seconds,
        }
        self.start_clock()
        return values

    def state_dict(self) -> dict[str, Any]:
        return {"sums": self._sums, "counts": self._counts}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}
        self._counts = dict(state["counts"])


class Progress:
    """A bar that counts iterations, with the time left and the newest values.

    Where the output is not a terminal, a line every half a minute instead of a moving bar.

    Args:
        total: iterations of the run.
        done: those of them that are not counted any more.
        show: whether this process shows anything.
    """

    def __init__(self, *, total: int, done: int, show: bool) -> None:
        terminal = sys.stderr.isatty()
        self._bar: tqdm[NoReturn] = tqdm(
            total=total,
            initial=done,
            unit="it",
            dynamic_ncols=terminal,
            mininterval=0.2 if terminal else 30,
            disable=not show,
        )
        self.advance, self.close = self._bar.update, self._bar.close

    def show(self, values: Mapping[str, float]) -> None:
        short = {name.partition("/")[2]: f"{value:.4g}" for name, value in values.items()}
        self._bar.set_postfix(short, refresh=False)

    def clear(self) -> None:
        """Make room for a line of text; the bar comes back with the next iteration."""
        self._bar.clear()
