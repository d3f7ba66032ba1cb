"""A generator that is new to `esrgan.networks`: its weights need no change anywhere else."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from esrgan import networks
from esrgan.commands import export
from esrgan.errors import FAILED
from esrgan.networks import RRDBNet, SRResNet
from esrgan.weights import (
    EMA,
    RAW,
    WeightsError,
    generator_in,
    interpolate,
    load_generator,
    read_metadata,
    read_weights_file,
    save_onnx,
    save_release,
)


class Tiny(nn.Module):
    """Its layers have the names of SRResNet's, but their shapes do not show its scale."""

    def __init__(self, *, scale: int, width: int = 3, mode: str = "nearest") -> None:
        super().__init__()
        self.architecture = {"network": "Tiny", "scale": scale, "width": width, "mode": mode}
        self.scale = scale
        self.mode = mode
        self.body = nn.Sequential(nn.ModuleDict({"conv1": nn.Conv2d(3, width, 1)}))
        self.conv_body = nn.Conv2d(width, 3, 3, padding=1)
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.25), persistent=False)

    def forward(self, lq):
        features = self.conv_body(torch.relu(self.body[0]["conv1"](lq - self.mean)))
        return F.interpolate(features, scale_factor=self.scale, mode=self.mode) + self.mean


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    """As the line in `networks/__init__.py` does it."""
    monkeypatch.setattr(networks, "Tiny", Tiny, raising=False)


def tiny(seed=0, **arguments):
    torch.manual_seed(seed)
    return Tiny(**{"scale": 5, "mode": "bilinear"} | arguments).eval()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_its_release_is_read_again(tmp_path, assert_same_output, suffix):
    network = tiny()
    save_release(tmp_path / f"a{suffix}", network, metadata={"run": "b"})
    state = torch.get_rng_state()
    loaded = load_generator(tmp_path / f"a{suffix}")
    assert torch.equal(torch.get_rng_state(), state)
    assert isinstance(loaded, Tiny)
    assert (loaded.scale, loaded.architecture, loaded.training) == (5, network.architecture, False)
    assert_same_output(loaded, network)
    assert read_metadata(tmp_path / f"a{suffix}") == {"scale": "5", "run": "b"}


def test_either_set_of_weights_of_its_checkpoint_is_read(save, assert_same_output):
    ema, raw = tiny(1), tiny(2)
    state = {"ema": ema.state_dict(), "generator": raw.state_dict()}
    file = read_weights_file(save(state | {"architecture": raw.architecture}, "a.ckpt"))
    assert_same_output(generator_in(file, part=EMA), ema)
    assert_same_output(generator_in(file, part=RAW), raw)


def test_it_can_be_interpolated(assert_same_output):
    assert_same_output(interpolate(tiny(1), tiny(2), 1.0), tiny(2))
    with pytest.raises(ValueError, match="width is 3 and 4"):
        interpolate(tiny(), tiny(width=4), 0.5)


def test_it_can_be_exported(tmp_path, assert_same_output, capsys):
    save_release(tmp_path / "a.pth", tiny(), metadata={})
    assert export.main([f"{tmp_path}/a.pth", "--output", f"{tmp_path}/b.safetensors"]) == 0
    assert "96 parameters, network Tiny, scale 5, width 3, mode bilinear" in capsys.readouterr().out
    assert_same_output(load_generator(tmp_path / "b.safetensors"), tiny())
    options = ["--output", f"{tmp_path}/c.pth", "--layout", "2018"]
    assert export.main([f"{tmp_path}/a.pth", *options]) == FAILED
    assert "the layers of Tiny have one set of names" in capsys.readouterr().err


@pytest.mark.slow
def test_its_program_runs(tmp_path):
    assert save_onnx(tmp_path / "a.onnx", tiny(mode="nearest"), metadata={}) < 1e-5


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"width": 4}, r"looks like .*'width': 4.*of another shape: body\.0\.conv1\.weight"),
        ({"depth": 3}, r"builds no Tiny: .*unexpected keyword argument 'depth'"),
        ({"width": "3"}, "its architecture entry builds no Tiny"),
        ({"network": "UNetDiscriminator", "scale": None}, "builds no UNetDiscriminator"),
    ],
)
def test_an_entry_that_does_not_fit_is_refused(save, edit, message):
    network = tiny()
    declared = network.architecture | edit
    with pytest.raises(WeightsError, match=f"(?s){message}"):
        load_generator(save({"params": network.state_dict(), "architecture": declared}))


def test_an_entry_that_names_a_discriminator_is_refused(save):
    content = {"params": tiny().state_dict(), "architecture": {"network": "UNetDiscriminator"}}
    with pytest.raises(WeightsError, match="UNetDiscriminator, which is no generator"):
        load_generator(save(content))


@pytest.mark.parametrize(
    "name",
    ["os.system", "nn.Identity", "torch", "blocks", "scaled_kaiming", "__builtins__", None, 3, []],
)
def test_nothing_else_is_looked_up(save, name):
    network = SRResNet(num_features=4, num_blocks=1)
    content = {"params": network.state_dict(), "architecture": {"network": name}}
    assert isinstance(load_generator(save(content)), SRResNet)  # as the shapes say


def test_a_name_outside_of_the_networks_is_none(save, monkeypatch):
    monkeypatch.delattr(networks, "Tiny")
    network = tiny()
    with pytest.raises(WeightsError, match=r"conv_first\.weight is missing"):
        load_generator(save({"params": network.state_dict(), "architecture": network.architecture}))


def test_published_networks_are_still_read_from_shapes(tmp_path):
    network = RRDBNet(num_features=4, num_blocks=1, growth_channels=2)
    save_release(tmp_path / "a.pth", network, metadata={})
    content = torch.load(tmp_path / "a.pth", weights_only=True)
    content["architecture"] |= {"num_blocks": 10**9}
    del content["esrgan_digest"]
    torch.save(content, tmp_path / "a.pth")
    assert load_generator(tmp_path / "a.pth").architecture == network.architecture
