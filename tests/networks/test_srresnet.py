import pytest
import torch
from torch import nn

from esrgan.networks import SRResNet


def make_tiny(**arguments) -> SRResNet:
    torch.manual_seed(0)
    return SRResNet(**{"num_features": 4, "num_blocks": 1} | arguments)


@pytest.mark.parametrize(("batch_norm", "count"), [(False, 1_554_499), (True, 1_558_723)])
def test_the_number_of_parameters_is_that_of_the_papers_baseline(batch_norm, count):
    network = SRResNet(batch_norm=batch_norm)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize(("scale", "num_steps"), [(1, 0), (2, 1), (3, 1), (4, 2), (8, 3)])
def test_layer_names_are_a_file_format(scale, num_steps):
    blocks = [f"body.{block}.conv{conv}" for block in (0, 1) for conv in (1, 2)]
    steps = [f"conv_up{step + 1}" for step in range(num_steps)]
    layers = ["conv_first", *blocks, "conv_body", *steps, "conv_hr", "conv_last"]
    expected = [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]
    assert list(make_tiny(scale=scale, num_blocks=2).state_dict()) == expected


def test_batch_norm_has_names_of_its_own_on_each_side_of_the_enlargement():
    def layers_with_statistics(**arguments):
        keys = make_tiny(**arguments).state_dict()
        return [key.removesuffix(".running_mean") for key in keys if key.endswith("running_mean")]

    in_lr = ["body.0.norm1", "body.0.norm2", "norm_body"]
    in_hr = ["norm_up1", "norm_up2", "norm_hr"]
    assert layers_with_statistics(batch_norm=True) == in_lr
    assert layers_with_statistics(batch_norm_hr=True) == in_hr
    assert layers_with_statistics(batch_norm=True, batch_norm_hr=True) == in_lr + in_hr


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_output_is_scale_times_the_input(scale):
    assert make_tiny(scale=scale)(torch.rand(2, 3, 5, 7)).shape == (2, 3, 5 * scale, 7 * scale)


@pytest.mark.parametrize("residual_scaling", [1.0, 0.2])
def test_the_output_is_that_of_the_plain_formula(residual_scaling):
    network = make_tiny(scale=2, residual_scaling=residual_scaling)
    relu, shuffle, block = nn.ReLU(), nn.PixelShuffle(2), network.body[0]
    lq = torch.rand(1, 3, 5, 5)
    first = network.conv_first(lq)
    body = first + residual_scaling * block.conv2(relu(block.conv1(first)))
    enlarged = relu(shuffle(network.conv_up1(first + network.conv_body(body))))
    torch.testing.assert_close(network(lq), network.conv_last(relu(network.conv_hr(enlarged))))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_gradient_is_that_of_finite_differences(batch_norm):
    network = make_tiny(scale=2, batch_norm=batch_norm, batch_norm_hr=batch_norm).double()
    lq = torch.rand(1, 3, 3, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(network, lq)


def test_batch_norm_is_applied_everywhere():
    network = make_tiny(batch_norm=True, batch_norm_hr=True)
    network(torch.rand(2, 3, 6, 6))
    layers = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert layers
    assert all(layer.num_batches_tracked == 1 for layer in layers)


def test_a_value_out_of_range_is_named():
    with pytest.raises(ValueError, match=r"scale \(6\) must be one of 1, 2, 3, 4, 8"):
        make_tiny(scale=6)
    with pytest.raises(ValueError, match=r"num_features \(0\) must be greater than 0"):
        make_tiny(num_features=0)


def test_architecture_builds_the_same_network_again():
    network = make_tiny(scale=3, batch_norm=True, batch_norm_hr=True, residual_scaling=0.2)
    arguments = dict(network.architecture)
    assert arguments.pop("network") == "SRResNet"
    again = SRResNet(**arguments)
    again.load_state_dict(network.state_dict())
    lq = torch.rand(1, 3, 6, 6)
    torch.testing.assert_close(again(lq), network(lq))
