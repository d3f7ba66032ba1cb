"""What CONTRIBUTING promises: a loss, a generator, a metric is a file each, and at most a line."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOSS = '''
import torch
from torch import Tensor, nn


class FFTLoss(nn.Module):
    """Mean absolute difference of the spectra."""

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        return (torch.fft.rfft2(sr, norm="ortho") - torch.fft.rfft2(gt, norm="ortho")).abs().mean()
'''
LOSS_CONFIG = """\
# @package training.losses.fft
# Mean absolute difference of the spectra.
_target_: esrgan.losses.WeightedLoss
weight: 0.1
sharpened_gt: false
loss:
  _target_: esrgan.losses.fft.FFTLoss
"""
GENERATOR = '''
from torch import Tensor, nn


class EDSR(nn.Module):
    """A convolution, then pixel shuffle."""

    def __init__(self, *, scale: int = 4, num_features: int = 8) -> None:
        super().__init__()
        self.scale = scale
        self.architecture = {"network": "EDSR", "scale": scale, "num_features": num_features}
        self.conv_first = nn.Conv2d(3, num_features, 3, padding=1)
        self.conv_last = nn.Conv2d(num_features, 3 * scale**2, 3, padding=1)

    def forward(self, lq: Tensor) -> Tensor:
        return nn.functional.pixel_shuffle(self.conv_last(self.conv_first(lq).relu()), self.scale)
'''
METRIC = '''
import numpy as np

from esrgan.evaluation.metrics import Metric, plain
from esrgan.types import Image


def sharpness(sr: Image, gt: Image, *, crop: int) -> float:
    """Mean absolute difference of neighbours, in levels of 255."""
    return float(np.abs(np.diff(sr.astype(np.float64), axis=1)).mean())


SHARPNESS = Metric(
    name="SHARPNESS",
    larger_is_better=True,
    digits=3,
    about="mean absolute difference of horizontal neighbours",
    load=plain(sharpness),
    needs_reference=False,
)
'''
OWN_METRIC = "esrgan.evaluation.sharpness.SHARPNESS"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The project with the three additions, as a stranger would make them."""
    for name in ("esrgan", "configs", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "train.py", tmp_path)
    (tmp_path / "esrgan/losses/fft.py").write_text(LOSS)
    (tmp_path / "configs/losses/fft.yaml").write_text(LOSS_CONFIG)
    (tmp_path / "esrgan/evaluation/sharpness.py").write_text(METRIC)
    (tmp_path / "esrgan/networks/edsr.py").write_text(GENERATOR)
    (tmp_path / "configs/generator/edsr.yaml").write_text(
        "_target_: esrgan.networks.EDSR\nscale: ${scale}\nnum_features: 8\n"
    )
    with (tmp_path / "esrgan/networks/__init__.py").open("a") as file:
        file.write("from esrgan.networks.edsr import EDSR as EDSR\n")
    return tmp_path


def run(checkout: Path, *words: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_strangers_loss_generator_and_metric_go_all_the_way(checkout, sets) -> None:
    held_out = sets["validation_set"]
    settings = {
        "experiment": "quickstart",
        "generator": "edsr",
        "losses": "fft",
        "metrics": f"[PSNR-Y,{OWN_METRIC}]",
        "checkpoints.monitor": "SHARPNESS",
        "checkpoints.every": 2,
        "checkpoints.keep_last": 2,
        "validation.every": 2,
        "iterations": 12,
        "schedule.warmup_iterations": 2,
        "patch_size": 32,
        "batch_size": 2,
        "log_every": 4,
        "trainer.accelerator": "cpu",
        "precision": "32-true",
        "data.num_workers": 0,
        **sets,
    }
    run(checkout, "train.py", *(f"{key}={value}" for key, value in settings.items()))

    folder = checkout / "experiments/quickstart"
    rows = list(csv.DictReader((folder / "val.csv").open()))
    best = max(rows, key=lambda row: float(row["SHARPNESS"]))
    kept = {int(path.name[10:18]) for path in (folder / "checkpoints").glob("*.ckpt")}
    assert kept == {10, 12, int(best["iteration"])}
    assert float((folder / "train.csv").read_text().splitlines()[-1].split(",")[2]) > 0  # fft

    table = run(
        checkout,
        *("scripts/evaluate.py", "bicubic", folder, "--benchmark", held_out),
        *("--metrics", "PSNR-Y", OWN_METRIC, "--device", "cpu"),
    )
    assert "SHARPNESS ↑" in table and "| GT" in table
    run(checkout, "scripts/upscale.py", folder, held_out, "--output", "large", "--device", "cpu")
    assert {path.name for path in (checkout / "large").iterdir()} == {"x.png", "y.png"}
    run(checkout, "scripts/export.py", folder, "--output", "edsr.safetensors")
