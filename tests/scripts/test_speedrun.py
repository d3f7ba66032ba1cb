"""A speedrun is measured, trained, scored and told in one row, here in seconds."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import speedrun

from esrgan.data import write_png

ROOT = Path(__file__).parents[2]
SMALL = (
    "generator.num_features=8",
    "generator.growth_channels=4",
    "generator.num_blocks=1",
    "patch_size=32",
    "batch_size=2",
    "schedule.warmup_iterations=1",
    "trainer.accelerator=cpu",
)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for name in ("train.py", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    for place in ("photographs", "data/Set5/HR"):
        (tmp_path / place).mkdir(parents=True)
        for name in "ab":
            image = np.random.default_rng(0).integers(0, 256, (64, 72, 3), np.uint8)
            write_png(tmp_path / place / f"{name}.png", image)
    return tmp_path


def started(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["speedrun.py", *words])
    return speedrun.main()


@pytest.mark.soak
def test_it_trains_as_long_as_asked_for_and_tells_what_came_of_it(checkout, monkeypatch, capfd):
    monkeypatch.setattr(speedrun, "MEASURED", (5, 205))
    asked = ("--photographs", "photographs", "--minutes", "0.8")
    assert started(monkeypatch, *SMALL, *asked) == 0
    output = capfd.readouterr().out
    iterations = int(re.search(r"to start: (\d+) iterations", output)[1])
    assert iterations > 205
    header, _, row = output.splitlines()[-3:]
    cells = dict(zip(*(re.findall(r"[^|\s][^|]*", line) for line in (header, row)), strict=True))
    told = {key.strip(): value.strip() for key, value in cells.items()}
    assert float(told["PSNR-Y"]) > 5
    assert told["iterations"] == f"{iterations:,}"
    assert told["changes"] == " ".join(SMALL)
    assert 0.1 < float(told["minutes"]) < 1.5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--minutes", "0"], r"--minutes \(0\) must be above 0"),
        (["patch_size"], "patch_size: a change is KEY=VALUE"),
        (["iterations=5"], "iterations=5: experiment, name and iterations are this script's"),
        ([], "data/BSDS400_x4 does not exist: give --photographs FOLDER"),
        (["--photographs", "p", "--benchmark", "Set6"], "--benchmark Set6 is not a folder"),
    ],
)
def test_what_cannot_work_is_refused_at_once(checkout, monkeypatch, words, message):
    with pytest.raises(ValueError, match=message):
        started(monkeypatch, *words)
