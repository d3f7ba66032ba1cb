import json

import pytest
import torch
from safetensors import safe_open
from weight_samples import lively

from esrgan.networks import MSRResNet, RRDBNet, SRResNet
from esrgan.weights import WeightsError, load_generator, save_release

SUFFIXES = [".pth", ".safetensors"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "network",
    [
        lively(RRDBNet(num_features=4, num_blocks=1, growth_channels=2, residual_scaling=0.7)),
        lively(RRDBNet(num_features=4, num_blocks=1, growth_channels=2, scale=3, batch_norm=True)),
        lively(SRResNet(num_features=4, num_blocks=1, residual_scaling=0.2, batch_norm=True)),
        lively(MSRResNet(num_features=4, num_blocks=1, scale=3)),
    ],
)
def test_a_release_loads_as_the_network_it_was(tmp_path, assert_same_output, network, suffix):
    path = tmp_path / f"a{suffix}"
    save_release(path, network, metadata={})
    loaded = load_generator(path)
    assert loaded.architecture == network.architecture
    assert_same_output(loaded, network)


def test_basicsr_and_real_esrgan_find_their_keys(rrdb, tmp_path):
    save_release(tmp_path / "a.pth", rrdb, metadata={"iterations": "5"})
    content = torch.load(tmp_path / "a.pth", weights_only=True)
    for key in ("params", "params_ema"):
        assert list(content[key]) == list(rrdb.state_dict())
    first = content["params"]["conv_hr.weight"]
    assert first.data_ptr() == content["params_ema"]["conv_hr.weight"].data_ptr()
    assert content["metadata"] == {"scale": "4", "iterations": "5"}


def test_safetensors_carry_architecture_and_metadata(rrdb, tmp_path):
    save_release(tmp_path / "a.safetensors", rrdb, metadata={"iterations": "5"})
    with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert metadata["iterations"] == "5"
    assert json.loads(metadata["architecture"]) == rrdb.architecture


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_any_precision_and_memory_format_becomes_plain_float32(rrdb, tmp_path, suffix):
    network = rrdb.to(torch.bfloat16, memory_format=torch.channels_last)
    save_release(tmp_path / f"a{suffix}", network, metadata={})
    weight = load_generator(tmp_path / f"a{suffix}").conv_hr.weight
    assert (weight.dtype, weight.is_contiguous()) == (torch.float32, True)
    assert torch.equal(weight, network.conv_hr.weight.float())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_overwritten_unasked(rrdb, srresnet, tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    save_release(path, rrdb, metadata={})
    with pytest.raises(ValueError, match="exists"):
        save_release(path, srresnet, metadata={})
    assert load_generator(path).architecture == rrdb.architecture
    save_release(path, srresnet, metadata={}, overwrite=True)
    assert load_generator(path).architecture == srresnet.architecture
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_what_was_there(rrdb, srresnet, tmp_path, monkeypatch):
    path = tmp_path / "a.pth"
    save_release(path, rrdb, metadata={})

    def fail(_):
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        save_release(path, srresnet, metadata={}, overwrite=True)
    assert load_generator(path).architecture == rrdb.architecture
    assert list(tmp_path.iterdir()) == [path]


def test_a_network_with_values_not_finite_is_not_written(rrdb, tmp_path):
    rrdb.conv_hr.bias.data[0] = float("nan")
    with pytest.raises(WeightsError, match=r"conv_hr\.bias"):
        save_release(tmp_path / "a.pth", rrdb, metadata={})
    assert not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_written_is_named(rrdb, tmp_path):
    with pytest.raises(ValueError, match=r"a\.bin must end in \.pth or \.safetensors"):
        save_release(tmp_path / "a.bin", rrdb, metadata={})
    with pytest.raises(ValueError, match="does not exist"):
        save_release(tmp_path / "none" / "a.pth", rrdb, metadata={})
    (tmp_path / "folder.pth").mkdir()
    with pytest.raises(ValueError, match=r"folder\.pth exists"):
        save_release(tmp_path / "folder.pth", rrdb, metadata={}, overwrite=True)
