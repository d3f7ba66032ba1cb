"""The command itself; what it trains is tested in tests/end_to_end."""

import logging
import sys
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf

from esrgan.__main__ import main as esrgan_main
from esrgan.commands import train
from esrgan.networks import RRDBNet


@pytest.mark.parametrize(
    ("main", "command_line"),
    [
        (train.main, ["/somewhere/train.py", "experiment=quickstart"]),
        (esrgan_main, ["/somewhere/esrgan", "train", "experiment=quickstart"]),
    ],
)
def test_lightning_finds_the_command_that_was_given(main, command_line, monkeypatch):
    """It starts the processes of other GPUs by `sys.argv`."""
    seen = []
    monkeypatch.setattr(train, "train", lambda cfg: seen.append([cfg.name, *sys.argv]) or 0)
    monkeypatch.setattr(sys, "argv", command_line)
    assert main() == 0
    assert seen == [["quickstart", *command_line]]


def test_a_network_of_scale_2_starts_from_one_of_scale_4_as_real_esrgan_s_did(
    tmp_path, caplog, monkeypatch
):
    """All but the first convolution fits: with pixel-unshuffle it has four times the channels."""
    lightning = SimpleNamespace(seed_everything=lambda seed, verbose: torch.manual_seed(seed))
    monkeypatch.setitem(sys.modules, "pytorch_lightning", lightning)  # it takes seconds to import
    sizes = {"num_features": 4, "num_blocks": 2, "growth_channels": 2}
    x4plus = RRDBNet(**sizes).state_dict()
    torch.save({"params_ema": x4plus}, tmp_path / "RealESRGAN_x4plus.pth")
    settings = {
        "seed": 0,
        "scale": 2,
        "init_from": str(tmp_path / "RealESRGAN_x4plus.pth"),
        "generator": {"_target_": "esrgan.networks.RRDBNet", "scale": 2, **sizes},
    }
    with pytest.raises(ValueError, match=r"only in part \(init_partial=true loads that part\)"):
        train.new_generator(OmegaConf.create(settings | {"init_partial": False}), with_weights=True)
    with caplog.at_level(logging.INFO, logger="esrgan"):
        cfg = OmegaConf.create(settings | {"init_partial": True})
        network = train.new_generator(cfg, with_weights=True)
    assert network.scale == 2
    found = network.state_dict()
    assert found.keys() == x4plus.keys()
    fitting = [key for key in found if torch.equal(found[key], x4plus[key])]
    assert set(found) - set(fitting) == {"conv_first.weight"}
    assert found["conv_first.weight"].any()  # as it starts without a file
    assert "RealESRGAN_x4plus.pth: 71 of the network's 72 tensors fit" in caplog.text
    assert "1 of another shape: conv_first.weight (file 4x3x3x3, network 4x12x3x3)" in caplog.text


def test_what_a_gpu_cannot_do_the_same_way_twice_is_said_with_the_setting():
    class Trainer:
        def fit(self, *_):
            raise RuntimeError(
                "adaptive_max_pool2d_backward_cuda does not have a deterministic implementation, "
                "but you set 'torch.use_deterministic_algorithms(True)'."
            )

    with pytest.raises(ValueError, match=r"^deterministic \(true\).* adaptive_max.*=false") as said:
        train._fit(Trainer(), None, None)
    assert "\n" not in str(said.value)
