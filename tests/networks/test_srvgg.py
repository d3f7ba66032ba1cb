import json

import numpy as np
import pytest
import torch
from srvgg_weights import formula_weights, published_shapes
from torch import nn

from esrgan.networks import SRVGGNetCompact
from esrgan.weights import interpolate

SMALL = {"num_features": 8, "num_convs": 3}
GOLDEN = {  # names in srvgg.npz
    "general_x4v3": {"num_convs": 32},
    "animevideo_v3": {"num_convs": 16},
    "small_x2": {"scale": 2, **SMALL},
    "small_x1": {"scale": 1, **SMALL},
    "small_x3_relu": {"scale": 3, "activation": "relu", **SMALL},
    "small_x4_leaky": {"activation": "leaky_relu", **SMALL},
}


@pytest.fixture(scope="module")
def golden(reference_data):
    return np.load(reference_data / "real_esrgan/srvgg.npz")


def assert_golden(network, golden, name):
    lq = torch.from_numpy(golden["input_u8"]) / 255
    with torch.no_grad():
        found = network(lq)
    np.testing.assert_allclose(found, golden[f"out_{name}"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", GOLDEN)
def test_keys_shapes_and_output_are_those_of_real_esrgan(golden, name):
    network = SRVGGNetCompact(**GOLDEN[name])
    shapes = json.loads(str(golden[f"keys_{name}"]))
    state = network.state_dict()
    assert {key: list(tensor.shape) for key, tensor in state.items()} == shapes
    assert list(state) == list(shapes)
    network.load_state_dict(formula_weights(shapes))
    assert_golden(network, golden, name)


def test_stored_weights_give_their_golden_output(golden):
    state = {
        key.removeprefix("seeded/"): torch.from_numpy(golden[key])
        for key in golden.files
        if key.startswith("seeded/")
    }
    network = SRVGGNetCompact(num_features=6, num_convs=2)
    network.load_state_dict(state)
    assert_golden(network, golden, "seeded")


def test_between_two_networks_lie_the_golden_ones(golden):
    shapes = published_shapes(num_features=8, num_convs=3, scale=4)
    a, b = (SRVGGNetCompact(**SMALL) for _ in range(2))
    a.load_state_dict(formula_weights(shapes))
    b.load_state_dict(formula_weights(shapes, first=1000))
    assert_golden(a, golden, "dni_a")
    assert_golden(b, golden, "dni_b")
    assert_golden(interpolate(b, a, 0.3), golden, "dni_0.3")  # 0.3 a + 0.7 b


@pytest.mark.parametrize(("num_convs", "count", "keys"), [(16, 621_424, 53), (32, 1_213_296, 101)])
def test_the_number_of_parameters_is_that_of_real_esrgan(num_convs, count, keys):
    network = SRVGGNetCompact(num_convs=num_convs)
    assert sum(parameter.numel() for parameter in network.parameters()) == count
    assert len(network.state_dict()) == keys


@pytest.mark.parametrize("activation", ["prelu", "relu", "leaky_relu"])
def test_layer_names_are_a_file_format(activation):
    names = ["body.0.weight", "body.0.bias", "body.1.weight", "body.2.weight", "body.2.bias"]
    names += ["body.3.weight", "body.4.weight", "body.4.bias"]
    if activation != "prelu":
        names = [name for name in names if name not in ("body.1.weight", "body.3.weight")]
    network = SRVGGNetCompact(num_features=2, num_convs=1, activation=activation)
    assert list(network.state_dict()) == names


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_with_weights_of_zero_it_repeats_pixels(scale):
    network = SRVGGNetCompact(scale=scale, **SMALL)
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    lq = torch.rand(2, 3, 4, 5)
    expected = lq.repeat_interleave(scale, dim=2).repeat_interleave(scale, dim=3)
    assert torch.equal(network(lq), expected)


def test_it_starts_as_pytorch_does():
    network = SRVGGNetCompact()
    assert all((layer.weight == 0.25).all() for layer in network.body[1:-1:2])
    bound = (1 / (64 * 9)) ** 0.5
    assert 0.9 * bound < network.body[2].weight.abs().max() <= bound


def test_arguments_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match=r"activation \(gelu\) must be one of prelu, relu, leaky"):
        SRVGGNetCompact(activation="gelu")
    for name in ("scale", "num_features", "num_convs"):
        with pytest.raises(ValueError, match=rf"{name} \(0\) must be greater than 0"):
            SRVGGNetCompact(**{name: 0})


def test_architecture_builds_the_same_network_again():
    network = SRVGGNetCompact(scale=3, activation="leaky_relu", **SMALL)
    arguments = dict(network.architecture)
    assert arguments.pop("network") == "SRVGGNetCompact"
    again = SRVGGNetCompact(**arguments)
    again.load_state_dict(network.state_dict())
    lq = torch.rand(1, 3, 6, 6)
    torch.testing.assert_close(again(lq), network(lq))
