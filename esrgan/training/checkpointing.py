"""Which checkpoints a run keeps: the newest ones and the best."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from esrgan.runs import remove_old, write_checkpoint
from esrgan.runs.checkpoints import list_checkpoints
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
    """

    def __init__(self, *, folder: str, every: int, keep_last: int, monitor: str | None) -> None:
        if every < 1:
            raise ValueError(f"checkpoints.every ({every}) must be at least 1 iteration")
        if keep_last < 2:
            raise ValueError(
                f"checkpoints.keep_last ({keep_last}) must be at least 2: should the newest be "
                "damaged, the run continues from the one before it"
            )
        self.folder = Path(folder)
        self.every, self.keep_last, self.monitor = every, keep_last, monitor
        self.best_value: float | None = None
        self.best_iteration = -1

    def check_monitor(self, metrics: Iterable[Metric]) -> None:
        """A ValueError if what is monitored is not among the metrics that are computed."""
        names = [metric.name for metric in metrics]
        if self.monitor is not None and self.monitor not in names:
            raise ValueError(
                f"checkpoints.monitor ({self.monitor}) is not one of the metrics that are "
                f"computed: {', '.join(names)}"
            )

    def judge(self, iteration: int, values: Mapping[Metric, float]) -> None:
        """Note whether the monitored one of a validation's metrics is the best so far."""
        for metric, value in values.items():
            if metric.name != self.monitor or value != value:  # NaN is never the best
                continue
            if self.best_value is None or metric.is_better(value, self.best_value):
                self.best_value, self.best_iteration = value, iteration

    def describe_best(self, metrics: Iterable[Metric], start: Mapping[str, float]) -> str | None:
        """Which checkpoint is the best by what is monitored, and whether better than the start.

        Args:
            metrics: of the validation.
            start: their values before the first iteration, by name, if they are known.
        """
        best, value = f"iteration_{self.best_iteration:08d}-", self.best_value
        path = next((p for p in list_checkpoints(self.folder) if p.name.startswith(best)), None)
        metric = next((metric for metric in metrics if metric.name == self.monitor), None)
        if path is None or metric is None or value is None:
            return None
        text = f"the best checkpoint by {metric.name} ({value:.4f}) is {path}"
        if metric.name not in start:
            return text
        before = start[metric.name]
        if metric.is_better(value, before):
            return f"{text}, better than the start ({before:.4f})"
        return (
            f"{text}, and no better than the start ({before:.4f}): the weights that this run began "
            "with are the better ones"
        )

    def save(self, iteration: int, state: dict[str, Any]) -> None:
        """Write the checkpoint of an iteration, then delete what need not stay."""
        write_checkpoint(self.folder, iteration, state)
        remove_old(self.folder, keep_last=self.keep_last, keep_also=[self.best_iteration])

    def state_dict(self) -> dict[str, Any]:
        return {"best_value": self.best_value, "best_iteration": self.best_iteration}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best_value, self.best_iteration = state["best_value"], state["best_iteration"]
