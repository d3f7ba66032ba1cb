"""Train an experiment: `python train.py experiment=NAME [key=value ...]`; alone, it lists them."""

import logging
import os
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from esrgan.command_line import STOPPED, list_experiments, report_errors
from esrgan.hydra_errors import plain_errors
from esrgan.settings import Settings, check_settings, check_targets
from esrgan.sweeps import sweep

if TYPE_CHECKING:
    from pytorch_lightning import Trainer

    from esrgan.training import RunFolder
    from esrgan.weights import Generator

CONFIGS = Path(__file__).parent / "configs"
log = logging.getLogger("esrgan.train")
ConfigStore.instance().store("settings", Settings)


@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(cfg: DictConfig) -> None:
    code = report_errors(lambda: train(cfg))
    if code:  # Hydra lets an exit pass as it is
        sys.exit(code)


@plain_errors()
def train(cfg: DictConfig) -> int:
    """Run an experiment to its end, or to the signal that stops it; returns the exit code."""
    settings = checked(cfg)
    from esrgan import training  # Lightning takes seconds to import: mistakes are found before

    quieten_lightning()
    run = training.RunFolder(Path("experiments", cfg.name), settings=settings, resume=cfg.resume)
    state = run.newest_checkpoint()
    start = 0 if state is None else state["iteration"]

    data = instantiate(cfg.data, start_iteration=start)
    validation = instantiate(cfg.validation) if cfg.validation_set else None
    generator = new_generator(cfg, with_weights=state is None)
    stage = instantiate(cfg.training, generator=generator, _convert_="all")

    stop = training.StopSignal()
    after_iteration = training.AfterIteration(
        iterations=cfg.iterations,
        log=training.TrainingLog(every=cfg.log_every),
        validation=validation,
        checkpoints=instantiate(cfg.checkpoints, folder=run.checkpoints),
        stop=stop,
        resume_from=state,
        settings=settings,
    )
    trainer = instantiate(cfg.trainer, callbacks=[after_iteration], logger=False)
    if cfg.verify and trainer.local_rank == 0:
        data.verify()

    begin(run, trainer, cfg, start)  # what can be refused has been: nothing was written until here
    if start < cfg.iterations:
        trainer.fit(stage, data)
    if not trainer.is_global_zero:
        return 0  # what became of the run is the first process's to say
    if stop.received is not None:
        how = "" if cfg.resume else " with resume=true"
        log.warning("stopped by %s; the same command%s goes on", stop.received.name, how)
        return STOPPED
    write_release(run, generator)
    return 0


def begin(run: "RunFolder", trainer: "Trainer", cfg: DictConfig, start: int) -> None:
    """Make the run's folder and its logs; of several processes, the first one does."""
    if not trainer.is_global_zero:
        logging.getLogger("esrgan").setLevel(logging.ERROR)
        return
    run.begin()
    places = {"save_dir": run.path, "purge_step": start + 1}
    trainer.loggers = [make(**places) for make in instantiate(cfg.logger).values()]
    if start < cfg.iterations:
        where = f"{trainer.world_size} × {trainer.strategy.root_device.type}"
        log.info("%s: from iteration %d to %d on %s", run.path, start, cfg.iterations, where)


def quieten_lightning() -> None:
    """Leave out its hints, and warnings of what is meant to be.

    The average is in evaluation mode; schedules go on while only the discriminator is trained.
    """
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in ("in eval mode", "LeafSpec", "smaller than the logging", "lr_scheduler.step"):
        warnings.filterwarnings("ignore", f".*{re.escape(message)}")


def checked(cfg: DictConfig) -> dict[str, Any]:
    """The settings as plain containers, if they can work."""
    container = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    settings = cast(dict[str, Any], container)
    check_settings(settings)
    check_targets(settings)
    return settings


def new_generator(cfg: DictConfig, *, with_weights: bool) -> "Generator":
    """The generator as training starts: with random weights, or with those of `init_from`.

    Where a run is continued, its weights come from a checkpoint: `init_from` may be gone.
    """
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


def write_release(run: "RunFolder", generator: "Generator") -> None:
    """Write what the last checkpoint holds as a file for other programs; once."""
    from esrgan.weights import run_metadata, save_release

    path = run.path / f"{run.path.name}.pth"
    state = run.newest_checkpoint()
    if state is not None and not path.exists():
        generator.load_state_dict(state["ema"] or state["generator"])
        save_release(path, generator, metadata=run_metadata(run.path, state))
    log.info("the trained generator is %s", path)


def run() -> int:
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # or Hydra prints and exits by itself
    if len(sys.argv) == 1:
        print("usage: python train.py experiment=NAME [KEY=VALUE ...]\n")
        print(list_experiments(CONFIGS / "experiment"))
        return 0
    arguments = get_args_parser().parse_args()
    with plain_errors():
        if arguments.multirun:
            return sweep(arguments, configs=CONFIGS.resolve(), script=Path(__file__).resolve())
        main()
    return 0


if __name__ == "__main__":
    sys.exit(report_errors(run))
