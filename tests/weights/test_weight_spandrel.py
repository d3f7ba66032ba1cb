"""Files of networks that are not ours: read by spandrel, written so that spandrel reads them."""

import json

import pytest
import torch
from safetensors import safe_open
from spandrel import ModelLoader
from spandrel.architectures.Compact import Compact
from spandrel_samples import SMALL, small

from esrgan.networks import RRDBNet, SRVGGNetCompact, spandrel_library
from esrgan.weights import (
    WeightsError,
    architecture_of,
    interpolate,
    load_discriminator,
    load_generator,
    load_into,
    note_for_others,
    origin_of,
    portable,
    save_onnx,
    save_release,
    scale_of,
)


@pytest.fixture
def lq():
    return torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", SMALL)
def test_a_release_is_the_same_network_here_and_in_spandrel(tmp_path, name, suffix, lq):
    network, path = small(name), tmp_path / f"a{suffix}"
    save_release(path, network, metadata={"epoch": "1"})
    loaded = load_generator(path)
    assert architecture_of(loaded) == architecture_of(network)
    with torch.no_grad():
        expected = network(lq)
        assert torch.equal(loaded(lq), expected)
    theirs = ModelLoader().load_from_file(path)(lq)
    torch.testing.assert_close(theirs, expected.clamp(0, 1), rtol=0, atol=1e-6)
    assert note_for_others(network, name="a") is None
    assert portable(network) is network


@pytest.mark.parametrize("name", [name for name in SMALL if name != "Compact"])
@pytest.mark.parametrize("wrapper", ["params_ema", "state_dict", None])
def test_a_public_file_is_read(save, name, wrapper, lq):
    """Of which nothing is known but its weights."""
    network = small(name)
    state = network.state_dict()
    loaded = load_generator(save({wrapper: state} if wrapper else state))
    assert scale_of(loaded) == 4
    assert not loaded.training
    assert origin_of(loaded).startswith(f"{name} of spandrel, whose code is under ")
    with torch.no_grad():
        assert torch.equal(loaded(lq), network(lq))


def test_our_own_networks_are_preferred(save):
    network = small("Compact")
    assert isinstance(load_generator(save(network.state_dict())), SRVGGNetCompact)
    assert origin_of(load_generator(save(network.state_dict()))) is None


def test_networks_with_other_names_in_their_files_are_started_from(save, lq):
    """Spandrel's ESRGAN has the names of 2018; a file of Real-ESRGAN has today's."""
    network = small("ESRGAN", num_filters=8, num_blocks=1)
    torch.manual_seed(1)
    other = RRDBNet(num_features=8, num_blocks=1).eval()
    assert load_into(network, save(other.state_dict()), allow_partial=False).complete
    with torch.no_grad():
        torch.testing.assert_close(network(lq), other(lq))
    path = save({"architecture": network.architecture, "params": network.state_dict()}, "own.pth")
    with torch.no_grad():
        torch.testing.assert_close(load_generator(path)(lq), other(lq))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (
            lambda: Compact(num_in_ch=1, num_out_ch=1, num_feat=8, num_conv=1).state_dict(),
            r"RealESRGAN Compact from 1 to 1 channels: networks from RGB to RGB",
        ),
        (
            lambda: Compact(num_in_ch=4, num_out_ch=4, num_feat=8, num_conv=1).state_dict(),
            r"from 4 to 4 channels: .* no grey or transparent ones",
        ),
    ],
)
def test_channels_that_are_not_rgb_are_refused_by_name(save, state, said):
    with pytest.raises(WeightsError, match=said):
        load_generator(save(state()))


def test_a_network_that_fills_in_is_refused_by_name(save):
    from spandrel.architectures.LaMa import LaMa

    state = LaMa(in_nc=4, out_nc=3).state_dict()
    with pytest.raises(WeightsError, match=r"LaMa, which fills in what a mask leaves out"):
        load_generator(save(state))


def test_without_spandrel_it_is_said_how_it_is_installed(save, monkeypatch):
    path = save(small("SPAN").state_dict())
    monkeypatch.setattr(spandrel_library, "find_spec", lambda _: None)
    with pytest.raises(WeightsError, match=r"it holds neither .* pip install 'esrgan\[spandrel\]'"):
        load_generator(path)
    with pytest.raises(WeightsError, match=r"pip install"):
        load_discriminator(path)


def test_what_is_not_to_be_seen_in_a_file_is_said(tmp_path):
    """The range of SPAN's numbers: its weights mean something else where it is another."""
    network = small("SPAN", img_range=1.0)
    said = note_for_others(network, name="a.pth")
    assert "they take img_range 255.0 for 1.0" in said
    save_release(tmp_path / "a.pth", network, metadata={})
    assert load_generator(tmp_path / "a.pth").architecture["parameters"]["img_range"] == 1.0


def test_interpolation_is_that_of_the_weights_that_are_trained(lq):
    a, b = small("SPAN"), small("SPAN")
    with torch.no_grad():
        for weight in b.parameters():
            weight.mul_(1.1)
        middle = interpolate(a, b, 1.0)
        assert torch.equal(middle(lq), b(lq))


def test_the_scale_that_is_asked_for_must_be_that_of_the_file(save):
    with pytest.raises(WeightsError, match=r"is of scale 4, not 2"):
        load_generator(save(small("SPAN").state_dict()), scale=2)


def test_safetensors_say_what_builds_the_network(tmp_path):
    save_release(tmp_path / "a.safetensors", small("PLKSR"), metadata={})
    with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        about = json.loads(file.metadata()["architecture"])
    assert about["network"] == "PLKSR"
    assert about["library"] == "spandrel"
    assert about["parameters"]["kernel_size"] == 5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SPAN", "PLKSR"])
def test_convolutions_become_a_program(tmp_path, name):
    assert save_onnx(tmp_path / "a.onnx", small(name), metadata={}) < 1e-4


@pytest.mark.soak
def test_windows_become_none_in_one_line(tmp_path):
    with pytest.raises(
        WeightsError, match=r"cannot be made a program for images of every size .*--shape 1x3x256"
    ) as caught:
        save_onnx(tmp_path / "a.onnx", small("SwinIR"), metadata={})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.onnx").exists()
    assert save_onnx(tmp_path / "a.onnx", small("SwinIR"), metadata={}, shape=(1, 32, 48)) < 1e-4


def test_the_second_package_is_used_where_it_is_installed(save, lq):
    pytest.importorskip("spandrel_extra_arches")
    network = small("SRFormer", **{**SMALL["SwinIR"], "depths": [2]})
    loaded = load_generator(save(network.state_dict()))
    assert "non-commercial or copyleft" in origin_of(loaded)
    with torch.no_grad():
        assert torch.equal(loaded(lq), network(lq))
