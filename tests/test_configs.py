"""Every file under configs/experiment is composed and built, or it is not shipped."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict

import train
from esrgan.command_line import list_experiments
from esrgan.settings import Settings, check_settings, check_targets

EXPERIMENTS = sorted(
    str(path.relative_to(train.CONFIGS / "experiment").with_suffix(""))
    for path in (train.CONFIGS / "experiment").rglob("*.yaml")
)


def composed(experiment: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(train.CONFIGS.resolve()), version_base="1.3"):
        cfg = compose("train", [f"experiment={experiment}", *overrides], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_can_be_built(experiment: str, tmp_path: Path) -> None:
    folders = [f"train_set={tmp_path}", f"validation_set={tmp_path}"]
    cfg = composed(experiment, *folders)
    settings = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(settings, dict)
    assert set(settings) == set(Settings.__dataclass_fields__)
    check_settings(settings)
    check_targets(settings)
    stage = instantiate(cfg.training, generator=instantiate(cfg.generator), _convert_="all")
    stage.configure_optimizers()
    instantiate(cfg.checkpoints, folder=tmp_path)
    instantiate(cfg.trainer, logger=False)


@pytest.mark.parametrize(
    ("experiment", "expected"),
    [
        # recipe: paper, section 4.1, and the 2018 JSON; BasicSR HEAD's YAML
        ("rrdb_psnr", {"lr": 2e-4, "betas": [0.9, 0.999], "patch": 128, "ema": None}),
        ("rrdb_psnr_basicsr", {"lr": 2e-4, "betas": [0.9, 0.99], "patch": 128, "ema": 0.999}),
        ("ablation/rrdb_patch_192", {"lr": 2e-4, "betas": [0.9, 0.999], "patch": 192, "ema": None}),
    ],
)
def test_published_settings_are_as_published(experiment: str, expected: dict[str, object]) -> None:
    cfg = composed(experiment)
    optimizer = cfg.training.optimizer
    assert {
        "lr": optimizer.lr,
        "betas": list(optimizer.betas),
        "patch": cfg.patch_size,
        "ema": cfg.training.ema_decay,
    } == expected
    assert (cfg.batch_size, cfg.iterations, cfg.scale) == (16, 1_000_000, 4)


def test_children_differ_from_their_parent_in_what_they_say() -> None:
    parent, child = composed("srresnet_psnr"), composed("ablation/deep_scaling")
    changes = {"num_blocks": 64, "residual_scaling": 0.2, "initialise": {"scale": 1.0}}
    assert child.generator == OmegaConf.merge(parent.generator, changes)
    assert child.training == parent.training


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_list_says_what_an_experiment_is_and_needs(experiment: str) -> None:
    lines = list_experiments(train.CONFIGS / "experiment").splitlines()
    index = lines.index(experiment)
    assert lines[index + 1].startswith("    ")
    assert lines[index + 2].startswith("    Needs: ")
