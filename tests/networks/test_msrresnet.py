import pytest
import torch
from torch import nn
from torch.nn import functional as F

from esrgan.networks import MSRResNet


def make_tiny(**arguments) -> MSRResNet:
    torch.manual_seed(0)
    network = MSRResNet(**{"num_features": 4, "num_blocks": 1} | arguments)
    for parameter in network.parameters():  # the first weights hide mistakes: all is nearly zero
        nn.init.normal_(parameter, std=0.3)
    return network


@pytest.mark.parametrize(
    ("scale", "num_blocks", "count"),
    # recipe: arithmetic on BasicSR's layers; without its blocks it is the same at either end
    [(4, 16, 1_517_571), (3, 16, 1_554_499), (2, 16, 1_369_859), (4, 1, 409_731)],
)
def test_the_number_of_parameters_is_basicsrs(scale, num_blocks, count):
    network = MSRResNet(scale=scale, num_blocks=num_blocks, initialise=lambda _: None)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize(("scale", "num_steps"), [(2, 1), (3, 1), (4, 2)])
def test_layer_names_are_a_file_format(scale, num_steps):
    blocks = [f"body.{block}.conv{conv}" for block in (0, 1) for conv in (1, 2)]
    steps = [f"upconv{step + 1}" for step in range(num_steps)]
    layers = ["conv_first", *blocks, *steps, "conv_hr", "conv_last"]
    expected = [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]
    assert list(make_tiny(scale=scale, num_blocks=2).state_dict()) == expected


@pytest.mark.parametrize(("scale", "steps"), [(2, [2]), (3, [3]), (4, [2, 2])])
def test_the_output_is_that_of_the_plain_formula(scale, steps):
    network = make_tiny(scale=scale)
    lrelu, block = nn.LeakyReLU(0.1), network.body[0]
    lq = torch.rand(1, 3, 5, 6)
    first = lrelu(network.conv_first(lq))
    features = first + block.conv2(torch.relu(block.conv1(first)))
    for convolution, step in zip(
        (network.upconv1, getattr(network, "upconv2", None)), steps, strict=False
    ):
        features = lrelu(nn.PixelShuffle(step)(convolution(features)))
    enlarged = nn.Upsample(scale_factor=scale, mode="bilinear")(lq)
    expected = network.conv_last(lrelu(network.conv_hr(features))) + enlarged
    assert expected.shape == (1, 3, 5 * scale, 6 * scale)
    torch.testing.assert_close(network(lq), expected)


def test_with_weights_of_zero_it_enlarges():
    network = make_tiny(initialise=lambda _: None)
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    lq = torch.rand(1, 3, 4, 4)
    expected = F.interpolate(lq, size=(16, 16), mode="bilinear")
    torch.testing.assert_close(network(lq), expected)


def test_every_layer_starts_small():
    torch.manual_seed(0)
    network = MSRResNet(num_features=64, num_blocks=1)
    small = 0.1 * (2 / (64 * 9)) ** 0.5  # He's standard deviation, times 0.1
    for layer in (network.body[0].conv1, network.body[0].conv2, network.upconv2, network.conv_hr):
        assert layer.weight.std().item() == pytest.approx(small, rel=0.1)
        assert not layer.bias.any()


@pytest.mark.parametrize("scale", [1, 8])
def test_a_scale_that_basicsr_has_not_is_refused(scale):
    with pytest.raises(ValueError, match=rf"scale \({scale}\) must be one of 2, 3, 4"):
        MSRResNet(scale=scale)
    with pytest.raises(ValueError, match=r"num_blocks \(0\) must be greater than 0"):
        MSRResNet(num_blocks=0)


def test_architecture_builds_the_same_network_again():
    network = make_tiny(scale=3, num_blocks=2)
    arguments = dict(network.architecture)
    assert arguments.pop("network") == "MSRResNet"
    again = MSRResNet(**arguments)
    again.load_state_dict(network.state_dict())
    lq = torch.rand(1, 3, 6, 6)
    torch.testing.assert_close(again(lq), network(lq))
