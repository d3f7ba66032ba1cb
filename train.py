"""Train an experiment: `python train.py experiment=NAME [key=value ...]`; alone, it lists them."""

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import hydra
from hydra.core.config_store import ConfigStore
from hydra.errors import ConfigCompositionException, HydraException, InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from esrgan import __version__
from esrgan.command_line import STOPPED, report_errors
from esrgan.settings import Settings, check_settings, check_targets, suggestion

if TYPE_CHECKING:
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


def train(cfg: DictConfig) -> int:
    """Run an experiment to its end, or to the signal that stops it; returns the exit code."""
    settings = checked(cfg)
    from esrgan import training  # Lightning takes seconds to import: mistakes are found before

    run = training.RunFolder(Path("experiments", cfg.name), settings=settings, resume=cfg.resume)
    state = run.newest_checkpoint()
    start = 0 if state is None else state["iteration"]

    data = instantiate(cfg.data, start_iteration=start)
    validation = instantiate(cfg.validation) if cfg.validation_set else None
    if cfg.verify:
        data.verify()
    generator = new_generator(cfg)
    stage = instantiate(cfg.training, generator=generator, _convert_="all")

    run.begin()
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
    places = {"save_dir": run.path, "purge_step": start + 1}
    loggers = [make(**places) for make in instantiate(cfg.logger).values()]
    trainer = instantiate(cfg.trainer, callbacks=[after_iteration], logger=loggers)
    if start < cfg.iterations:
        log.info("%s: from iteration %d to %d", run.path, start, cfg.iterations)
        trainer.fit(stage, data)
    if stop.received is not None:
        log.warning("stopped by %s; the same command with resume=true goes on", stop.received.name)
        return STOPPED
    write_release(run, generator)
    return 0


def checked(cfg: DictConfig) -> dict[str, Any]:
    """The settings as plain containers, if they can work."""
    container = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    settings = cast(dict[str, Any], container)
    check_settings(settings)
    check_targets(settings)
    return settings


def new_generator(cfg: DictConfig) -> "Generator":
    """The generator as training starts: with random weights, or with those of a file."""
    from pytorch_lightning import seed_everything

    from esrgan.weights import load_into

    seed_everything(cfg.seed, verbose=False)
    generator: Generator = instantiate(cfg.generator)
    if cfg.init_from:
        report = load_into(generator, cfg.init_from, allow_partial=cfg.init_partial)
        log.info("%s: %s", cfg.init_from, report)
    return generator


def write_release(run: "RunFolder", generator: "Generator") -> None:
    """Write what the last checkpoint holds as a file for other programs; once."""
    from esrgan.weights import save_release

    path = run.path / f"{run.path.name}.pth"
    state = run.newest_checkpoint()
    if state is not None and not path.exists():
        generator.load_state_dict(state["ema"] or state["generator"])
        about = {"run": run.path.name, "iterations": str(state["iteration"]), "esrgan": __version__}
        save_release(path, generator, metadata=about)
    log.info("the trained generator is %s", path)


def list_experiments() -> str:
    """The experiments, each with the lines that stand on top of its file."""
    entries = []
    for path in sorted((CONFIGS / "experiment").rglob("*.yaml")):
        name = path.relative_to(CONFIGS / "experiment").with_suffix("")
        comments = [line[1:].strip() for line in path.read_text().splitlines() if line[:2] == "# "]
        about = "\n    ".join(line for line in comments if not line.startswith("@package"))
        entries.append(f"{name}\n    {about}")
    return "usage: python train.py experiment=NAME [key=value ...]\n\n" + "\n".join(entries)


def in_one_line(error: HydraException | OmegaConfBaseException) -> str:
    """What went wrong in a configuration, without what Hydra advises to its developers."""
    cause = error.__cause__
    if isinstance(error, InstantiationException) and isinstance(cause, ValueError):
        return str(cause)
    if isinstance(error, ConfigCompositionException) and isinstance(cause, OmegaConfBaseException):
        known = cause.parent_node if isinstance(cause.parent_node, DictConfig) else {}
        if cause.full_key and cause.key not in known:
            return (
                f"{cause.full_key} is not a setting: {suggestion(str(cause.key), map(str, known))}"
            )
        return f"{cause.full_key}: {str(cause).splitlines()[0]}"
    return str(error)


def run() -> int:
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # or Hydra prints and exits by itself
    if len(sys.argv) == 1:
        print(list_experiments())
        return 0
    try:
        main()
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(in_one_line(error)) from error
    return 0


if __name__ == "__main__":
    sys.exit(report_errors(run))
