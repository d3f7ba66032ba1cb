import json
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from weight_samples import lively

import esrgan
import train
from esrgan.networks import RRDBNet
from esrgan.weights import WeightsError, read_metadata, run_metadata, save_release

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
}


@pytest.fixture
def run(tmp_path):
    """A run of the name `gan` that was validated, with a checkpoint."""
    folder = tmp_path / "gan"
    (folder / "checkpoints").mkdir(parents=True)
    lines = "iteration,psnr_y,lpips\n50,24.5,\n100,25.25,\n150,26.0,0.1\n20"
    (folder / "val.csv").write_text(lines)
    network = lively(RRDBNet(num_features=4, num_blocks=1, growth_channels=2))
    state = {"iteration": 100, "settings": SETTINGS, "generator": network.state_dict()}
    torch.save(state | {"ema": None}, folder / "checkpoints/iteration_00000100-0.ckpt")
    return folder


def test_a_run_is_told_by_its_recipe_its_newest_metrics_and_the_version(run):
    about = run_metadata(run, {"iteration": 100, "settings": SETTINGS})
    assert all(isinstance(value, str) for value in about.values())
    assert json.loads(about.pop("recipe")) == RECIPE
    assert about.pop("metrics") == '{"iteration": 100, "psnr_y": 25.25}'
    assert about == {"run": "gan", "iterations": "100", "esrgan": esrgan.__version__}


def test_nothing_of_the_users_folders_is_told(run):
    text = json.dumps(run_metadata(run, {"iteration": 100, "settings": SETTINGS}))
    for secret in ("/home", "private", "my_photos", "vgg", str(run.parent)):
        assert secret not in text


@pytest.mark.parametrize("iteration", [7, 49])
def test_metrics_newer_than_the_weights_are_not_theirs(run, iteration):
    assert "metrics" not in run_metadata(run, {"iteration": iteration, "settings": SETTINGS})


def test_a_run_without_validation_has_no_metrics_and_one_from_nothing_no_start(tmp_path):
    settings = SETTINGS | {"init_from": None, "validation_set": None}
    about = run_metadata(tmp_path, {"iteration": 100, "settings": settings})
    assert "metrics" not in about
    assert "init_from" not in json.loads(about["recipe"])


def test_a_checkpoint_says_what_its_release_would(run):
    (checkpoint,) = (run / "checkpoints").iterdir()
    assert read_metadata(checkpoint) == run_metadata(run, {"iteration": 100, "settings": SETTINGS})


def test_the_release_at_the_end_of_a_run_says_all_of_it(run):
    (checkpoint,) = (run / "checkpoints").iterdir()
    state = torch.load(checkpoint, weights_only=True)
    folder = SimpleNamespace(path=run, newest_checkpoint=lambda: state)
    train.write_release(folder, RRDBNet(num_features=4, num_blocks=1, growth_channels=2))
    expected = run_metadata(run, {"iteration": 100, "settings": SETTINGS})
    assert read_metadata(run / "gan.pth") == {"scale": "4", **expected}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_release_says_what_it_was_given(rrdb, tmp_path, suffix):
    save_release(tmp_path / f"a{suffix}", rrdb, metadata={"recipe": "{}", "note": "é"})
    expected = {"recipe": "{}", "note": "é", "scale": "4"}
    assert read_metadata(tmp_path / f"a{suffix}") == expected


def test_what_programs_put_into_safetensors_for_themselves_is_not_taken_along(rrdb, tmp_path):
    save_file(rrdb.state_dict(), tmp_path / "a.safetensors", {"format": "pt", "author": "me"})
    assert read_metadata(tmp_path / "a.safetensors") == {"author": "me"}


@pytest.mark.parametrize("metadata", [None, 3, {"a": 1}])
def test_a_file_of_another_program_may_say_nothing_or_anything(rrdb, save, metadata):
    content = {"params": rrdb.state_dict(), "metadata": metadata}
    assert read_metadata(save(content)) == ({"a": "1"} if metadata == {"a": 1} else {})
    assert read_metadata(save(rrdb.state_dict())) == {}
    strange = {"params": rrdb.state_dict(), "settings": "none", "iteration": "last"}
    assert read_metadata(save(strange)) == {}


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"none\.pth is not a file"):
        read_metadata(tmp_path / "none.pth")
