"""What happens between two iterations, in its order: count, save, log, validate, save."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from esrgan.errors import NonFiniteOutputError
from esrgan.training.checkpointing import Checkpointing
from esrgan.training.comparing import listed_rates, saved_rates, validation_images
from esrgan.training.course import Course
from esrgan.training.learner import REMEDIES, NonFiniteError
from esrgan.training.loggers import log_images
from esrgan.training.ranks import Ranks
from esrgan.training.soundness import fingerprint, is_in_a_streak, require_alike, require_finite
from esrgan.training.stage import Stage, TrainingState
from esrgan.training.stop_signal import StopSignal
from esrgan.training.streaks import Streaks, skip_warnings
from esrgan.training.training_log import Progress, TrainingLog
from esrgan.training.validation import Images, Validation

logger = logging.getLogger(__name__)


class AfterIteration(Callback):
    """One callback, because the order is the point: a checkpoint holds all that came before it.

    Args:
        iterations: the length of the run.
        log: means of the steps' values.
        validation: metrics on whole images; None trains without.
        checkpoints: when to save, and what to keep.
        stop: is told when to listen, and asked between the images of a validation.
        streaks: keeps batches whose numbers are not finite.
        ranks: agree on what is done.
        resume_from: a checkpoint's content; None starts a new run.
        from_weights: whether a new run starts from weights, and not from random ones.
        settings: put into every checkpoint, so that the file explains itself.
        history: the same; where it is not that of `resume_from`, settings have changed.
    """

    def __init__(  # noqa: PLR0913 # all that happens between two iterations
        self,
        *,
        iterations: int,
        log: TrainingLog,
        validation: Validation | None,
        checkpoints: Checkpointing,
        stop: StopSignal,
        streaks: Streaks,
        ranks: Ranks,
        resume_from: TrainingState | None,
        from_weights: bool,
        settings: dict[str, Any],
        history: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        if validation is not None:
            checkpoints.check_monitor(validation.metrics)
        self.course = Course()
        self.warned: dict[str, list[str]] = {}
        if resume_from is not None:
            same_images = validation_images(resume_from["settings"]) == validation_images(settings)
            checkpoints.load_state_dict(resume_from["checkpoints"], same_images=same_images)
            if same_images and "course" in resume_from:  # earlier versions had neither
                self.course.load_state_dict(resume_from["course"])
                self.warned = resume_from["warned"]
        self.iterations = iterations
        # not self.log: Lightning puts its own there
        self.training_log, self.validation, self.checkpoints = log, validation, checkpoints
        self.stop, self.streaks, self.ranks = stop, streaks, ranks
        self.progress = Progress(total=iterations, done=0, show=False)
        self.resume_from, self.from_weights = resume_from, from_weights
        self.saved = 0  # the iteration of the newest checkpoint
        self.settings, self.history = settings, list(history)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        stage = _stage(pl_module)
        is_pending = self.resume_from is not None and self._continue(stage, self.resume_from)
        self.resume_from = None  # the tensors need not stay in memory
        self.saved = stage.iteration
        if trainer.world_size > 1:  # one alone would read all its weights to compare nothing
            weights = fingerprint(stage.state_dict().values())
            start = f"iteration {stage.iteration}, weights {weights}"
            self.ranks.require_equal(start, "what they start from")
        if is_pending:
            self._conclude(trainer, stage, again=True)

    def _continue(self, stage: Stage, state: TrainingState) -> bool:
        """Returns whether the last iteration has still to be concluded."""
        before = {
            name: saved_rates(state["progress"][name]["optimizer"]) for name in stage.learners
        }
        stage.load_training_state(state, changed=self.history != state.get("history", []))
        for name, learner in stage.learners.items():
            if learner.learning_rates != before[name]:
                logger.warning(
                    "iteration %d: from here on the learning rate of the %s is %s (before: %s)",
                    *(stage.iteration, name, listed_rates(learner.learning_rates)),
                    listed_rates(before[name]),
                )
        self.training_log.load_state_dict(state["log"], stage.device)
        return bool(state.get("is_pending"))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning would wait for the device in every iteration to pass a SIGTERM on; we do so
        # ourselves, on the host.
        trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = _nothing  # type: ignore[method-assign]
        self.stop.listen()
        stage, validation = _stage(pl_module), self.validation
        if validation is not None:
            validation.begin(self.ranks)
            at_start = self.from_weights if validation.at_start == "auto" else validation.at_start
            if at_start and stage.iteration == 0:
                self._validate(trainer, validation, stage)
        self.training_log.start_clock()
        done = stage.iteration
        self.progress = Progress(total=self.iterations, done=done, show=trainer.is_global_zero)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.progress.close()
        stage = _stage(pl_module)
        if self.saved < stage.iteration < self.iterations:  # the feed has ended it early
            self._save(trainer, stage, is_pending=False)
        self.stop.ignore()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self.progress.close()
        self.stop.ignore()
        launched = getattr(trainer.strategy, "launched", None)
        if launched is not None:
            launched.kill()  # they would wait for this one

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
        stage = _stage(pl_module)
        iteration = stage.iteration
        last = iteration == self.iterations
        self.training_log.add(outputs, num_samples=len(batch["gt"]) * trainer.world_size)
        self.progress.advance()
        for network, learner in stage.learners.items():
            if iteration % learner.guard.max_in_a_row == 0 or last:
                self._look_for_streaks(trainer, stage)
                learner.guard.check(network)
        self._conclude(trainer, stage)
        self.training_log.leave_out_time()

    def _conclude(self, trainer: Trainer, stage: Stage, *, again: bool = False) -> None:
        """Log, validate and save what an iteration has led to.

        Where a checkpoint and a validation fall together, one is written before, too: whatever
        ends the validation, an iteration is not lost. It says that all this is still to be done,
        as it is `again` where a run goes on from it. So does that of a validation that a signal has
        interrupted.
        """
        iteration, checkpoints, validation = stage.iteration, self.checkpoints, self.validation
        last = iteration == self.iterations
        is_due = again or last or iteration % checkpoints.every == 0
        validates = validation is not None and (last or iteration % validation.every == 0)
        log_before = self.training_log.state_dict() if validates else None
        if validates and is_due and not again:
            self._save(trainer, stage, is_pending=True)
            self.training_log.leave_out_time()
        if last or iteration % self.training_log.every == 0:
            self._log(trainer, stage)
        if validation is not None and validates and not self._validate(trainer, validation, stage):
            if self.saved < iteration:
                self._save(trainer, stage, is_pending=True, log=log_before)
            return
        if is_due or iteration == checkpoints.best_iteration:
            self._save(trainer, stage, is_pending=False)

    def _log(self, trainer: Trainer, stage: Stage) -> None:
        groups = [g for each in stage.learners.values() for g in each.optimizer.param_groups]
        rates = {f"train/learning_rate_{i}": float(g["lr"]) for i, g in enumerate(groups)}
        values = self.training_log.summary() | rates | self.training_log.speed()
        self._send(trainer, values, {}, stage.iteration)
        self.progress.show(values)
        self._look_for_streaks(trainer, stage)
        warnings = skip_warnings(values) | stage.warnings(values)
        self._warn("steps", warnings, stage.iteration)

    def _look_for_streaks(self, trainer: Trainer, stage: Stage) -> None:
        if trainer.is_global_zero and (words := self.streaks.look(stage)):
            self.progress.clear()
            logger.warning(words)

    def _validate(self, trainer: Trainer, validation: Validation, stage: Stage) -> bool:
        """Returns whether it came to its end; a signal ends it between two images."""
        require_finite(stage.learners, stage.iteration)
        try:
            scores = validation.run(stage.evaluated, self.ranks, is_stopped=self.stop.is_asked)
        except NonFiniteOutputError as error:
            network = "generator" if stage.ema is None else "averaged generator (EMA)"
            raise NonFiniteError(
                f"iteration {stage.iteration}: the output of the {network} is not finite for the "
                f"validation's image {error}, although its weights are. Go on from a checkpoint of "
                f"before, as another run with init_from=CHECKPOINT. {REMEDIES}"
            ) from error
        if scores is None:
            self.stop.share(self.ranks)
            return False
        values = scores.values()
        self._send(trainer, values, scores.images, stage.iteration)
        # There is no checkpoint of the start, nor, but for the last, of a streak
        if stage.iteration and self._is_kept(stage):
            self.checkpoints.judge(stage.iteration, scores.network)
        self.progress.clear()
        text = ", ".join(f"{name.removeprefix('val/')} {v:.4f}" for name, v in values.items())
        logger.info("iteration %d: %s", stage.iteration, text)
        warnings = self.course.take_in(stage.iteration, scores.network)
        self._warn("validations", warnings, stage.iteration)
        return True

    def _warn(self, source: str, warnings: Mapping[str, str], iteration: int) -> None:
        """Say each once, while it lasts."""
        for name, words in warnings.items():
            if name not in self.warned.get(source, []):
                self.progress.clear()
                logger.warning("iteration %d: %s", iteration, words)
        self.warned[source] = list(warnings)

    def _send(
        self, trainer: Trainer, values: dict[str, float], images: Images, iteration: int
    ) -> None:
        with self.ranks.together("writing the logs"):
            if trainer.loggers:
                self.checkpoints.room.wait_for_logs(is_stopped=self.stop.is_asked)
            for destination in trainer.loggers:
                destination.log_metrics(values, step=iteration)
                log_images(destination, images, step=iteration)

    def _is_kept(self, stage: Stage) -> bool:
        """Whether this iteration may have a checkpoint: not while a streak of skipped ones lasts.

        All that are kept could else be of one streak, with nothing from before it. The last
        iteration is saved all the same: the run is over, and its weights are sound.
        """
        return stage.iteration == self.iterations or not is_in_a_streak(stage.learners)

    def _save(
        self,
        trainer: Trainer,
        stage: Stage,
        *,
        is_pending: bool,
        log: Mapping[str, Any] | None = None,
    ) -> None:
        require_alike(stage.learners, self.ranks, stage.iteration)
        require_finite(stage.learners, stage.iteration)
        self._look_for_streaks(trainer, stage)
        if not self._is_kept(stage):
            return
        self.saved = stage.iteration
        with self.ranks.together("writing a checkpoint"):
            if not trainer.is_global_zero:
                return
            for destination in trainer.loggers:  # it must not be behind the checkpoint
                destination.save()
            state = stage.training_state() | {
                "log": log or self.training_log.state_dict(),
                "checkpoints": self.checkpoints.state_dict(),
                "course": self.course.state_dict(),
                "warned": self.warned,
                "settings": self.settings,
                "history": self.history,
                "is_pending": is_pending,
            }
            self.checkpoints.room.write(
                lambda: self.checkpoints.save(stage.iteration, state), is_stopped=self.stop.is_asked
            )


def _stage(module: LightningModule) -> Stage:
    return cast(Stage, module)


def _nothing() -> None:
    pass
