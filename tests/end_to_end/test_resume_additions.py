"""Losses and optimizers of choice: a run of 20 iterations that is killed ends in the same bits."""

import json
import re

import pytest
import torch
from killing import kill_in_a_write, resume
from run_content import content

from esrgan.runs import read_newest
from esrgan.runs.logs import read_log
from esrgan.weights import load_state_dict_file

SHORT = {"iterations": 20, "metrics": "[PSNR-Y]"}
PLAIN = SHORT | {
    "experiment": "rrdb_psnr",  # which says nothing of optimizer and schedule itself
    "schedule": "constant",
    "training.optimizer.lr": 1e-3,
}
LOSSES = SHORT | {
    "losses": "[charbonnier,ms_ssim,focal_frequency,ldl,luma,chroma]",
    "training.losses.ms_ssim.loss.scales": 2,
    "training.ema_decay": 0.9,
}
LEARNED = SHORT | {
    "losses": "[lpips,dists]",
    "training.losses.lpips.loss.weights": "random",
    "training.losses.dists.loss.weights": "random",
}
KINDS = {
    "losses": LOSSES,
    "learned_losses": LEARNED,
    "adan": PLAIN
    | {  # tests/test_configs.py has optimizer=adan
        "training.optimizer._target_": "pytorch_optimizer.Adan",
        "training.optimizer.betas": "[0.98,0.92,0.99]",
    },
    "muon": PLAIN | {"optimizer": "muon"},
    "schedule_free": PLAIN | {"optimizer": "schedule_free"},
    "schedule_free_with_ema": PLAIN | {"optimizer": "schedule_free", "training.ema_decay": 0.9},
}


def of_kind(kind, settings):
    if "losses" not in KINDS[kind]:
        pytest.importorskip("pytorch_optimizer")
    changes = KINDS[kind]
    ours = settings | changes
    if "schedule" in changes:
        ours = {key: value for key, value in ours.items() if not key.startswith("schedule.")}
    return ours


@pytest.fixture(
    scope="module",
    params=["schedule_free"]
    + [
        pytest.param(
            kind, marks=pytest.mark.slow if kind in ("losses", "muon") else pytest.mark.soak
        )
        for kind in KINDS
        if kind != "schedule_free"
    ],
)
def whole(request, server, settings, tmp_path_factory):
    """A kind of run that nothing interrupted, and its settings."""
    ours = of_kind(request.param, settings)
    training = server.start(tmp_path_factory.mktemp("whole"), ours)
    assert training.wait() == 0, training.stderr
    return request.param, ours, training


def test_a_run_that_is_killed_ends_in_the_same_bits(server, whole, tmp_path):
    _, ours, training = whole
    kill_in_a_write(server, tmp_path, ours, after=7)
    resumed = resume(server, tmp_path, ours)
    assert resumed.wait() == 0, resumed.stderr
    assert re.search(r"from iteration (5|10|15) to 20", resumed.stdout)
    assert content(resumed.run) == content(training.run)


def test_what_is_released_is_what_is_validated(whole):
    """Of a schedule-free run, not the weights that it trains at."""
    kind, _, training = whole
    state = read_newest(training.run / "checkpoints")
    released = load_state_dict_file(training.run / "run.pth")
    averages = kind not in ("adan", "muon")
    used = state["ema" if averages else "generator"]
    assert all(torch.equal(released[key], used[key]) for key in used)
    if averages:
        assert any(not torch.equal(used[key], state["generator"][key]) for key in used)


def test_what_only_adam_knows_is_no_setting_of_another_optimizer(whole):
    _, _, training = whole
    optimizer = json.loads((training.run / "settings.json").read_text())["training"]["optimizer"]
    assert ("fused" in optimizer) == (optimizer["_target_"] == "torch.optim.Adam")


def test_each_loss_has_its_column(whole):
    _, ours, training = whole
    if "losses" in ours:
        rows = read_log(training.run / "train.csv")
        names = ours["losses"].strip("[]").split(",")
        assert all(row[name] > 0 for row in rows for name in ["pixel", *names])


@pytest.mark.slow
def test_a_gan_with_ldl_that_is_killed_ends_in_the_same_bits(server, gan_settings, tmp_path):
    ours = gan_settings | SHORT | {"losses": "[ldl,chroma]"}
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    training = server.start(tmp_path / "whole", ours)
    assert training.wait() == 0, training.stderr
    kill_in_a_write(server, tmp_path / "killed", ours, after=7)
    resumed = resume(server, tmp_path / "killed", ours)
    assert resumed.wait() == 0, resumed.stderr
    assert content(resumed.run) == content(training.run)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"losses": "ldl", "training.ema_decay": "null"},
            r"training.losses.ldl compares with the EMA .*ema_decay=0.999",
        ),
        (
            {"losses": "ms_ssim"},
            r"ms_ssim: patch_size \(32\) must be at least 88 for 4 scales: give \S+scales=2, or",
        ),
        ({"losses": "mssim"}, r"losses/mssim does not exist: did you mean ms_ssim"),
        (
            {"training.optimizer._target_": "pytorch_optimizer.Adan"},
            r"optimizer.betas \(\[0.9, 0.99\d?\]\) must be 3 numbers.*=\[0.98,0.92,0.99\]",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    server, settings, tmp_path, changes, words
):
    if "losses" not in changes:
        pytest.importorskip("pytorch_optimizer")
    training = server.start(tmp_path, settings | changes)
    assert training.wait() == 2
    assert re.search(words, training.stderr), training.stderr
    assert len(training.stderr.splitlines()) == 1
    assert not (tmp_path / "experiments").exists()
