"""Networks that spandrel has: trained, killed, continued, evaluated, upscaled, exported."""

import numpy as np
import pytest
import torch
from killing import kill_and_resume
from run_content import content
from spandrel import ModelLoader

from esrgan.commands import evaluate, export, upscale
from esrgan.data import read_image

SWIN = {"embed_dim": 12, "num_heads": "[2]", "upsampler": "pixelshuffledirect"}
NETWORKS = {
    "Compact": {"num_feat": 8, "num_conv": 2},
    "SPAN": {"feature_channels": 8},
    "SwinIR": {**SWIN, "depths": "[2]", "window_size": 8, "mlp_ratio": 2},
    "DAT": {**SWIN, "embed_dim": 16, "depth": "[2]", "split_size": "[2,4]", "expansion_factor": 1},
    "PLKSR": {"dim": 8, "n_blocks": 1, "kernel_size": 5},
}
LONG = [name if name == "SPAN" else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS]


def settings_of(settings, name):
    kept = {key: value for key, value in settings.items() if not key.startswith("generator.")}
    own = {f"generator.parameters.{key}": value for key, value in NETWORKS[name].items()}
    return kept | {
        "generator": "spandrel",
        "generator.architecture": name,
        **own,
        "iterations": 20,
        "training.optimizer.lr": 1e-3,
        "training.ema_decay": 0.9,
    }


@pytest.fixture(params=LONG)
def trained(request, server, settings, tmp_path):
    """The settings of a run of 20 iterations, and its folder."""
    (tmp_path / "whole").mkdir()
    chosen = settings_of(settings, request.param)
    training = server.start(tmp_path / "whole", chosen)
    assert training.wait() == 0, training.stderr
    return chosen, training.run


def test_a_run_is_continued_in_every_bit_and_what_it_releases_is_used(trained, server, tmp_path):
    settings, run = trained
    (tmp_path / "killed").mkdir()
    kill_and_resume(server, tmp_path / "killed", settings, num_kills=2)
    assert content(tmp_path / "killed/experiments/run") == content(run)

    held_out, exported = settings["validation_set"], tmp_path / "exported.safetensors"
    benchmark = ["--benchmark", str(held_out), "--output", str(tmp_path / "scores")]
    assert evaluate.main([str(run), *benchmark]) == 0
    assert export.main([str(run), "--output", str(exported)]) == 0
    opened = ModelLoader().load_from_file(exported)
    tiles = ["--tile", "16", "--output", str(tmp_path / "tiles"), "--precision", "fp32"]
    assert upscale.main([str(run), str(held_out), *tiles]) == 0
    for path in sorted(held_out.iterdir()):
        lq = torch.from_numpy(read_image(path)).permute(2, 0, 1)[None] / 255
        whole = opened(lq)[0].permute(1, 2, 0).numpy() * 255
        tiled = read_image(tmp_path / "tiles" / path.name)
        assert np.abs(tiled - whole).max() < 1.5
