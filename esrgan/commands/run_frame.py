"""How a run begins and how it ends: its folder and logs, its release, what is said of it."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from esrgan.errors import FAILED, STOPPED

if TYPE_CHECKING:
    from pytorch_lightning import Trainer
    from torch import nn

    from esrgan.runs import History, OpenRun, RunFolder
    from esrgan.training import AfterIteration, Feed
    from esrgan.training.feed import Trouble
    from esrgan.training.stage import Stage

log = logging.getLogger("esrgan.train")


def begin(
    run: "OpenRun",
    trainer: "Trainer",
    loggers: Sequence[Any],
    settings: dict[str, Any],
    *,
    first: int,
    history: "History",
) -> None:
    """Make the run's folder and its logs; of several processes, the first one does."""
    if not trainer.is_global_zero:
        logging.getLogger("esrgan").setLevel(logging.ERROR)
        return
    run.begin(history=history)
    ours = {"folder": run.folder.path, "first": first}
    trainer.loggers = [make(**ours) if callable(make) else make for make in loggers]
    for logger in trainer.loggers:
        logger.log_hyperparams(settings)
    iterations = settings["iterations"]
    if first <= iterations:
        where = f"{trainer.world_size} × {trainer.strategy.root_device.type}, {trainer.precision}"
        if settings["precision"] == "auto":
            has = "has" if "bf16" in trainer.precision else "lacks"
            where += f" (it {has} bfloat16 in hardware)"
        log.info(
            "%s: from iteration %d to %d on %s",
            run.folder.path,
            max(first - 1, 0),
            iterations,
            where,
        )


def say_who_reads(generator: "nn.Module", run: "RunFolder") -> None:
    """Say where programs of others would misread what this run releases."""
    from esrgan.weights import note_for_others

    if said := note_for_others(generator, name=run.release.name):
        log.info("note: %s", said)


def end(
    run: "RunFolder",
    trainer: "Trainer",
    stage: "Stage",
    after: "AfterIteration",
    feed: "Feed",
    *,
    resumed: bool,
) -> int:
    """Say what became of the run, and write what others can use; of several processes the first."""
    from esrgan.runs.releases import is_whole
    from esrgan.weights import save_release

    how = "" if resumed else " with resume=true"
    goes_on = f"the same command{how} goes on from iteration {after.saved}"
    if feed.trouble is not None:
        return _give_up(feed.trouble, goes_on)
    if not trainer.is_global_zero:
        return 0
    if after.stop.received is not None:
        log.warning("stopped by %s; %s", after.stop.received.name, goes_on)
        return STOPPED
    is_damaged = run.release.exists() and not is_whole(run.release)
    if is_damaged:
        log.warning("%s is damaged, and is written anew", run.release)
    state, generator = run.newest_checkpoint(), stage.generator
    if state is not None and (is_damaged or not run.release.exists()):
        generator.load_state_dict(state["ema"] or state["generator"])
        about = run.describe(state)
        save_release(run.release, generator, metadata=about, overwrite=is_damaged)
    log.info("the trained generator is %s", run.release)
    say_who_reads(generator, run)
    if best := after.checkpoints.best(after.course.start):
        log.info("%s", best)
    return 0


def _give_up(trouble: "Trouble", goes_on: str) -> int:
    """Say what has ended the run; of several processes, each says what it knows."""
    if trouble.exit_code == FAILED:
        raise ValueError(f"{trouble.words}; {goes_on}")
    log.error("%s; %s", trouble.words, goes_on)
    return trouble.exit_code
