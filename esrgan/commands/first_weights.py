"""The networks that a training starts with."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from esrgan.training.stage import Stage
    from esrgan.weights import Generator

FROM_FILE = "esrgan.weights.load_generator"
"""The target of `generator=from_file`, whose network is that of `init_from`."""

log = logging.getLogger("esrgan.train")


def new_generator(cfg: "DictConfig", *, with_weights: bool = True) -> "Generator":
    """The generator as training starts: with random weights, or with those of `init_from`."""
    from hydra.utils import instantiate
    from pytorch_lightning import seed_everything

    from esrgan.weights import load_into

    seed_everything(cfg.seed, verbose=False)
    start = _start_weights(cfg) if with_weights else None
    from_file = {"path": str(start)} if start and cfg.generator.get("_target_") == FROM_FILE else {}
    generator: Generator = instantiate(cfg.generator, **from_file).train()
    if generator.scale != cfg.scale:
        raise ValueError(
            f"scale ({cfg.scale}) must be that of the generator: set scale={generator.scale} and "
            "train on a data set of that scale"
        )
    if start:
        report = load_into(generator, start, allow_partial=cfg.init_partial)
        log.info("%s: %s", start, report)
        if new := len(report.missing) + len(report.mismatched):
            log.info("what is missing or of another shape (%d) starts from random weights", new)
    return generator


def continued_generator(cfg: "DictConfig", state: dict[str, Any]) -> "Generator":
    """That of a checkpoint, which has all that is needed to build it: `init_from` may be gone."""
    from pytorch_lightning import seed_everything

    from esrgan.weights import RAW, WeightsFile, generator_in

    if cfg.generator.get("_target_") != FROM_FILE:
        return new_generator(cfg, with_weights=False)
    seed_everything(cfg.seed, verbose=False)
    file = WeightsFile(
        path=Path("the checkpoint"),
        content=state,
        architecture=state["architecture"],
        metadata={},
    )
    return generator_in(file, part=RAW).train()


def _start_weights(cfg: "DictConfig") -> Path | None:
    """The file that `init_from` names: itself, or the newest of a run's folder."""
    from esrgan.runs import find_weights

    if not cfg.init_from:
        return None
    if not Path(cfg.init_from).exists():
        raise ValueError(
            f"init_from ({cfg.init_from}) is not a file, nor the folder of a run: train the stage "
            "before this one, name other weights, or give init_from=null to start from random ones"
        )
    return find_weights(cfg.init_from)


def start_discriminator(stage: "Stage", start: str | None) -> None:
    """Give a GAN's discriminator the weights of a file, or of a run's newest checkpoint."""
    from esrgan.runs import RunFolder
    from esrgan.weights import load_discriminator_into

    if not start:
        return
    learner, path = stage.learners["discriminator"], Path(start)
    file = path if path.is_file() else next(iter(RunFolder(path).list_checkpoints()), None)
    if file is None:
        raise ValueError(
            f"init_discriminator_from ({start}) must be a file of weights, or the folder of a run "
            "of the GAN stage that has checkpoints; null starts from random weights"
        )
    log.info("%s: %s", file, load_discriminator_into(learner.network, file))
    if learner.ema is not None:
        learner.ema.load_state_dict(learner.network.state_dict())
