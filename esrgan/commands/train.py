"""Train an experiment.

usage: python train.py experiment=NAME [KEY=VALUE ...]    or: esrgan train ...

Alone, it lists the experiments. A group is chosen by its name (generator=rrdb_light), a value is
set by its key (patch_size=192 training.optimizer.lr=1e-4); a misspelt key ends the command with
what it may have meant.

  resume=true        continue the run that is there; auto does if there is one
  name=NAME          the run's folder is experiments/NAME
  --cfg job --resolve    print all settings, start nothing
  --config-dir FOLDER    experiments and other configs of your own: FOLDER/experiment/NAME.yaml
  -m KEY=A,B ...     a sweep: a run for every combination; the same command again goes on
  --hydra-help       more flags

example: train.py experiment=rrdb_psnr train_set=data/DIV2K_x4 validation_set=data/Set5/HR
"""

import logging
import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from esrgan.commands.configs import configs_folder
from esrgan.errors import STOPPED, report_errors

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from pytorch_lightning import Trainer

    from esrgan.runs import OpenRun, RunFolder
    from esrgan.training import Learner, StopSignal
    from esrgan.weights import Generator

CONFIG = "train"
log = logging.getLogger("esrgan.train")


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 done, 2 something to mend, 75 stopped by a signal, to be resumed."""
    words = list(sys.argv[1:] if argv is None else argv)
    if {"-h", "--help"} & set(words):
        print(__doc__)
        return 0
    return report_errors(lambda: _run(words))


def _run(words: list[str]) -> int:
    from hydra._internal.utils import get_args_parser

    from esrgan.hydra_errors import plain_errors
    from esrgan.runs import Settings

    arguments = get_args_parser().parse_args(words)
    configs = configs_folder()
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

    from esrgan.hydra_errors import plain_errors
    from esrgan.runs import RUNS, OpenRun

    with plain_errors():
        settings, train_set = _checked(cfg)
        run = OpenRun(RUNS / cfg.name, settings=settings, resume=cfg.resume)
        from esrgan import training

        _quieten_lightning()
        state = run.folder.newest_checkpoint()
        start = 0 if state is None else state["iteration"]

        data = instantiate(cfg.data, train=train_set, start_iteration=start)
        validation = instantiate(cfg.validation) if cfg.validation_set else None
        generator = new_generator(cfg, with_weights=state is None)
        stage = instantiate(cfg.training, generator=generator, _convert_="all")
        if cfg.init_discriminator_from and state is None:
            _start_discriminator(stage.opponent, cfg.init_discriminator_from)

        stop = training.StopSignal()
        after_iteration = training.AfterIteration(
            iterations=cfg.iterations,
            log=training.TrainingLog(every=cfg.log_every),
            validation=validation,
            checkpoints=instantiate(cfg.checkpoints, folder=run.folder.checkpoints),
            stop=stop,
            resume_from=state,
            from_weights=bool(cfg.init_from),
            settings=settings,
        )
        trainer = instantiate(cfg.trainer, callbacks=[after_iteration], logger=False)
        loggers = [instantiate(logger) for logger in cfg.logger.values() if logger]
        if cfg.verify and trainer.local_rank == 0:
            data.verify()

        # What can be refused has been: nothing was written until here
        _begin(run, trainer, loggers, settings, start=start)
        if start < cfg.iterations:
            trainer.fit(stage, data)
        return _end(run.folder, trainer, generator, stop, resumed=bool(cfg.resume))


def _checked(cfg: "DictConfig") -> tuple[dict[str, Any], object]:
    """The settings as plain containers, if they can work, and what to train on, unread.

    Lightning takes seconds to import: what can be refused without it is refused before.
    """
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    from esrgan.runs.checks import check_settings, check_targets

    container = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    settings = cast(dict[str, Any], container)
    check_settings(settings)
    parts = settings if cfg.validation_set else settings | {"validation": None}
    check_targets(parts, with_lightning=False)
    train_set: object = instantiate(cfg.data.train)
    check_targets(parts, with_lightning=True)
    return settings, train_set


def new_generator(cfg: "DictConfig", *, with_weights: bool) -> "Generator":
    """The generator as training starts: with random weights, or with those of `init_from`.

    Where a run is continued, its weights come from a checkpoint: `init_from` may be gone.
    """
    from hydra.utils import instantiate
    from pytorch_lightning import seed_everything

    from esrgan.weights import load_into

    seed_everything(cfg.seed, verbose=False)
    if cfg.init_from and with_weights and not Path(cfg.init_from).is_file():
        raise ValueError(
            f"init_from ({cfg.init_from}) is not a file: train the stage before this one, name "
            "another file of weights, or give init_from=null to start from random ones"
        )
    generator: Generator = instantiate(cfg.generator).train()
    if generator.scale != cfg.scale:
        raise ValueError(
            f"scale ({cfg.scale}) must be that of the generator: set scale={generator.scale} and "
            "train on a data set of that scale"
        )
    if cfg.init_from and with_weights:
        report = load_into(generator, cfg.init_from, allow_partial=cfg.init_partial)
        log.info("%s: %s", cfg.init_from, report)
    return generator


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


def _begin(
    run: "OpenRun",
    trainer: "Trainer",
    loggers: Sequence[Any],
    settings: dict[str, Any],
    *,
    start: int,
) -> None:
    """Make the run's folder and its logs; of several processes, the first one does."""
    if not trainer.is_global_zero:
        logging.getLogger("esrgan").setLevel(logging.ERROR)
        return
    run.begin()
    ours = {"folder": run.folder.path, "first": start + 1 if start else 0}
    trainer.loggers = [make(**ours) if callable(make) else make for make in loggers]
    for logger in trainer.loggers:
        logger.log_hyperparams(settings)
    iterations = settings["iterations"]
    if start < iterations:
        where = f"{trainer.world_size} × {trainer.strategy.root_device.type}, {trainer.precision}"
        if settings["precision"] == "auto":
            has = "has" if "bf16" in trainer.precision else "lacks"
            where += f" (it {has} bfloat16 in hardware)"
        log.info("%s: from iteration %d to %d on %s", run.folder.path, start, iterations, where)


def _start_discriminator(learner: "Learner", start: str) -> None:
    """Give a GAN's discriminator the weights of a file, or of a run's newest checkpoint."""
    from esrgan.runs import RunFolder
    from esrgan.weights import load_discriminator_into

    path = Path(start)
    file = path if path.is_file() else next(iter(RunFolder(path).list_checkpoints()), None)
    if file is None:
        raise ValueError(
            f"init_discriminator_from ({start}) must be a file of weights, or the folder of a run "
            "of the GAN stage that has checkpoints; null starts from random weights"
        )
    log.info("%s: %s", file, load_discriminator_into(learner.network, file))
    if learner.ema is not None:
        learner.ema.load_state_dict(learner.network.state_dict())


def _quieten_lightning() -> None:
    """Leave out its hints, and warnings of what is meant to be: the EMA is in evaluation mode."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in ("in eval mode", "LeafSpec", "smaller than the logging", "lr_scheduler.step"):
        warnings.filterwarnings("ignore", f".*{re.escape(message)}")


def _end(
    run: "RunFolder",
    trainer: "Trainer",
    generator: "Generator",
    stop: "StopSignal",
    *,
    resumed: bool,
) -> int:
    """Say what became of the run, and write what others can use; of several processes the first."""
    from esrgan.weights import save_release

    if not trainer.is_global_zero:
        return 0
    if stop.received is not None:
        how = "" if resumed else " with resume=true"
        log.warning("stopped by %s; the same command%s goes on", stop.received.name, how)
        return STOPPED
    state = run.newest_checkpoint()
    if state is not None and not run.release.exists():
        generator.load_state_dict(state["ema"] or state["generator"])
        save_release(run.release, generator, metadata=run.describe(state))
    log.info("the trained generator is %s", run.release)
    return 0
