"""Every file under configs/experiment is composed and built, or it is not shipped."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict

from esrgan.commands.configs import configs_folder
from esrgan.commands.train import list_experiments
from esrgan.data import CODECS, Recipe, build_dataset, write_png
from esrgan.degradations import resize_double
from esrgan.runs import Settings
from esrgan.runs.checks import check_settings, check_targets
from esrgan.training.stage import Stage

CONFIGS = configs_folder()
ConfigStore.instance().store("settings", Settings)

EXPERIMENTS = sorted(
    str(path.relative_to(CONFIGS / "experiment").with_suffix(""))
    for path in (CONFIGS / "experiment").rglob("*.yaml")
)


@cache
def composed_once(experiment: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("train", [f"experiment={experiment}", *overrides], return_hydra_config=True)


def composed(experiment: str, *overrides: str) -> DictConfig:
    cfg = composed_once(experiment, *overrides).copy()
    HydraConfig.instance().set_config(cfg)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_can_be_built(
    experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_first_weights(monkeypatch)
    cfg = composed(experiment)
    built(cfg, tmp_path).configure_optimizers()
    instantiate(cfg.checkpoints, folder=tmp_path)
    instantiate(cfg.trainer, logger=False)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("blind", []),
        ("blind_folder", []),
        ("blind_mixed", ["data.train.given.pairs.folder=PAIRS", "data.train.given_share=0.25"]),
    ],
)
def test_ground_truths_can_be_trained_on(name: str, overrides: list[str], tmp_path: Path) -> None:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    write_png(photographs / "a.png", np.full((48, 40, 3), 7, np.uint8))
    gt_only = Recipe(1, CODECS["raw"], None, gt_only=True)
    build_dataset(tmp_path / "gt", gt_only, gt_folders=[photographs])
    pairs = Recipe(4, CODECS["raw"], resize_double)
    build_dataset(tmp_path / "PAIRS", pairs, gt_folders=[photographs])
    cfg = composed(
        "quickstart",
        f"data={name}",
        f"train_set={photographs if name == 'blind_folder' else tmp_path / 'gt'}",
        *(word.replace("PAIRS", str(tmp_path / "PAIRS")) for word in overrides),
        "data.train.in_worker=null",  # which is for a `prepare` that degrades
        "data.train.crop=40",
        "patch_size=32",
    )
    settings = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(settings, dict)
    for with_lightning in (False, True):
        check_targets(settings, with_lightning=with_lightning)
    dataset = instantiate(cfg.data.train)
    samples = [dataset[number] for number in range(40)]
    assert all(sample["gt"].shape == (40, 40, 3) for sample in samples)
    num_given = sum(sample["lq"] is not None for sample in samples)
    assert (num_given > 0) == (name == "blind_mixed")
    assert num_given < 40


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


@pytest.mark.parametrize(
    ("experiment", "expected"),
    [
        # recipe: the 2018 JSON; BasicSR HEAD's YAML; SRGAN's paper, section 3.2
        (
            "esrgan",
            {
                "lr": [1e-4, 1e-4],
                "betas": [[0.9, 0.999]] * 2,
                "iterations": 500_000,
                "milestones": [50_000, 100_000, 200_000, 300_000],
                "gamma": 0.5,
                "patch": 128,
                "ema": None,
                "weights": {"pixel": 1e-2, "perceptual": 1.0, "adversarial": 5e-3},
                "layers": {"conv5_4": 1.0},
            },
        ),
        (
            "esrgan_basicsr",
            {
                "lr": [1e-4, 1e-4],
                "betas": [[0.9, 0.99]] * 2,
                "iterations": 400_000,
                "milestones": [50_000, 100_000, 200_000, 300_000],
                "gamma": 0.5,
                "patch": 128,
                "ema": 0.999,
                "weights": {"pixel": 1e-2, "perceptual": 1.0, "adversarial": 5e-3},
                "layers": {"conv5_4": 1.0},
            },
        ),
        (
            "srgan_paper",
            {
                "lr": [1e-4, 1e-4],
                "betas": [[0.9, 0.999]] * 2,
                "iterations": 200_000,
                "milestones": [100_000],
                "gamma": 0.1,
                "patch": 96,
                "ema": None,
                "weights": {"perceptual": 1.0, "adversarial": 1e-3},
                "layers": {"relu5_4": 1.0},
            },
        ),
    ],
)
def test_published_gan_settings_are_as_published(experiment: str, expected: object) -> None:
    cfg = composed(experiment)
    training = cfg.training
    optimizers = (training.optimizer, training.discriminator.optimizer)
    losses = {name: loss for name, loss in training.losses.items() if loss is not None}
    layers = losses["perceptual"].loss.layers
    assert {
        "lr": [optimizer.lr for optimizer in optimizers],
        "betas": [list(optimizer.betas) for optimizer in optimizers],
        "iterations": cfg.iterations,
        "milestones": list(training.schedule.milestones),
        "gamma": training.discriminator.schedule.gamma,
        "patch": cfg.patch_size,
        "ema": training.ema_decay,
        "weights": {name: loss.weight for name, loss in losses.items()},
        "layers": {name: weight for name, weight in layers.items() if weight is not None},
    } == expected
    assert (cfg.batch_size, cfg.scale) == (16, 4)


@pytest.mark.parametrize("experiment", ["rrdb_psnr_basicsr", "esrgan_basicsr"])
def test_basicsrs_average_has_no_warm_up(experiment: str) -> None:
    assert not composed(experiment).training.ema_warmup


LAYERS_OF_FIVE = {
    "conv1_2": 0.1,
    "conv2_2": 0.1,
    "conv3_4": 1.0,
    "conv4_4": 1.0,
    "conv5_4": 1.0,
}


@pytest.mark.parametrize("experiment", ["realesrnet_x4plus", "realesrnet_published"])
def test_real_esrgans_first_stage_is_as_published(experiment: str) -> None:
    """Real-ESRGAN's options/train_realesrnet_x4plus.yml."""
    cfg = composed(experiment)
    training = cfg.training
    assert (cfg.iterations, cfg.batch_size, cfg.patch_size, cfg.scale) == (1_000_000, 48, 256, 4)
    assert (training.optimizer.lr, list(training.optimizer.betas)) == (2e-4, [0.9, 0.99])
    assert training.schedule._target_.endswith("ConstantLR")
    assert training.schedule.factor == 1
    assert (training.ema_decay, training.ema_warmup) == (0.999, False)
    ((name, loss),) = training.losses.items()
    assert (name, loss.weight, loss.loss._target_) == ("pixel", 1.0, "torch.nn.L1Loss")
    assert loss.sharpened_gt
    assert cfg.init_from.endswith("ESRGAN_SRx4_DF2KOST_official-ff704c30.pth")


@pytest.mark.parametrize("experiment", ["realesrgan_x4plus", "realesrgan_published"])
def test_real_esrgan_is_as_published(experiment: str) -> None:
    """Real-ESRGAN's options/train_realesrgan_x4plus.yml."""
    cfg = composed(experiment)
    training = cfg.training
    assert (cfg.iterations, cfg.batch_size, cfg.patch_size, cfg.scale) == (400_000, 48, 256, 4)
    for learner in (training, training.discriminator):
        assert (learner.optimizer.lr, list(learner.optimizer.betas)) == (1e-4, [0.9, 0.99])
        assert learner.schedule._target_.endswith("ConstantLR")
    assert (training.ema_decay, training.ema_warmup) == (0.999, False)
    assert (training.warmup_iterations, training.steps_per_generator_step) == (0, 1)
    losses = training.losses
    assert {name: loss.weight for name, loss in losses.items()} == {
        "pixel": 1.0,
        "perceptual": 1.0,
        "adversarial": 0.1,
    }
    assert losses.perceptual.loss.layers == LAYERS_OF_FIVE
    assert [name for name, loss in losses.items() if loss.sharpened_gt] == ["pixel", "perceptual"]
    assert losses.adversarial.loss._target_ == "esrgan.losses.StandardGAN"
    assert training.discriminator.network._target_ == "esrgan.networks.UNetDiscriminator"


def test_the_published_form_of_real_esrgan_differs_in_what_it_draws_only() -> None:
    for stage, start in (("realesrnet", set()), ("realesrgan", {"init_from"})):
        parts = {key.split(".")[0] for key in differences(f"{stage}_published", f"{stage}_x4plus")}
        assert (
            {"data"}
            < parts
            <= {"data", "degradations", "prepare", "training", "validation"} | start
        )
        assert composed(f"{stage}_published").data.pool == {"size": 180, "batch": 12}


@pytest.mark.parametrize(
    ("experiment", "parent", "changed"),
    [
        ("realesrnet_x2plus", "realesrnet_x4plus", {"scale", "init_from", "init_partial"}),
        ("realesrgan_x2plus", "realesrgan_x4plus", {"scale", "init_from"}),
        (
            "realesrgan_anime_6b",
            "realesrgan_x4plus",
            {"generator.num_blocks", "train_set", "validation_set", "init_from"},
        ),
    ],
)
def test_the_other_networks_of_real_esrgan_are_trained_as_for_photographs(
    experiment: str, parent: str, changed: set[str]
) -> None:
    """By the options of ×2, and by the author's word on anime_6B (Real-ESRGAN issue 64)."""
    found = differences(experiment, parent)
    said_again = {key for key in found if key.split(".")[0] in ("data", "validation", "prepare")}
    repeats = {key for key in found if key.endswith(".scale")}
    assert found - said_again - repeats == changed


@pytest.mark.parametrize(
    ("experiment", "parent", "changed"),
    [
        ("rrdb_x2", "rrdb_psnr", {"scale", "train_set", "init_from", "init_partial"}),
        # the options of x3 of BasicSR's MSRResNet: patches of 96, from the weights of x4
        ("rrdb_x3", "rrdb_psnr", {"scale", "train_set", "init_from", "init_partial", "patch_size"}),
        ("rrdb_x1_dejpeg", "rrdb_x1_restore", {"train_set", "validation_set"}),
    ],
)
def test_other_scales_are_trained_as_their_parents(
    experiment: str, parent: str, changed: set[str]
) -> None:
    made_or_repeated = ("data", "degradations", "prepare", "validation")
    found = {key for key in differences(experiment, parent) if not key.endswith(".scale")}
    found = {key for key in found if key.split(".")[0] not in made_or_repeated}
    assert {key for key in found if not key.startswith("training.prepare")} == changed


def test_fine_tuning_is_slow_validated_often_and_starts_from_both_public_networks() -> None:
    cfg = composed("realesrgan_finetune")
    assert cfg.training.optimizer.lr == cfg.training.discriminator.optimizer.lr == 5e-5
    assert cfg.init_from.endswith("/RealESRGAN_x4plus.pth")
    assert cfg.init_discriminator_from.endswith("/RealESRGAN_x4plus_netD.pth")
    assert cfg.validation.every == cfg.checkpoints.every == 1_000
    paired = composed("realesrgan_finetune_paired")
    assert paired.prepare._target_ == "esrgan.degradations.degrader.SharpenedPairs"
    assert paired.training.optimizer.lr == 5e-5


def differences(experiment: str, parent: str) -> set[str]:
    """The keys of the settings in which two experiments differ; their names aside."""
    ours, theirs = (
        flattened(OmegaConf.to_container(composed(name), resolve=True))
        for name in (experiment, parent)
    )
    return {k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k)} - {"name"}


def flattened(node: object, key: str = "") -> dict[str, object]:
    if not isinstance(node, dict):
        return {key: node}
    parts = [flattened(child, f"{key}.{name}" if key else name) for name, child in node.items()]
    return {k: v for part in parts for k, v in part.items()}


LAYERS = "training.losses.perceptual.loss.layers."


@pytest.mark.parametrize(
    ("column", "changed"),
    [
        # the six models of figure 8, each with one change to the one before
        (3, {"generator.batch_norm", "init_from"}),
        (4, {f"{LAYERS}conv5_4", f"{LAYERS}relu5_4"}),
        (
            5,
            {
                f"{node}.{key}"
                for node in ("adversarial", "training.losses.adversarial.loss")
                for key in ("_target_", "detach_means")
            },
        ),
        (
            6,
            {"init_from"}
            | {
                f"generator.{key}"
                for key in (
                    "_target_",
                    "batch_norm_hr",
                    "growth_channels",
                    "num_blocks",
                    "residual_scaling",
                )
            },
        ),
        (7, {"init_from", "train_set", "data.train.pairs.folder"}),
    ],
)
def test_a_column_of_the_ablation_changes_one_thing(column: int, changed: set[str]) -> None:
    assert differences(f"ablation/column{column}", f"ablation/column{column - 1}") == changed


def test_the_ablation_begins_with_srgan_and_ends_with_esrgan() -> None:
    assert differences("ablation/column2", "srgan") == set()
    assert differences("ablation/column7", "esrgan") == set()


def test_children_differ_from_their_parent_in_what_they_say() -> None:
    parent, child = composed("srresnet_psnr"), composed("ablation/deep_scaling")
    changes = {"num_blocks": 64, "residual_scaling": 0.2, "initialise": {"scale": 1.0}}
    assert child.generator == OmegaConf.merge(parent.generator, changes)
    assert child.training == parent.training


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_list_says_what_an_experiment_is_and_needs(experiment: str) -> None:
    lines = list_experiments([CONFIGS]).splitlines()
    index = lines.index(experiment)
    assert lines[index + 1].startswith("    ")
    assert lines[index + 2].startswith("    Needs: ")


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


@pytest.mark.parametrize("loss", choices("losses"))
def test_every_loss_is_added_to_a_stage_by_its_name(loss: str, tmp_path: Path) -> None:
    words = [f"losses={loss}", "training.ema_decay=0.9", "generator=rrdb_tiny"]
    if loss in ("lpips", "dists"):
        words.append(f"training.losses.{loss}.loss.weights=random")
    stage = built(composed("rrdb_psnr", *words), tmp_path)
    losses = {*stage.losses} - {"pixel"}
    assert losses == {loss} - {"none"}
    for name in losses:
        sr, gt = torch.rand(2, 1, 3, 128, 128)
        given = (sr.requires_grad_(), gt, torch.rand(1, 3, 128, 128))
        value = stage.losses[name](*given[: 3 if stage.losses[name].needs_average else 2])
        (gradient,) = torch.autograd.grad(value, sr)
        assert 0 < gradient.abs().max() < float("inf")


def test_several_losses_are_added_at_once() -> None:
    losses = composed("rrdb_psnr", "losses=[ms_ssim,chroma]").training.losses
    assert list(losses) == ["pixel", "ms_ssim", "chroma"]


@pytest.mark.parametrize("optimizer", choices("optimizer"))
def test_every_optimizer_trains_either_stage(
    optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if optimizer != "adam":
        pytest.importorskip("pytorch_optimizer")
    without_first_weights(monkeypatch)
    for experiment in ("rrdb_psnr", "realesrgan_x4plus"):
        betas = "+training.discriminator.optimizer.betas=[0.9,0.99]"
        words = [betas[1:]] if experiment == "realesrgan_x4plus" else []
        if optimizer == "adan":
            words.append("training.optimizer.betas=[0.98,0.92,0.99]")
        words += [f"optimizer={optimizer}", "generator=rrdb_tiny"]
        stage = built(composed(experiment, *words), tmp_path)
        settings = composed(experiment, *words).training.optimizer
        assert type(stage.learner.optimizer).__name__ == settings._target_.rpartition(".")[2]
        assert set(stage.learner.learning_rates) == {settings.lr}


def without_first_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("kaiming_normal_", "kaiming_uniform_", "normal_"):  # of no interest here, and slow
        monkeypatch.setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)


def built(cfg: DictConfig, folder: Path) -> Stage:
    """The stage of settings that have been checked."""
    cfg.train_set = cfg.validation_set = str(folder)
    if "discriminator" in cfg.training and cfg.training.losses.perceptual is not None:
        cfg.training.losses.perceptual.loss.weights = "random"  # the real ones are a download
    settings = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(settings, dict)
    assert set(settings) == set(Settings.__dataclass_fields__)
    check_settings(settings)
    for with_lightning in (False, True):
        check_targets(settings, with_lightning=with_lightning)
    stage: Stage = instantiate(cfg.training, generator=instantiate(cfg.generator), _convert_="all")
    return stage


def test_the_names_of_settings_are_what_they_were() -> None:
    """Runs that have begun and scripts of users name them: CHANGELOG.md has the renamed ones.

    Whoever means to rename or remove one says so there, and changes `settings.txt`.
    """
    found = {
        key
        for experiment in ("rrdb_psnr", "esrgan", "quickstart")
        for key in flattened(OmegaConf.to_container(composed(experiment), resolve=True))
    }
    # Resolved, what degrades would stand there five times
    found |= set(flattened(OmegaConf.to_container(composed("realesrgan_x4plus"))))
    added = f"losses=[{','.join(name for name in choices('losses') if name != 'none')}]"
    found |= set(flattened(OmegaConf.to_container(composed("rrdb_psnr", added), resolve=True)))
    frozen = Path(__file__).with_name("settings.txt").read_text().split()
    assert sorted(found) == frozen
