"""Train an experiment.

usage: python train.py experiment=NAME [KEY=VALUE ...]    or: esrgan train ...

Alone, it lists the experiments. A group is chosen by its name (generator=rrdb_light), a value is
set by its key (patch_size=192 training.optimizer.lr=1e-4); a misspelt key ends the command with
what it may have meant.

  resume=true        continue the run that is there; auto does if there is one
  allow_changes=true     continue it with other settings, from here on
  name=NAME          the run's folder is experiments/NAME
  --cfg job --resolve    print all settings, start nothing
  --config-dir FOLDER    experiments and other configs of your own: FOLDER/experiment/NAME.yaml
  -m KEY=A,B ...     a sweep: a run for every combination; the same command again goes on
  --hydra-help       more flags

example: train.py experiment=rrdb_psnr train_set=data/DIV2K_x4 validation_set=data/Set5/HR
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esrgan.commands.configs import configs_folder
from esrgan.commands.first_weights import continued_generator, new_generator, start_discriminator
from esrgan.commands.run_frame import begin, end, say_who_reads
from esrgan.errors import STOPPED, outlive_readers, report_errors
from esrgan.signals import Stopped, stopping_at_once

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from pytorch_lightning import Trainer

    from esrgan.data.datamodule import PatchDataModule
    from esrgan.runs import OpenRun
    from esrgan.training import AfterIteration, Feed, Validation
    from esrgan.training.stage import Stage

CONFIG = "train"
_NOT_DETERMINISTIC = " does not have a deterministic implementation"  # PyTorch's words


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 done, 2 something to mend, 75 stopped by a signal, to be resumed."""
    words = list(sys.argv[1:] if argv is None else argv)
    outlive_readers()
    if {"-h", "--help"} & set(words):
        print(__doc__)
        return 0
    try:
        with stopping_at_once():
            return report_errors(lambda: _run(words))
    except Stopped as stopped:
        sys.stderr.write(
            f"stopped by {stopped.name} at once; the same command with resume=auto goes on from "
            "the newest checkpoint\n"
        )
        return STOPPED


def _run(words: list[str]) -> int:
    from hydra._internal.utils import get_args_parser

    from esrgan.commands.composition import refuse_numbers_for_text, with_plus, without_null
    from esrgan.hydra_errors import plain_errors
    from esrgan.runs import Settings

    configs = configs_folder()
    words = [with_plus(without_null(word, configs)) for word in words]
    arguments = get_args_parser().parse_args(words)
    own = Path(arguments.config_dir) if arguments.config_dir else None
    if own is not None and not own.is_dir():
        raise ValueError(f"--config-dir {own} is not a folder")
    if not (arguments.overrides or arguments.cfg or arguments.info or arguments.hydra_help):
        print("usage: python train.py experiment=NAME [KEY=VALUE ...]; --help tells more\n")
        print(list_experiments([configs, *([own] if own else [])]))
        return 0
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # or Hydra prints and exits by itself

    import hydra
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store("settings", Settings)
    with plain_errors():
        refuse_numbers_for_text(arguments.overrides)
        if arguments.multirun:
            from esrgan.sweeps import sweep

            command = [sys.executable, "-m", "esrgan", "train"]
            return sweep(arguments, configs=configs, own=own, command=command)
        codes: list[int] = []
        given = sys.argv

        def task(cfg: "DictConfig") -> None:
            sys.argv = given  # where Lightning looks, to start its other processes
            codes.append(report_errors(lambda: train(cfg)))

        sys.argv = [given[0], *words]  # where Hydra looks
        hydra.main(version_base="1.3", config_path=str(configs), config_name=CONFIG)(task)()
    return codes[0] if codes else 0


def train(cfg: "DictConfig") -> int:
    """Run an experiment to its end, or to the signal that stops it; returns the exit code."""
    from hydra.utils import instantiate

    from esrgan.commands.composition import checked
    from esrgan.hydra_errors import plain_errors

    with plain_errors():
        settings, train_set, images = checked(cfg)
        run = _open(cfg, settings)
        from esrgan import training
        from esrgan.hardware import require_accelerator

        training.quieten_lightning()
        state = run.folder.newest_checkpoint()
        history = run.history_since(state)
        start = 0 if state is None else state["iteration"]
        is_pending = state is not None and bool(state.get("is_pending"))

        data = instantiate(cfg.data, train=train_set, start_iteration=start)
        validation = instantiate(cfg.validation, pairs=images) if images is not None else None
        stage, stop = _stage(cfg, state), training.StopSignal()
        ranks = training.Ranks(longest_wait=cfg.longest_wait)
        after_iteration = training.AfterIteration(
            iterations=cfg.iterations,
            log=training.TrainingLog(every=cfg.log_every),
            validation=validation,
            checkpoints=instantiate(cfg.checkpoints, folder=run.folder.checkpoints),
            stop=stop,
            streaks=training.Streaks(run.folder.skipped, batch_of=data.batch_of, settings=settings),
            ranks=ranks,
            resume_from=state,
            from_weights=bool(cfg.init_from),
            settings=settings,
            history=history,
        )
        require_accelerator(cfg.trainer.accelerator)
        trainer = _trainer(cfg, stage, after_iteration)
        feed = _feed(cfg, data, trainer, stop=stop, ranks=ranks)
        loggers = [instantiate(logger) for logger in cfg.logger.values() if logger]
        if trainer.local_rank == 0:
            _verify(validation, data if cfg.verify else None)

        # What can be refused has been: nothing was written until here
        first = start if is_pending or state is None else start + 1
        begin(run, trainer, loggers, settings, first=first, history=history)
        if first <= cfg.iterations:
            say_who_reads(stage.generator, run.folder)
            _fit(trainer, stage, feed)
        return end(run.folder, trainer, stage, after_iteration, feed, resumed=bool(cfg.resume))


def _stage(cfg: "DictConfig", state: dict[str, Any] | None) -> "Stage":
    """The networks in training, with the weights that they start from."""
    from hydra.utils import instantiate

    generator = new_generator(cfg) if state is None else continued_generator(cfg, state)
    stage: Stage = instantiate(cfg.training, generator=generator, _convert_="all")
    start_discriminator(stage, cfg.init_discriminator_from if state is None else None)
    return stage


def _trainer(cfg: "DictConfig", stage: "Stage", after_iteration: "AfterIteration") -> "Trainer":
    from hydra.utils import instantiate
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

    from esrgan.training import FirstIteration, compile_parts, record_generator

    # Lightning would queue the job again by itself, and save in the middle of whatever it does
    plugins = [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else None
    callbacks = [*([FirstIteration()] if cfg.compile else []), after_iteration]
    trainer: Trainer = instantiate(cfg.trainer, callbacks=callbacks, logger=False, plugins=plugins)
    compile_parts(stage, cfg.compile, device=trainer.strategy.root_device)
    if cfg.cuda_graph:
        record_generator(stage, trainer)
    return trainer


def _feed(cfg: "DictConfig", data: "PatchDataModule", trainer: "Trainer", **shared: Any) -> "Feed":
    from esrgan.training import Feed

    return Feed(
        data,
        **shared,
        longest_wait=cfg.longest_wait,
        pinned=trainer.strategy.root_device.type == "cuda",
        restarts=cfg.restarts,
        skip_bad=cfg.skip_bad_samples,
    )


def _fit(trainer: "Trainer", stage: "Stage", feed: "Feed") -> None:
    """Train as far as it goes; `feed.trouble` says why no further."""
    from esrgan.training import loss_of_a_process

    try:
        trainer.fit(stage, feed)
    except RuntimeError as error:
        operation, missing, _ = str(error).partition(_NOT_DETERMINISTIC)
        if missing:
            raise ValueError(
                f"deterministic (true) asks of a GPU what {operation} of this network or loss has "
                "no way to do: give deterministic=false; a continued run is then equal but for "
                "rounding"
            ) from error
        feed.trouble = loss_of_a_process(error, getattr(trainer.strategy, "launched", None))
        if feed.trouble is None:
            raise


def _verify(*parts: "Validation | PatchDataModule | None") -> None:
    for part in parts:
        if part is not None:
            part.verify()


def _open(cfg: "DictConfig", settings: dict[str, Any]) -> "OpenRun":
    from esrgan.commands.composition import composition_of
    from esrgan.runs import RUNS, OpenRun

    composition = composition_of(cfg, config=CONFIG) if cfg.resume else None
    return OpenRun(RUNS / cfg.name, settings=settings, resume=cfg.resume, composition=composition)


def list_experiments(folders: Sequence[Path]) -> str:
    """The experiments in folders of configs, each with the lines that stand on top of its file."""
    entries = []
    for folder in (folder / "experiment" for folder in folders):
        for path in sorted(folder.rglob("*.yaml")):
            lines = path.read_text(encoding="utf-8").splitlines()
            comments = [line[2:] for line in lines if line.startswith("# ")]
            about = [f"    {line}" for line in comments if not line.startswith("@package")]
            entries.append("\n".join([str(path.relative_to(folder).with_suffix("")), *about]))
    return "\n".join(entries)
