"""What a training shows of itself: what the steps returned, its speed, a progress bar."""

import math
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor
from tqdm import tqdm


class TrainingLog:
    """Takes in the values of each iteration, and sums them up at the end of an interval.

    Of numbers it gives the means, those that are not finite left out: one would hide all others. Of
    truths it gives how many there were.

    Args:
        every: the interval, in iterations.
    """

    def __init__(self, *, every: int) -> None:
        if every < 1:
            raise ValueError(f"log_every ({every}) must be at least 1 iteration")
        self.every = every
        self._numbers: dict[tuple[str, ...], _Sums] = {}  # by the names that came together
        self._truths: dict[str, Tensor] = {}
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
        names = tuple(name for name, value in values.items() if value.is_floating_point())
        if names:
            numbers = torch.stack([values[name].detach() for name in names])
            finite = numbers.isfinite()
            sums = _Sums(torch.where(finite, numbers, 0), finite.long())
            self._numbers[names] = sums.plus(self._numbers.get(names))
        for name in (name for name in values if name not in names):
            self._truths[name] = values[name].long() + self._truths.get(name, 0)

    def leave_out_time(self) -> None:
        """Do not count what happened since the step ended: validation, checkpoints."""
        now = time.perf_counter()
        self._begin, self._last_end = self._begin + now - self._last_end, now

    def summary(self) -> dict[str, float]:
        """What came since the last call, as `train/NAME`; the one place that waits for a device.

        A value that not every iteration had is averaged over those that did; not a number where
        none was finite.
        """
        totals: dict[str, tuple[float, float]] = {}
        for names, both in self._numbers.items():
            sums, counts = torch.stack([both.sums, both.counts]).tolist()
            for name, total, count in zip(names, sums, counts, strict=True):
                before = totals.get(name, (0.0, 0.0))
                totals[name] = before[0] + total, before[1] + count
        means = {f"train/{k}": s / n if n else math.nan for k, (s, n) in totals.items()}
        counts = {f"train/{name}": float(count) for name, count in self._truths.items()}
        self._numbers, self._truths = {}, {}
        return means | counts

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
        numbers = [
            {"names": list(names), **both._asdict()} for names, both in self._numbers.items()
        ]
        return {"numbers": numbers, "truths": self._truths}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        self._numbers = {
            tuple(each["names"]): _Sums(each["sums"].to(device), each["counts"].to(device))
            for each in state.get("numbers", [])
        }
        self._truths = {name: count.to(device) for name, count in state.get("truths", {}).items()}
        for name, total in state.get("sums", {}).items():  # of an earlier version
            counts = torch.tensor([state["counts"][name]], device=device)
            self._numbers[(name,)] = _Sums(total.to(device).reshape(1), counts)


class _Sums(NamedTuple):
    """Of some numbers that came together: the sum and the count of each one's finite values."""

    sums: Tensor
    counts: Tensor

    def plus(self, other: "_Sums | None") -> "_Sums":
        if other is None:
            return self
        return _Sums(self.sums + other.sums, self.counts + other.counts)


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
