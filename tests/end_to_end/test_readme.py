"""Every command that the READMEs show is run, in their order, in a folder of its own.

What is substituted, and why, stands in this file: sizes, so that minutes become seconds; data and
weights that would have to be downloaded, by small ones under the same names; what is not here.
"""

import re
import shlex
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from small_videos import write_clip

from esrgan.__main__ import COMMANDS
from esrgan.commands.configs import configs_folder
from esrgan.data import CODECS, Recipe, build_dataset, write_png
from esrgan.degradations import resize_double
from esrgan.downloads.table import read_table
from esrgan.networks import RRDBNet, SRVGGNetCompact
from esrgan.runs import RunFolder
from esrgan.weights import save_release

ROOT = Path(__file__).parents[2]
PROGRAMS = ("python ", "esrgan ", "make ", "torchrun ", "srun ", "git ", "source ", "pip ")
NOT_OURS = ("git", "source", "pip")

SMALL = {
    "generator.num_features": 8,
    "generator.num_blocks": 1,
    "batch_size": 2,
    "iterations": 2,
    "log_every": 1,
    "trainer.accelerator": "cpu",
    "precision": "32-true",
    "data.num_workers": 0,
    "patch_size": 32,
}
SMALL_RRDB = {"generator.growth_channels": 4}
SMALL_GAN = {
    "discriminator.num_features": 4,
    "training.losses.perceptual.loss.weights": "random",  # VGG19 is a download
    "training.losses.perceptual.loss.layers.conv5_4": "null",
    "+training.losses.perceptual.loss.layers.conv1_2": 1.0,
}
SMALL_BLIND = {
    "data.train.crop": 80,
    "data.train.small": "skip",  # the reduced versions
    "validation_set": "data/Set5/HR",
    "init_from": "null",  # a download
    "metrics": "[PSNR-Y]",
    "checkpoints.monitor": "PSNR-Y",
}
SMALL_BLIND_GAN = {
    "discriminator.num_features": 4,
    "training.losses.perceptual.loss.network": "vgg19",
    "training.losses.perceptual.loss.weights": "random",
    **{
        f"++training.losses.perceptual.loss.layers.{layer}": "null"
        for layer in ("conv2_2", "conv3_3", "conv3_4", "conv4_3", "conv4_4", "conv5_3", "conv5_4")
    },
}
OTHER_WORDS = {
    "training.losses.perceptual.loss.weights=vgg16_features_fp16.safetensors": (
        "training.losses.perceptual.loss.weights=random"
    ),
    "LPIPS": "CONTRAST",
    "losses=[ms_ssim,chroma]": "losses=[focal_frequency,chroma]",  # patches are too small for it
    # LPIPS needs a network that is a download, W&B a package and a service
    "metrics=[PSNR-Y,LPIPS]": "metrics=[PSNR-Y,COLOR-DRIFT]",
    "checkpoints.monitor=LPIPS": "checkpoints.monitor=COLOR-DRIFT",
    "logger=wandb": "logger=default",
    # two jobs in the place of six
    "patch_size=96,128,192": "patch_size=32,64",
    "seed=0,1": "seed=0",
    "patch_size=192": "patch_size=48",
    "400": "32",  # what --skip-small leaves out: the images here are smaller
}
# More processes than two cores have, which test_launchers.py and test_sweeps.py start: here they
# are composed, not run.
ONLY_COMPOSED = ("trainer=ddp", "experiment=ablation/column2,")
# Trained before the sweep is, which then starts one process that imports all, not two.
FIRST_JOB = {"patch_size=32,64": "patch_size=32", "-m": "name='srresnet_psnr/patch_size=32'"}
MADE_DEMO = (  # what `make demo` runs, but for the table and the picture at its end
    "python scripts/prepare_data.py data/sample/train --output data/sample_x4",
    "python train.py experiment=quickstart",
)
DATA_SETS = {  # that no command of it builds
    "README.md": ("DF2K_x4", "DF2K_OST_x4", "mine_gt"),
    "configs/README.md": ("DF2K_x4", "DF2K_OST_x4"),
}


def commands(document: str) -> list[str]:
    """The lines of the code blocks that begin with a program; continued lines are joined."""
    text = (ROOT / document).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    return [re.sub(r"\s{2,}# .*", "", line) for line in lines if line.startswith(PROGRAMS)]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with data and weights under the names that the READMEs have for them."""
    random = np.random.default_rng(0)

    def images(place: str, names: str, size: tuple[int, int]) -> None:
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        for name in names.split():
            pixels = random.integers(0, 256, (*size, 3), np.uint8)
            write_png(tmp_path / place / f"{name}.png", pixels)

    images("data/DIV2K/train", "0001 0002", (96, 84))
    images("data/Flickr2K", "0003", (72, 64))
    images("data/sample/train", "rocket flower", (72, 64))
    images("BSDS400", "22090", (72, 64))
    images("BSDS380", "22090 35010", (96, 84))
    for place in ("data/Set5/HR", "Set5/HR", "BSDS20", "data/Set14/HR", "data/sample/held_out"):
        images(place, "baby bird", (112, 208))
    shutil.copytree(tmp_path / "data/Set5/HR", tmp_path / "results/RCANplus_x4")
    for place in ("data/mine", "data/mine_x1_held_out"):  # of one size, clean and damaged
        for half in ("gt", "lq"):
            images(f"{place}/{half}", "a b", (40, 48))
    images("photos", "a", (12, 16))
    images("lq", "a", (24, 28))
    images("", "baby", (24, 28))
    write_clip(tmp_path / "clip.mp4", num_frames=3)
    (tmp_path / "data/niqe").mkdir()
    statistics = {"mu_pris_param": np.zeros((1, 36)), "cov_pris_param": np.eye(36)}
    np.savez(tmp_path / "data/niqe/niqe_pris_params.npz", **statistics)
    torch.manual_seed(0)
    for name in ("RealESRGAN_x4plus_anime_6B", "RRDB_PSNR_x4"):
        network = RRDBNet(num_features=8, num_blocks=1, growth_channels=4)
        save_release(tmp_path / f"{name}.pth", network, metadata={})
    (tmp_path / "data/weights").mkdir()
    for name in ("realesr-general-x4v3", "realesr-general-wdn-x4v3"):
        network = SRVGGNetCompact(num_features=8, num_convs=2)
        save_release(tmp_path / f"data/weights/{name}.pth", network, metadata={})
    own = tmp_path / "my_configs/experiment/mine.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("# @package _global_\ndefaults:\n  - /experiment/quickstart\n  - _self_\n")
    return tmp_path


class Reader:
    """Types what a document shows."""

    def __init__(self, home: Path, server) -> None:
        self.home, self.server = home, server

    def run(self, command: str) -> None:
        program, *words = [OTHER_WORDS.get(word, word) for word in shlex.split(command)]
        if program in NOT_OURS:
            return
        if program == "make":
            (target,) = words
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
            for line in MADE_DEMO if target == "demo" else ():
                self.run(line)
            return
        if program in ("torchrun", "srun"):
            words = words[words.index("train.py") :]
        script, *words = words
        if script in ("train", "train.py"):
            self.train(words)
        elif script == "scripts/download_data.py":
            self.look_up(words)
        else:
            if script == "scripts/replay.py":
                self.skip(Path(words[0]))
            door = (ROOT / script).read_text()
            module = import_module(re.search(r"from (esrgan\.commands\.\w+) import", door)[1])
            assert module.main(in_small(script, words)) == 0

    def train(self, words: list[str]) -> None:
        if any(word.startswith(ONLY_COMPOSED) for word in words):
            words = [*words, "--cfg", "job", "--resolve"]
        elif words and "--cfg" not in words:
            words = [*words, *self.in_small(words)]
        if "-m" in words and "--cfg" not in words:
            self.start([FIRST_JOB.get(word, word) for word in words])
        self.start(words)

    def start(self, words: list[str]) -> None:
        training = self.server.start(self.home, {}, words=words)
        assert training.wait() == 0, training.stderr

    def in_small(self, words: list[str]) -> list[str]:
        """Settings to add to a training, but for those that it is given."""
        given = dict(word.split("=", 1) for word in words if "=" in word)
        experiment = given["experiment"]
        is_gan, is_blind = "gan" in experiment, "realesr" in experiment or "blind" in experiment
        of_stage = SMALL_BLIND_GAN if is_blind else SMALL_GAN
        settings = SMALL | (of_stage if is_gan else {}) | (SMALL_BLIND if is_blind else {})
        if experiment.startswith("realesrgan_finetune"):
            settings |= {"init_discriminator_from": "null"}
        if "srresnet" not in experiment:
            settings |= SMALL_RRDB
        if ("light" in experiment and not is_gan) or experiment in ("quickstart", "mine"):
            settings |= {"schedule.warmup_iterations": 1}
        if experiment.startswith("rrdb_x1"):
            settings |= {"init_from": "null", "schedule.warmup_iterations": 1}  # a download
        if experiment == "quickstart_dejpeg":
            del settings["generator.num_blocks"], settings["generator.growth_channels"]
            settings |= {"generator.num_convs": 2, "schedule.warmup_iterations": 1}
        if "generator" in given:  # that of a file has no settings
            settings = {k: v for k, v in settings.items() if not k.startswith("generator.")}
        name = given.get("name", experiment)
        if (self.home / "experiments" / name).exists():  # another way to do what was done before
            runs = len(list((self.home / "experiments").iterdir()))
            settings |= {"name": f"again_{runs}"}
        return [f"{key}={value}" for key, value in settings.items() if key not in given]

    def skip(self, file: Path) -> None:
        """Keep a batch of a run that was trained before, as if it had not been finite."""
        run = RunFolder(file.parents[1])
        state = run.newest_checkpoint()
        kept = {"samples": {0: "0001", 1: "0002"}, "weights_of": 2, "settings": state["settings"]}
        batch = {"lq": torch.zeros(2, 8, 8, 3), "gt": torch.zeros(2, 32, 32, 3)}
        of_state = {key: state[key] for key in ("iteration", "architecture", "generator")}
        run.skipped.mkdir()
        torch.save(kept | of_state | {"batch": batch}, file)

    def look_up(self, words: list[str]) -> None:
        """What would be fetched is in the table; tests/downloads fetch from a server of theirs."""
        table = read_table(yaml.safe_load((configs_folder() / "downloads.yaml").read_text()))
        assert {word for word in words if not word.startswith(("-", "~"))} <= set(table)


def in_small(script: str, words: list[str]) -> list[str]:
    if "fixed/gt:fixed/lq" in words:  # by networks of two iterations, which are flat
        return ["PSNR-RGB" if word == "NIQE" else word for word in words]
    if script == "scripts/preview.py":
        crops = ["data.train.crop=80", "data.train.small=skip", "patch_size=32"]
        return [*crops, *words, "--strength", "20"]
    return words


@pytest.mark.slow
@pytest.mark.parametrize(
    "document", ["README.md", "configs/README.md", "data/README.md", "experiments/README.md"]
)
def test_the_commands_of_a_readme_work(document, home, server, monkeypatch, capfd) -> None:
    recipe = Recipe(scale=4, codec=CODECS["raw"], downscale=resize_double)
    for name in DATA_SETS.get(document, ()):
        build_dataset(home / "data" / name, recipe, gt_folders=[home / "data/DIV2K/train"])
    monkeypatch.chdir(home)
    reader = Reader(home, server)
    shown = commands(document)
    assert shown
    for command in shown:
        try:
            reader.run(command)
        except BaseException as error:
            said = capfd.readouterr().err[-2000:]
            raise AssertionError(f"{document}: {command}\n{error}\n{said}") from error


def test_the_readme_shows_every_command() -> None:
    shown = " ".join(commands("README.md"))
    for name in COMMANDS:
        assert re.search(name.replace("-", "[-_]"), shown), f"README.md does not show {name}"
