"""What happens between two iterations, in its order: count, log, validate, save, stop."""

import logging
import signal
from collections.abc import Mapping
from typing import Any, Protocol, cast

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor, nn

from esrgan.training.checkpointing import Checkpointing
from esrgan.training.progress import Progress
from esrgan.training.ranks import Ranks
from esrgan.training.state import Stage, TrainingState, fingerprint
from esrgan.training.stop_signal import StopSignal
from esrgan.training.training_log import TrainingLog
from esrgan.training.validation import Images, Validation

logger = logging.getLogger(__name__)


class Training(Stage, Protocol):
    """What is asked of a training module here."""

    @property
    def evaluated(self) -> nn.Module: ...

    def concerns(self, values: Mapping[str, float]) -> Mapping[str, str]: ...

    def training_state(self) -> TrainingState: ...

    def load_training_state(self, state: TrainingState) -> None: ...


class AfterIteration(Callback):
    """One callback, because the order is the point: a checkpoint holds all that came before it.

    Args:
        iterations: the length of the run.
        log: means of the steps' values.
        validation: metrics on whole images; None trains without.
        checkpoints: when to save, and what to keep.
        stop: asked at the end of every iteration.
        resume_from: a checkpoint's content; None starts a new run.
        settings: put into every checkpoint, so that the file explains itself.
    """

    def __init__(
        self,
        *,
        iterations: int,
        log: TrainingLog,
        validation: Validation | None,
        checkpoints: Checkpointing,
        stop: StopSignal,
        resume_from: TrainingState | None,
        settings: dict[str, Any],
    ) -> None:
        if validation is not None:
            checkpoints.check_monitor(validation.names)
        self.iterations = iterations
        # not self.log: Lightning puts its own there
        self.training_log, self.validation, self.checkpoints = log, validation, checkpoints
        self.stop, self.progress = stop, Progress()
        self.resume_from = resume_from
        self.settings = settings
        self.concerns: Mapping[str, str] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.ranks = Ranks()
        if self.resume_from is not None:
            _training(pl_module).load_training_state(self.resume_from)
            self.training_log.load_state_dict(self.resume_from["log"], pl_module.device)
            self.checkpoints.load_state_dict(self.resume_from["checkpoints"])
            self.resume_from = None  # the tensors need not stay in memory
        if trainer.world_size > 1:  # one alone would read all its weights to compare nothing
            start = f"iteration {_training(pl_module).iteration}, weights {fingerprint(pl_module)}"
            self.ranks.require_equal(start, "what they start from")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning would wait for the device in every iteration to pass a SIGTERM on; we do so
        # ourselves, on the host.
        trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = _nothing  # type: ignore[method-assign]
        self.stop.listen()
        self.training_log.start_clock()
        self.progress.start(
            total=self.iterations,
            done=_training(pl_module).iteration,
            show=trainer.is_global_zero,
        )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.progress.close()
        self.stop.ignore()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self.progress.close()
        self.stop.ignore()
        launcher = trainer.strategy.launcher
        if launcher is not None:
            launcher.kill(signal.SIGKILL)  # processes that it started would wait for this one

    def on_train_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Mapping[str, Tensor],
        batch_idx: int,
    ) -> None:
        self.training_log.batch_starts()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401
        batch: Mapping[str, Tensor],
        batch_idx: int,
    ) -> None:
        training = _training(pl_module)
        iteration = training.iteration
        last = iteration == self.iterations
        self.training_log.add(outputs, num_samples=len(batch["gt"]) * trainer.world_size)
        self.progress.advance()
        for network, guard in training.guards.items():
            if iteration % guard.max_in_a_row == 0 or last:
                guard.check(network)
        if self.training_log.is_due(iteration) or last:
            self._log(trainer, training)
        if self.validation is not None and (self.validation.is_due(iteration) or last):
            self._validate(trainer, self.validation, training)
        self.stop.share(self.ranks)
        stopping = self.stop.received is not None
        if self.checkpoints.is_due(iteration) or last or stopping:
            with self.ranks.together("writing a checkpoint"):
                if trainer.is_global_zero:
                    self._save(trainer, training)
        trainer.should_stop = trainer.should_stop or stopping
        self.training_log.leave_out_time()

    def _log(self, trainer: Trainer, training: Training) -> None:
        groups = [group for o in trainer.optimizers for group in o.param_groups]
        rates = {f"train/learning_rate_{i}": float(g["lr"]) for i, g in enumerate(groups)}
        values = self.training_log.means() | rates | self.training_log.speed()
        self._send(trainer, values, {}, training.iteration)
        self.progress.show(values)
        concerns = training.concerns(values)
        for name in concerns.keys() - self.concerns.keys():  # each once, while it lasts
            self.progress.clear()
            logger.warning("iteration %d: %s", training.iteration, concerns[name])
        self.concerns = concerns

    def _validate(self, trainer: Trainer, validation: Validation, training: Training) -> None:
        metrics, images = validation.run(training.evaluated, self.ranks)
        self._send(trainer, metrics, images, training.iteration)
        self.checkpoints.judge(training.iteration, metrics)
        self.progress.clear()
        logger.info("iteration %d: %s", training.iteration, _in_words(metrics))

    def _send(
        self, trainer: Trainer, values: dict[str, float], images: Images, iteration: int
    ) -> None:
        with self.ranks.together("writing the logs"):
            for destination in trainer.loggers:
                destination.log_metrics(values, step=iteration)
                if isinstance(destination, TensorBoardLogger):
                    for name, image in images.items():
                        destination.experiment.add_image(name, image, iteration, dataformats="HWC")

    def _save(self, trainer: Trainer, training: Training) -> None:
        for destination in trainer.loggers:  # what is logged must not be behind the checkpoint
            destination.save()
            if isinstance(destination, TensorBoardLogger):
                destination.experiment.flush()
        state = training.training_state() | {
            "log": self.training_log.state_dict(),
            "checkpoints": self.checkpoints.state_dict(),
            "settings": self.settings,
        }
        self.checkpoints.save(training.iteration, state)


def _training(module: LightningModule) -> Training:
    return cast(Training, module)


def _nothing() -> None:
    pass


def _in_words(metrics: Mapping[str, float]) -> str:
    return ", ".join(f"{name.removeprefix('val/')} {value:.4f}" for name, value in metrics.items())
