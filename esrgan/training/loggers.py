"""Where values and images go: the logs of the run's folder, and any logger of Lightning's.

Of several processes, the first alone has loggers.
"""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger, TensorBoardLogger

from esrgan.files import refusals_name
from esrgan.runs import CSVLogs
from esrgan.types import Image


class CSVLogger(Logger):
    """The CSV files of the run's folder.

    Args:
        folder: of the run.
        first: the iteration that comes next: what an interrupted run left of it is removed.
    """

    def __init__(self, *, folder: Path, first: int) -> None:
        super().__init__()
        self._name = folder.name
        self._logs = CSVLogs(folder, first=first)

    @property
    def name(self) -> str:
        return self._name

    @property
    def version(self) -> str:
        return ""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        assert step is not None
        self._logs.write(metrics, iteration=step)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run's folder holds the whole configuration."""

    def save(self) -> None:
        self._logs.flush()


class TensorBoard(TensorBoardLogger):
    """TensorBoard's files in the run's folder; its arguments are those of `CSVLogger`."""

    def __init__(self, *, folder: Path, first: int) -> None:
        super().__init__(
            save_dir=folder,
            name="",
            version="tensorboard",
            default_hp_metric=False,
            purge_step=first,
        )
        threading.excepthook = _quiet_writer(threading.excepthook)
        with refusals_name(Path(self.log_dir)):
            _ = self.experiment  # begins the file, which Lightning would do at a later moment

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run's folder holds the whole configuration."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        with refusals_name(Path(self.log_dir)):
            for name, value in metrics.items():  # Lightning would say of a full disk: not supported
                self.experiment.add_scalar(name, value, step)

    def save(self) -> None:
        with refusals_name(Path(self.log_dir)):
            super().save()
            self.experiment.flush()

    def finalize(self, status: str) -> None:
        with refusals_name(Path(self.log_dir)):
            super().finalize(status)


def _quiet_writer(before: Callable[[Any], object]) -> Callable[[Any], object]:
    """TensorBoard's thread raises what it hands to the main one, where it becomes a line."""

    def hook(raised: Any) -> None:  # noqa: ANN401 # threading names its type for annotations only
        is_its = type(raised.thread).__module__.startswith("tensorboard")
        if not (is_its and issubclass(raised.exc_type, OSError)):
            before(raised)

    return hook


def log_images(logger: Logger, images: Mapping[str, Image], *, step: int) -> None:
    """Show images by their names, if the logger can.

    Lightning has one interface for numbers and none for images: each service has its own.
    """
    show = _image_function(logger)
    if show is not None:
        for name, image in images.items():
            show(name, image, step)


def _image_function(logger: Logger) -> Callable[[str, Image, int], object] | None:
    experiment: Any = getattr(logger, "experiment", None)
    if isinstance(logger, TensorBoardLogger):
        return lambda name, image, step: experiment.add_image(name, image, step, dataformats="HWC")
    if hasattr(logger, "log_image"):  # Weights & Biases
        return lambda name, image, step: logger.log_image(key=name, images=[image], step=step)
    if type(logger).__name__ == "MLFlowLogger":
        run: Any = getattr(logger, "run_id", None)
        return lambda name, image, step: experiment.log_image(
            run, image, key=name.replace("/", "_"), step=step
        )
    if type(logger).__name__ == "CometLogger":
        return lambda name, image, step: experiment.log_image(image, name=name, step=step)
    return None
