from itertools import pairwise

import pytest
import torch
from torch import nn

from esrgan.networks import SRGANDiscriminator, SRGANGenerator

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def make_generator(**arguments) -> SRGANGenerator:
    torch.manual_seed(0)
    return SRGANGenerator(**{"num_features": 4, "num_blocks": 1} | arguments)


def make_discriminator(**arguments) -> SRGANDiscriminator:
    torch.manual_seed(0)
    return SRGANDiscriminator(**{"input_size": 16, "num_features": 2} | arguments)


def num_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_generator_has_the_papers_number_of_parameters():
    assert num_parameters(SRGANGenerator()) == 1_549_462


def test_the_discriminator_has_the_papers_number_of_parameters():
    channels = (3, 64, 64, 128, 128, 256, 256, 512, 512)
    convolutions = sum(9 * before * after + after for before, after in pairwise(channels))
    norms = 2 * sum(channels[2:])
    linear = (512 * 6 * 6 * 1024 + 1024) + (1024 + 1)
    with torch.device("meta"):
        network = SRGANDiscriminator(input_size=96)
    assert num_parameters(network) == convolutions + norms + linear == 23_565_505


@pytest.mark.parametrize(("scale", "num_steps"), [(1, 0), (2, 1), (3, 1), (4, 2), (8, 3)])
def test_the_generators_layer_names_are_a_file_format(scale, num_steps):
    def both(name):
        return [f"{name}.weight", f"{name}.bias"]

    expected = [*both("conv_first"), "prelu_first.weight"]
    for block in ("body.0", "body.1"):
        expected += [*both(f"{block}.conv1"), *(f"{block}.norm1.{part}" for part in NORM)]
        expected += [f"{block}.prelu.weight"]
        expected += [*both(f"{block}.conv2"), *(f"{block}.norm2.{part}" for part in NORM)]
    expected += [*both("conv_body"), *(f"norm_body.{part}" for part in NORM)]
    for step in range(1, num_steps + 1):
        expected += [*both(f"conv_up{step}"), f"prelu_up{step}.weight"]
    expected += both("conv_last")
    assert list(make_generator(scale=scale, num_blocks=2).state_dict()) == expected


def test_the_discriminators_layer_names_are_a_file_format():
    expected = ["conv0_0.weight", "conv0_0.bias"]
    for layer in ("0_1", "1_0", "1_1", "2_0", "2_1", "3_0", "3_1"):
        expected += [f"conv{layer}.weight", f"conv{layer}.bias"]
        expected += [f"bn{layer}.{part}" for part in NORM]
    expected += ["linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"]
    assert list(make_discriminator().state_dict()) == expected


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_the_output_is_scale_times_the_input(scale):
    output = make_generator(scale=scale)(torch.rand(2, 3, 5, 7))
    assert output.shape == (2, 3, 5 * scale, 7 * scale)


@pytest.mark.parametrize(("scale", "factors"), [(3, (3,)), (4, (2, 2))])
def test_the_generators_output_is_that_of_the_plain_formula(scale, factors):
    network = make_generator(scale=scale)
    for prelu in (m for m in network.modules() if isinstance(m, nn.PReLU)):
        nn.init.uniform_(prelu.weight)
    block = network.body[0]
    lq = torch.rand(2, 3, 5, 5)
    first = network.prelu_first(network.conv_first(lq))
    inside = block.prelu(block.norm1(block.conv1(first)))
    features = first + block.norm2(block.conv2(inside))
    features = first + network.norm_body(network.conv_body(features))
    for step, factor in enumerate(factors, start=1):
        shuffled = nn.PixelShuffle(factor)(network.get_submodule(f"conv_up{step}")(features))
        features = network.get_submodule(f"prelu_up{step}")(shuffled)
    torch.testing.assert_close(network(lq), network.conv_last(features))


def test_the_generators_gradient_is_that_of_finite_differences():
    network = make_generator(scale=2).double()
    lq = torch.rand(1, 3, 3, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(network, lq)


def test_every_parameter_of_the_generator_gets_a_gradient():
    network = make_generator()
    network(torch.rand(2, 3, 6, 6)).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in network.parameters())


def test_architecture_builds_the_same_generator_again():
    network = make_generator(scale=3)
    arguments = dict(network.architecture)
    assert arguments.pop("network") == "SRGANGenerator"
    again = SRGANGenerator(**arguments)
    again.load_state_dict(network.state_dict())
    lq = torch.rand(1, 3, 6, 6)
    torch.testing.assert_close(again(lq), network(lq))


def test_every_second_convolution_of_the_discriminator_halves_the_map():
    network = make_discriminator(input_size=48, num_features=1)
    seen = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            assert layer.kernel_size == (3, 3)
            layer.register_forward_hook(lambda _, __, x: seen.append((x.shape[2], x.shape[1])))
    assert network(torch.rand(2, 3, 48, 48)).shape == (2, 1)
    assert seen == [(48, 1), (24, 1), (24, 2), (12, 2), (12, 4), (6, 4), (6, 8), (3, 8)]


@pytest.mark.parametrize("training", [True, False])
def test_the_discriminators_logits_are_those_of_the_network_written_out(training):
    network = make_discriminator().train(training)
    channels = (2, 2, 4, 4, 8, 8, 16, 16)
    layers = [nn.Conv2d(3, 2, 3, 1, 1), nn.LeakyReLU(0.2)]
    for index in range(1, 8):
        stride = 1 + index % 2
        conv = nn.Conv2d(channels[index - 1], channels[index], 3, stride, 1)
        layers += [conv, nn.BatchNorm2d(channels[index]), nn.LeakyReLU(0.2)]
    layers += [nn.Flatten(), nn.Linear(16, 1024), nn.LeakyReLU(0.2), nn.Linear(1024, 1)]
    plain = nn.Sequential(*layers).train(training)
    weights = network.state_dict().values()
    plain.load_state_dict(dict(zip(plain.state_dict(), weights, strict=True)))
    images = torch.rand(3, 3, 16, 16)
    torch.testing.assert_close(network(images), plain(images))


def test_a_value_out_of_range_is_named():
    with pytest.raises(ValueError, match=r"scale \(6\) must be one of 1, 2, 3, 4, 8"):
        make_generator(scale=6)
    with pytest.raises(ValueError, match=r"num_blocks \(0\) must be greater than 0"):
        make_generator(num_blocks=0)
    with pytest.raises(ValueError, match=r"input_size \(100\) must be a multiple of 16: use 96 or"):
        make_discriminator(input_size=100)
    with pytest.raises(ValueError, match=r"input_size \(8\) must be a multiple of 16: use 16$"):
        make_discriminator(input_size=8)


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"input_size \(16\) .* 32x32: patch_size must be equal"):
        make_discriminator()(torch.rand(2, 3, 32, 32))
