"""Networks that spandrel has, against spandrel's own call."""

from copy import deepcopy

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from spandrel import MAIN_REGISTRY, ModelLoader
from spandrel_samples import SMALL, small
from torch import nn

from esrgan.commands.configs import configs_folder
from esrgan.networks import new_spandrel_network, read_spandrel_network, spandrel_library
from esrgan.networks.spandrel_network import rebuild_spandrel_network


@pytest.fixture
def lq():
    return torch.rand(1, 3, 21, 13, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", SMALL)
def test_the_output_is_that_of_spandrels_own_call(name, lq):
    """Also for sides that are below the least that the network takes, and of no multiple."""
    network = small(name)
    with torch.no_grad():
        sr = network(lq)
    theirs = MAIN_REGISTRY.load(network.state_dict())(lq)
    assert sr.shape == (1, 3, 84, 52)
    torch.testing.assert_close(sr.clamp(0, 1), theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", SMALL)
def test_evaluation_leaves_no_trace_and_training_is_not_evaluation(name, lq):
    network, before = small(name), {}
    for key, tensor in network.state_dict().items():
        before[key] = tensor.clone()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
        changed = deepcopy(network.state_dict())
        network(lq)
    after = network.state_dict()
    assert all(torch.equal(changed[key], after[key]) for key in after)
    assert list(after) == list(before)
    loss = network.train()(lq.expand(2, -1, -1, -1)).sum()  # BatchNorm asks for two images
    loss.backward()
    assert network.training
    gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_an_input_is_not_written_over():
    """As RCAN does it: x *= 255."""
    network = small("RCAN", n_resgroups=1, n_resblocks=1, n_feats=16)
    lq = torch.rand(1, 3, 16, 16)
    before = lq.clone()
    with torch.no_grad():
        first, second = network(lq), network(lq)
    assert torch.equal(lq, before)
    assert torch.equal(first, second)


def test_a_file_has_the_weights_that_evaluation_computes(lq):
    """SPAN's one convolution for three, which a program that only reads files may use as it is."""
    network = small("SPAN")
    with torch.no_grad():
        network.network.conv_1.sk.weight.add_(1)
        expected = network(lq)
        fused = network.network.conv_1.eval_conv.weight.clone()
        network.settle()
    assert not torch.equal(network.network.conv_1.eval_conv.weight, fused)
    assert network.writes_weights()
    assert not small("SwinIR").writes_weights()
    for layer in network.modules():  # what update_params would do is not done
        if hasattr(layer, "update_params"):
            layer.update_params = lambda: None
    with torch.no_grad():
        torch.testing.assert_close(network(lq), expected)


@pytest.mark.parametrize("name", SMALL)
def test_a_network_is_read_and_built_again(name, lq):
    network = small(name)
    state = network.state_dict()
    read, rebuilt = read_spandrel_network(state), rebuild_spandrel_network(network.architecture)
    rebuilt.load_state_dict(state)
    with torch.no_grad():
        expected = network(lq)
        for other in (read, rebuilt, deepcopy(network)):
            assert torch.equal(other.eval()(lq), expected)
            assert other.architecture == network.architecture
            assert list(other.state_dict()) == list(state)


def test_names_of_weights_are_those_of_the_network_in_a_larger_module_too():
    network = small("Compact")
    larger = nn.Sequential(network)
    assert {key.removeprefix("0.") for key in larger.state_dict()} == set(network.state_dict())
    assert "body.0.weight" in network.state_dict()
    larger.load_state_dict({f"0.{k}": v + 1 for k, v in network.state_dict().items()})
    with pytest.raises(RuntimeError, match="Missing key"):
        network.load_state_dict({})


def test_a_library_that_is_not_there_is_a_line_with_the_command(monkeypatch):
    monkeypatch.setattr(spandrel_library, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"not installed.*pip install 'esrgan\[spandrel\]'"):
        new_spandrel_network(architecture="SPAN", scale=4)


@pytest.mark.parametrize(
    ("architecture", "scale", "parameters", "said"),
    [
        (None, 4, {}, r"generator.architecture \(None\) must be one of spandrel's: .*ATD, .*SPAN"),
        ("SPAM", 4, {}, r"\(SPAM\) must be one of .*RealPLKSR"),
        ("SPAN", 4, {"features": 8}, r"parameters.features is no parameter of SPAN.*feature_ch"),
        ("SPAN", 4, {"feature_channels": "x"}, r"builds no SPAN .*Its parameters are num_in_ch"),
        ("SwinIR", 4, {"window_size": 8}, r"makes a network of scale 1, not 4.*upsampler="),
        ("DAT", 4, {**SMALL["DAT"], "embed_dim": 8}, r"a network that cannot be run"),
        ("LaMa", 1, {}, r"LaMa, which fills in what a mask leaves out"),
        ("Compact", 4, {"num_in_ch": 1, "num_out_ch": 1}, r"from 1 to 1 channels: .*RGB"),
    ],
)
def test_what_is_no_network_is_said_in_a_line(architecture, scale, parameters, said):
    with pytest.raises(ValueError, match=said) as caught:
        new_spandrel_network(architecture=architecture, scale=scale, parameters=parameters)
    assert "\n" not in str(caught.value)


def test_licences_are_told_where_they_are_known():
    assert small("SwinIR").licence == "Apache-2.0"
    assert small("PLKSR").licence == "MIT"
    assert "permissive" in small("SPAN").licence


def test_it_says_in_which_numbers_it_computes():
    assert small("SwinIR").supports == {torch.float16: False, torch.bfloat16: True}
    assert small("SPAN").supports[torch.float16]


# Millions of parameters in the papers (SwinIR's leaves its tables of position biases out), for ×4
@pytest.mark.parametrize(("name", "millions"), [("swinir_light", 0.897), ("dat_light", 0.573)])
def test_a_config_has_the_published_number_of_parameters(name, millions):
    with initialize_config_dir(str(configs_folder() / "generator"), version_base="1.3"):
        cfg = compose(name)
    cfg.scale = 4
    network = instantiate(cfg)
    state = {k: v for k, v in network.named_parameters() if "position_bias_table" not in k}
    count = sum(weight.numel() for weight in state.values())
    assert count / 1e6 == pytest.approx(millions, abs=6e-4)


def test_spandrel_opens_a_file_of_the_weights(tmp_path, lq):
    network = small("RealPLKSR")
    torch.save(network.state_dict(), tmp_path / "a.pth")
    with torch.no_grad():
        expected = network(lq).clamp(0, 1)
    torch.testing.assert_close(ModelLoader().load_from_file(tmp_path / "a.pth")(lq), expected)


OTHERS: dict[str, tuple[int, dict[str, object]]] = {
    "ATD": (4, {"upsampler": "pixelshuffledirect", "depths": [2, 2], "num_heads": [6, 6]}),
    "CRAFT": (4, {}),
    "DCTLSA": (4, {}),
    "DITN": (4, {}),
    "DRCT": (4, {"upsampler": "pixelshuffle", "depths": [2], "num_heads": [6], "window_size": 8}),
    "ESRGAN": (4, {"num_blocks": 1}),
    "FBCNN": (1, {}),
    "FDAT": (4, {"num_groups": 1}),
    "HAT": (4, {"window_size": 8, "depths": [2], "num_heads": [2], "embed_dim": 60}),
    "KBNet_s": (1, {}),
    "MoESR": (4, {"n_blocks": 1, "n_block": 1}),
    "MoSR": (4, {"n_block": 2}),
    "NAFNet": (1, {"enc_blk_nums": [1, 1], "dec_blk_nums": [1, 1]}),
    "OmniSR": (4, {}),
    "RCAN": (4, {"n_resgroups": 1, "n_resblocks": 1}),
    "RGT": (4, {"embed_dim": 32, "depth": [2], "num_heads": [2]}),
    "RetinexFormer": (1, {}),
    "SAFMN": (4, {"dim": 16, "n_blocks": 2}),
    "SCUNet": (1, {"config": [1] * 7}),
    "SeemoRe": (4, {}),
    "SwiftSRGAN": (4, {}),
    "UpCunet2x": (2, {}),
}


@pytest.mark.soak  # five of them are held by every run
@pytest.mark.parametrize("name", OTHERS)
def test_others_are_trained_and_evaluated_as_well(name):
    scale, parameters = OTHERS[name]
    network = small(name, scale=scale, **parameters)
    before = deepcopy(network.state_dict())
    lq = torch.rand(1, 3, 18, 37, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        first, second = network(lq), network(lq)
    assert torch.equal(first, second)
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
    theirs = MAIN_REGISTRY.load(network.state_dict())(lq)
    torch.testing.assert_close(first.clamp(0, 1), theirs, rtol=0, atol=1e-6)
    network.train()(lq.expand(2, -1, -1, -1)).mean().backward()
    assert any(weight.grad is not None for weight in network.parameters())
