"""The parts of an experiment, built from the configuration as train.py builds them."""

import logging
import warnings
from pathlib import Path

from esrgan.settings import Settings
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def experiment(name: str, **settings: object) -> DictConfig:
    """The configuration of `train.py experiment=NAME`; a double underscore stands for a dot."""
    ConfigStore.instance().store("settings", Settings)
    changes = [f"{key.replace('__', '.')}={value}" for key, value in settings.items()]
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        return compose("train", [f"experiment={name}", "name=benchmark", *changes])


def quiet_lightning() -> None:
    """No advice on a training that has no workers and ends after seconds, by intention."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
