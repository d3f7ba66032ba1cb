"""The degradations of configs/degradations, built as training builds them."""

from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from esrgan.commands.configs import configs_folder
from esrgan.degradations.recipe import Degradation

_FOLDER = configs_folder() / "degradations"
PRESETS = sorted(path.stem for path in _FOLDER.glob("*.yaml") if path.stem != "none")


def preset(name: str, *overrides: str) -> Degradation:
    with initialize_config_dir(str(Path(_FOLDER).resolve()), version_base="1.3"):
        cfg = OmegaConf.create({"degradations": compose(name, list(overrides))})
    return instantiate(cfg.degradations)
