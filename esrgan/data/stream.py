"""A stream of batches that goes on where the processes that load them have died."""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

from esrgan.data.careful_samples import BadSample, Loaded
from esrgan.data.loading import Died, Loading

log = logging.getLogger("esrgan.data")

_LEAVE_OUT = "skip_bad_samples=true leaves such samples out"


class Stream:
    """The batches from an iteration on, one after the other.

    Args:
        load: begins to load from an iteration, counted from 0, on, where samples of some numbers
            are known to end the processes that make them.
        start: the first iteration.
        restarts: how often loading begins again after its processes have died: where the run is,
            with the same samples, so that nothing differs.
        skip_bad: whether `load` puts other samples in the place of bad ones.
    """

    def __init__(
        self,
        load: Callable[[int, frozenset[int]], Loading],
        *,
        start: int,
        restarts: int,
        skip_bad: bool,
    ) -> None:
        self._load, self._iteration = load, start
        self._restarts_left, self._skip_bad = restarts, skip_bad
        self._deaths: Counter[int] = Counter()  # by the numbers of samples
        self._told: set[str] = set()
        self._loading = load(start, frozenset())

    def take(self, *, timeout: float) -> Any | None:  # noqa: ANN401
        """The next batch; None: it did not come in so many seconds.

        Raises:
            ValueError: it will not come: names the sample that cannot be made, or that ended a
                process.
        """
        found = self._loading.take(timeout=timeout)
        if isinstance(found, Died):
            self._begin_again(found)
            return None
        if isinstance(found, BadSample):
            raise ValueError(f"{found.why}: {'' if self._skip_bad else _LEAVE_OUT}".rstrip(": "))
        if isinstance(found, Loaded):
            self._tell(found.left_out)
            self._iteration += 1
            return found.batch
        return None

    def waiting_for(self) -> str:
        """What the loading processes are at, for people."""
        return self._loading.waiting_for()

    def close(self) -> None:
        """End the loading processes, whatever state they are in."""
        self._loading.close()

    def _begin_again(self, died: Died) -> None:
        twice = False
        if died.number is not None:
            self._deaths[died.number] += 1
            twice = self._deaths[died.number] > 1
        if twice and not self._skip_bad:
            raise ValueError(f"{died.why}, for the second time: {_LEAVE_OUT}")
        if not self._restarts_left:
            raise ValueError(f"{died.why}: restarts=3 lets loading begin again so many times")
        self._restarts_left -= 1
        log.error("%s: loading begins again (%d more times)", died.why, self._restarts_left)
        self._loading.close()
        deadly = frozenset(number for number, count in self._deaths.items() if count > 1)
        self._loading = self._load(self._iteration, deadly)

    def _tell(self, left_out: list[BadSample]) -> None:
        """Of each image once, and at a level that every one of several processes shows."""
        for sample in left_out:
            if sample.image not in self._told:
                self._told.add(sample.image)
                log.error("%s: it is left out, as all of this image that are as bad", sample.why)
