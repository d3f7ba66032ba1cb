"""What a run says of itself in files that it hands on."""

import json

import pytest

import esrgan
from esrgan.runs import RunFolder

SETTINGS = {
    "scale": 4,
    "patch_size": 64,
    "seed": 0,
    "name": "gan",
    "resume": "auto",
    "train_set": "my_photos",
    "validation_set": "/home/me/private/HR",
    "init_from": "/home/me/runs/psnr/psnr.pth",
    "init_partial": False,
    "init_discriminator_from": "/home/me/runs/gan",
    "generator": {"_target_": "esrgan.networks.RRDBNet", "num_blocks": 23},
    "data": {
        "train": {"pairs": {"folder": "my_photos", "scale": 4}, "augment": True},
        "sources": ["/home/me/more", "my_photos", 0.5],
        "num_workers": 2,
        "start_method": None,
    },
    "training": {
        "optimizer": {"lr": 1e-4, "betas": [0.9, 0.99]},
        "losses": {"perceptual": {"weights": "C:\\vgg\\vgg19.pth", "layers": {"conv5_4": 1.0}}},
    },
    "schedule": {"milestones": [200]},
    "discriminator": {},
    "adversarial": {},
    "validation": {"every": 50},
    "checkpoints": {"every": 50},
    "logger": {"csv": {}},
    "trainer": {"devices": 1},
    "log_every": 25,
    "verify": True,
}
RECIPE = {
    "scale": 4,
    "patch_size": 64,
    "seed": 0,
    "init_partial": False,
    "generator": {"_target_": "esrgan.networks.RRDBNet", "num_blocks": 23},
    "data": {"train": {"pairs": {"scale": 4}, "augment": True}, "sources": [0.5]},
    "training": {
        "optimizer": {"lr": 1e-4, "betas": [0.9, 0.99]},
        "losses": {"perceptual": {"layers": {"conv5_4": 1.0}}},
    },
    "init_from": "psnr.pth",
    "init_discriminator_from": "gan",
}


@pytest.fixture
def run(tmp_path):
    """A run of the name `gan` that was validated."""
    folder = RunFolder(tmp_path / "gan")
    folder.path.mkdir()
    lines = "iteration,psnr_y,lpips\n50,24.5,\n100,25.25,\n150,26.0,0.1\n20"
    (folder.path / "val.csv").write_text(lines)
    return folder


def test_a_run_is_told_by_its_recipe_its_newest_metrics_and_the_version(run):
    about = run.describe({"iteration": 100, "settings": SETTINGS})
    assert all(isinstance(value, str) for value in about.values())
    assert json.loads(about.pop("recipe")) == RECIPE
    assert about.pop("metrics") == '{"iteration": 100, "psnr_y": 25.25}'
    assert about == {"run": "gan", "iterations": "100", "esrgan": esrgan.__version__}


def test_nothing_of_the_users_folders_is_told(run):
    text = json.dumps(run.describe({"iteration": 100, "settings": SETTINGS}))
    for secret in ("/home", "private", "my_photos", "vgg", str(run.path.parent)):
        assert secret not in text


@pytest.mark.parametrize("iteration", [7, 49])
def test_metrics_newer_than_the_weights_are_not_theirs(run, iteration):
    assert "metrics" not in run.describe({"iteration": iteration, "settings": SETTINGS})


def test_a_run_without_validation_has_no_metrics_and_one_from_nothing_no_start(tmp_path):
    nothing = dict.fromkeys(["init_from", "init_discriminator_from", "validation_set"])
    settings = SETTINGS | nothing
    about = RunFolder(tmp_path).describe({"iteration": 100, "settings": settings})
    assert "metrics" not in about
    assert not {"init_from", "init_discriminator_from"} & json.loads(about["recipe"]).keys()
