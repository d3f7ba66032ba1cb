"""What Windows and macOS lack is needed nowhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from esrgan.data import read_image
from esrgan.runs import read_newest

SCRIPT = Path(__file__).with_name("without_linux.py")
ROOT = Path(__file__).parents[2]
SMALL = {
    "experiment": "quickstart",
    "name": "run",
    "train_set": "set_x4",
    "patch_size": 32,
    "batch_size": 2,
    "iterations": 6,
    "schedule.warmup_iterations": 2,
    "log_every": 2,
    "validation.every": 3,
    "checkpoints.every": 3,
    "generator.num_features": 8,
    "trainer.accelerator": "cpu",
    "precision": "32-true",
    "data.num_workers": 2,
}


def run(folder, *commands, **environment):
    return subprocess.run(
        [sys.executable, SCRIPT, *commands],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        encoding=environment.get("PYTHONIOENCODING"),
        check=False,
    )


@pytest.mark.slow
def test_every_module_is_imported_without_the_names_of_linux(tmp_path):
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_data_set_a_training_and_an_upscaling_need_no_name_of_linux(sets, tmp_path):
    held_out = sets["validation_set"]
    words = " ".join(f"{key}={value}" for key, value in SMALL.items())
    done = run(
        tmp_path,
        f"prepare-data {held_out.parent / 'photos'} --output set_x4 --scale 4",
        f"train {words} validation_set={held_out}",
        f"upscale experiments/run {held_out} --output larger",
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert read_newest(tmp_path / "experiments/run/checkpoints")["iteration"] == 6
    assert read_image(tmp_path / "larger/x.png").shape == (192, 224, 3)


def test_a_console_that_lacks_a_character_shows_it_otherwise(sets, tmp_path):
    words = f"evaluate bicubic --benchmark {sets['validation_set']} --metrics PSNR-Y"
    command = [sys.executable, "-m", "esrgan", *words.split()]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        encoding="cp1252",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "PSNR-Y \\u2191" in done.stdout
