"""Samples as loading processes make them: what fails is handed on with its name, not raised."""

from collections.abc import Collection
from typing import Any, NamedTuple

from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from esrgan.data.blind import BlindPatches
from esrgan.data.patches import PatchDataset
from esrgan.errors import in_one_line

IDLE = -1
"""On the board, in the place of a sample number."""

_STANDS_IN = 1 << 40
"""From the number of a sample to that of the one in its place: no training has so many."""

_MOST_IN_ITS_PLACE = 8


class BadSample(NamedTuple):
    """A sample that cannot be made; `image` names what it shows, `why` begins with its number."""

    number: int
    image: str
    why: str


class Loaded(NamedTuple):
    """A batch, and the samples in whose place it has others."""

    batch: Any
    left_out: list[BadSample]


class CarefulSamples(Dataset[Any]):
    """Makes batches of numbered samples, each of which is tried twice.

    Args:
        samples: their errors begin with the name of the sample.
        board: shared by all processes, (number of loading processes or 1): each writes there which
            sample it makes, for those who find it dead.
        skip: put another sample in the place of a bad one. Which follows from its number alone, so
            that it is the same for any number of processes, and after every restart.
        deadly: numbers of samples that ended the processes which made them.
    """

    def __init__(
        self,
        samples: PatchDataset | BlindPatches,
        *,
        board: Tensor,
        skip: bool,
        deadly: Collection[int] = (),
    ) -> None:
        self._samples: Any = samples  # its batches are of what it yields, whatever that is
        self._board, self._skip, self._deadly = board, skip, frozenset(deadly)

    def __getitems__(self, numbers: list[int]) -> Loaded | BadSample:
        """The samples of these numbers as a batch, or the first that cannot be made."""
        made, left_out = [], []
        for number in numbers:
            sample = self._make(number)
            for attempt in range(1, _MOST_IN_ITS_PLACE + 1):
                if not (self._skip and isinstance(sample, BadSample)):
                    break
                left_out.append(sample)
                sample = self._make(number + attempt * _STANDS_IN)
            if isinstance(sample, BadSample):
                return sample
            made.append(sample)
        return Loaded(self._samples.collate(made), left_out)

    def _make(self, number: int) -> Any:  # noqa: ANN401
        if number in self._deadly:
            why = f"{self._samples.name(number)} ends the process that makes it"
            return BadSample(number, self._samples.key(number), why)
        worker = get_worker_info()
        place = 0 if worker is None else worker.id
        self._board[place] = number
        try:
            try:
                return self._samples[number]
            except Exception:  # a disk or a network may have had a moment
                return self._samples[number]
        except Exception as error:
            return BadSample(number, self._samples.key(number), in_one_line(error))
        finally:
            self._board[place] = IDLE
