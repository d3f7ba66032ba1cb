import threading
from pathlib import Path

import numpy as np
import pytest
from pytorch_lightning.loggers import Logger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from esrgan.training import CSVLogger, TensorBoard
from esrgan.training.loggers import log_images

IMAGE = np.full((4, 6, 3), 7, np.uint8)


class Stranger(Logger):
    """A logger of which nothing is known but Lightning's interface."""

    name, version = "stranger", "0"

    def log_metrics(self, metrics, step=None) -> None: ...

    def log_hyperparams(self, *args, **kwargs) -> None: ...


def test_the_runs_own_loggers_write_into_its_folder(tmp_path: Path) -> None:
    for make in (CSVLogger, TensorBoard):
        logger = make(folder=tmp_path, first=1)
        logger.log_hyperparams({"scale": 4})
        logger.log_metrics({"train/pixel": 0.5}, step=3)
        log_images(logger, {"val/baby": IMAGE}, step=3)
        logger.save()
    assert (tmp_path / "train.csv").read_text().splitlines() == ["iteration,pixel", "3,0.5"]
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/pixel")] == [(3, 0.5)]
    (image,) = events.Images("val/baby")
    assert (image.height, image.width) == (4, 6)


def test_weights_and_biases_gets_images_its_way() -> None:
    shown = []

    class Wandb(Stranger):
        def log_image(self, key, images, step) -> None:
            shown.append((key, images[0].shape, step))

    log_images(Wandb(), {"val/baby": IMAGE}, step=5)
    assert shown == [("val/baby", (4, 6, 3), 5)]


def test_mlflow_and_comet_get_images_their_way() -> None:
    shown = []

    class Client:
        def log_image(self, *args, **kwargs) -> None:
            shown.append(([arg for arg in args if arg is not IMAGE], kwargs))

    mlflow = type("MLFlowLogger", (Stranger,), {"experiment": Client(), "run_id": "run"})
    comet = type("CometLogger", (Stranger,), {"experiment": Client()})
    log_images(mlflow(), {"val/baby": IMAGE}, step=5)
    log_images(comet(), {"val/baby": IMAGE}, step=6)
    assert shown == [
        (["run"], {"key": "val_baby", "step": 5}),
        ([], {"name": "val/baby", "step": 6}),
    ]


def test_a_logger_that_cannot_show_images_is_left_in_peace() -> None:
    log_images(Stranger(), {"val/baby": IMAGE}, step=1)


def test_a_full_disk_is_one_error_of_tensorboard_and_no_traceback_of_its_thread(
    tmp_path, monkeypatch, files_up_to
):
    raised = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    logger = TensorBoard(folder=tmp_path, first=1)
    with files_up_to(200), pytest.raises(OSError, match=r"too large: '.*tensorboard'"):
        for step in range(100):
            logger.log_metrics({"train/pixel": 0.5}, step=step)
        logger.save()
    assert not raised
    thread = threading.Thread(target=lambda: 1 / 0)  # any other is told of
    thread.start()
    thread.join()
    assert [one.exc_type for one in raised] == [ZeroDivisionError]
