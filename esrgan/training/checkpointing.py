"""Which checkpoints a run keeps: the newest ones and the best."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from esrgan.runs import remove_old, write_checkpoint
from esrgan.training.room import Room
from esrgan.training.validation import Metric


class Checkpointing:
    """Writes checkpoints at an interval and whenever a metric is the best so far.

    Args:
        folder: the run's folder of checkpoints.
        every: the interval, in iterations.
        keep_last: how many of the newest stay, at least 2: should the newest be damaged, the run
            continues from the one before it.
        monitor: the name of the validation's metric whose best checkpoint stays too. None: no
            metric can judge the run, as PSNR cannot judge a GAN.
        full_disk_retries: see `Room`.
        full_disk_wait: the same.
    """

    def __init__(
        self,
        *,
        folder: str,
        every: int,
        keep_last: int,
        monitor: str | None,
        full_disk_retries: int = 0,
        full_disk_wait: float = 0,
    ) -> None:
        if every < 1:
            raise ValueError(f"checkpoints.every ({every}) must be at least 1 iteration")
        if keep_last < 2:
            raise ValueError(
                f"checkpoints.keep_last ({keep_last}) must be at least 2: should the newest be "
                "damaged, the run continues from the one before it"
            )
        self.folder = Path(folder)
        self.every, self.keep_last, self.monitor = every, keep_last, monitor
        self.room = Room(self.folder, retries=full_disk_retries, wait=full_disk_wait)
        self.best_value: float | None = None
        self.best_iteration = -1
        self._metric: Metric | None = None
        self._earlier_best: list[int] = []

    def check_monitor(self, metrics: Iterable[Metric]) -> None:
        """A ValueError if what is monitored is, in any case, none of the metrics computed."""
        known = {metric.name.upper(): metric for metric in metrics}
        if self.monitor is None:
            return
        if self.monitor.upper() not in known:
            raise ValueError(
                f"checkpoints.monitor ({self.monitor}) is not one of the metrics that are "
                f"computed: {', '.join(metric.name for metric in known.values())}"
            )
        self._metric = known[self.monitor.upper()]
        self.monitor = self._metric.name

    def judge(self, iteration: int, values: Mapping[Metric, float]) -> None:
        """Note whether the monitored one of a validation's metrics is the best so far."""
        for metric, value in values.items():
            if metric.name != self.monitor or value != value:  # NaN is never the best
                continue
            if self.best_value is None or metric.is_better(value, self.best_value):
                self.best_value, self.best_iteration = value, iteration

    def best(self, start: Mapping[str, float]) -> str:
        """Which checkpoint is the best, in a line for people; "" where none is.

        Args:
            start: the values before the first iteration by their metrics' names, if known.
        """
        found = list(self.folder.glob(f"iteration_{self.best_iteration:08d}-*.ckpt"))
        if not found or self.best_value is None:
            return ""
        value = f"{self.monitor} {self.best_value:.4f}"
        text = f"the best by {value} is that of iteration {self.best_iteration}: {found[0]}"
        if self._metric is None or self._metric.name not in start:
            return text
        before = start[self._metric.name]
        if self._metric.is_better(self.best_value, before):
            return f"{text}, better than the start ({before:.4f})"
        return (
            f"{text}, and no better than the start ({before:.4f}): the weights that this run began "
            "with are the better ones"
        )

    def save(self, iteration: int, state: dict[str, Any]) -> None:
        """Write the one checkpoint of an iteration, then delete what need not stay."""
        path = write_checkpoint(self.folder, iteration, state)
        for earlier in self.folder.glob(f"iteration_{iteration:08d}-*.ckpt"):
            if earlier != path:
                earlier.unlink()
        kept = [self.best_iteration, *self._earlier_best]
        remove_old(self.folder, keep_last=self.keep_last, keep_also=kept)

    def state_dict(self) -> dict[str, Any]:
        return {
            "monitor": self.monitor,
            "best_value": self.best_value,
            "best_iteration": self.best_iteration,
            "earlier_best": self._earlier_best,
        }

    def load_state_dict(self, state: Mapping[str, Any], *, same_images: bool = True) -> None:
        """Go on judging, or, by another metric or on other images, begin again.

        The checkpoint that was the best until then stays, too.
        """
        best = state["best_iteration"]
        self._earlier_best = list(state.get("earlier_best", []))
        if same_images and state.get("monitor", self.monitor) == self.monitor:
            self.best_value, self.best_iteration = state["best_value"], best
        elif best >= 0:
            self._earlier_best.append(best)
