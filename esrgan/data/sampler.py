"""Which samples form which batch: plain arithmetic on absolute sample numbers."""

from collections.abc import Iterator


class GlobalBatches:
    """A batch sampler over an endless stream of numbered samples: 0, 1, 2 and so on.

    The global batch of iteration t holds the numbers [t * batch_size, (t + 1) * batch_size), and
    each process takes its slice of it. So the stream depends on neither the number of processes
    nor where a run was interrupted, and a restart costs nothing.

    Args:
        iterations: the length of the whole training, what was done before the start included.
        batch_size: samples per iteration, over all processes.
        start_iteration: iterations already done.
        rank: this process, in [0, world_size).
        world_size: how many processes share a global batch.

    Raises:
        ValueError: a value is out of range, or the batch cannot be shared out equally.
    """

    def __init__(
        self,
        *,
        iterations: int,
        batch_size: int,
        start_iteration: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        for name, value in (
            ("iterations", iterations),
            ("batch_size", batch_size),
            ("world_size", world_size),
        ):
            if value < 1:
                raise ValueError(f"{name} ({value}) must be at least 1")
        if not 0 <= start_iteration <= iterations:
            raise ValueError(
                f"start_iteration ({start_iteration}) must lie between 0 and iterations"
                f" ({iterations}): to train on, raise iterations"
            )
        if not 0 <= rank < world_size:
            raise ValueError(
                f"rank ({rank}) must lie in [0, {world_size}): the number of processes"
            )
        if batch_size % world_size:
            lower = batch_size - batch_size % world_size
            fixes = [str(size) for size in (lower, lower + world_size) if size > 0]
            raise ValueError(
                f"batch_size ({batch_size}) counts the samples of all processes and must be a"
                f" multiple of their number ({world_size}): use {' or '.join(fixes)}"
            )
        self._iterations = range(start_iteration, iterations)
        self._batch_size = batch_size
        self._share = batch_size // world_size
        self._offset = rank * self._share

    def __len__(self) -> int:
        """Iterations left."""
        return len(self._iterations)

    def __iter__(self) -> Iterator[list[int]]:
        for iteration in self._iterations:
            first = iteration * self._batch_size + self._offset
            yield list(range(first, first + self._share))
