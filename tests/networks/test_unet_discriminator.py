import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import spectral_norm

from esrgan.networks import UNetDiscriminator
from esrgan.networks.discriminators import double_bilinear


def make_tiny() -> UNetDiscriminator:
    torch.manual_seed(0)
    return UNetDiscriminator(num_features=2)


def make_plain() -> nn.ModuleDict:
    """The layers written out, normalised by torch; their keys are those of released files."""

    def normalised(*arguments) -> nn.Module:
        return spectral_norm(nn.Conv2d(*arguments, bias=False))

    return nn.ModuleDict(
        {
            "conv0": nn.Conv2d(3, 2, 3, 1, 1),
            "conv1": normalised(2, 4, 4, 2, 1),
            "conv2": normalised(4, 8, 4, 2, 1),
            "conv3": normalised(8, 16, 4, 2, 1),
            "conv4": normalised(16, 8, 3, 1, 1),
            "conv5": normalised(8, 4, 3, 1, 1),
            "conv6": normalised(4, 2, 3, 1, 1),
            "conv7": normalised(2, 2, 3, 1, 1),
            "conv8": normalised(2, 2, 3, 1, 1),
            "conv9": nn.Conv2d(2, 1, 3, 1, 1),
        }
    )


def plain_logits(layers: nn.ModuleDict, images: torch.Tensor) -> torch.Tensor:
    def run(name, x):
        return F.leaky_relu(layers[name](x), 0.2)

    def double(x):
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

    x0 = run("conv0", images)
    x1 = run("conv1", x0)
    x2 = run("conv2", x1)
    x3 = run("conv3", x2)
    x4 = run("conv4", double(x3)) + x2
    x5 = run("conv5", double(x4)) + x1
    x6 = run("conv6", double(x5)) + x0
    return layers["conv9"](run("conv8", run("conv7", x6)))


def test_logits_and_estimates_are_real_esrgans(reference_data):
    """Its own network's state after 60 passes, and what one more in training mode makes of it."""
    golden = np.load(reference_data / "real_esrgan/unet.npz")

    def part(name):
        keys = [key for key in golden.files if key.startswith(name)]
        return {key.removeprefix(name): torch.from_numpy(golden[key]) for key in keys}

    network = UNetDiscriminator(num_features=4)
    network.load_state_dict(part("state/"))
    images = torch.from_numpy(golden["input_u8"]) / 255
    for mode, logits in ((False, "out_eval"), (True, "out_train_1st")):
        with torch.no_grad():
            found = network.train(mode)(images)
        np.testing.assert_allclose(found, golden[logits], rtol=0, atol=1e-6)
    after = part("state_after/")
    assert len(after) == 16
    for key, value in after.items():
        torch.testing.assert_close(network.state_dict()[key], value, rtol=0, atol=1e-6)


def test_the_number_of_parameters_is_that_of_real_esrgan():
    with torch.device("meta"):
        network = UNetDiscriminator()
    assert sum(parameter.numel() for parameter in network.parameters()) == 4_376_897


def test_layer_names_are_a_file_format():
    expected = ["conv0.weight", "conv0.bias"]
    for layer in range(1, 9):
        expected += [f"conv{layer}.{part}" for part in ("weight_orig", "weight_u", "weight_v")]
    expected += ["conv9.weight", "conv9.bias"]
    assert list(make_tiny().state_dict()) == expected


def test_the_logits_are_those_of_the_network_written_out():
    network, plain = make_tiny(), make_plain()
    plain.load_state_dict(network.state_dict())
    images = torch.rand(2, 3, 16, 24)
    for training in (True, True, False):
        network.train(training), plain.train(training)
        logits = network(images)
        assert logits.shape == (2, 1, 16, 24)
        torch.testing.assert_close(logits, plain_logits(plain, images))
    torch.testing.assert_close(network.state_dict(), plain.state_dict())


@pytest.mark.parametrize("size", [(5, 7), (2, 1), (1, 1)])
def test_doubling_is_bilinear_interpolation_in_values_and_gradients(size):
    torch.manual_seed(0)
    ours = torch.rand(2, 3, *size, dtype=torch.double, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    doubled = double_bilinear(ours)
    expected = F.interpolate(theirs, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(doubled, expected, rtol=0, atol=1e-15)
    gradient = torch.rand_like(expected)
    doubled.backward(gradient)
    expected.backward(gradient)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-14)


def test_doubling_by_hand():
    row = torch.tensor([0.0, 4.0, 8.0]).expand(1, 1, 1, 3)
    assert double_bilinear(row).tolist() == [[[[0.0, 1.0, 3.0, 5.0, 7.0, 8.0]] * 2]]


def test_the_channels_stay_last_in_memory():
    features = torch.rand(2, 4, 6, 8).to(memory_format=torch.channels_last)
    assert double_bilinear(features).is_contiguous(memory_format=torch.channels_last)


def test_the_backward_pass_has_no_interpolation_in_it():
    # torch.use_deterministic_algorithms refuses the one of F.interpolate on CUDA
    names, waiting = set(), [make_tiny()(torch.rand(1, 3, 8, 8)).grad_fn]
    while waiting:
        node = waiting.pop()
        names.add(node.name())
        waiting += [inner for inner, _ in node.next_functions if inner is not None]
    assert "ConvolutionBackward0" in names
    assert not [name for name in names if "Upsample" in name]


@pytest.mark.gpu
def test_it_can_be_trained_with_deterministic_algorithms_on_a_gpu():
    network = make_tiny().cuda()
    torch.use_deterministic_algorithms(True)
    try:
        network(torch.rand(2, 3, 16, 16, device="cuda")).mean().backward()
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("size", [(12, 16), (16, 12)])
def test_images_that_cannot_be_halved_three_times_are_refused(size):
    with pytest.raises(ValueError, match=r"\(\d+ and \d+\) are multiples of 8: patch_size"):
        make_tiny()(torch.rand(1, 3, *size))


def test_a_value_out_of_range_is_named():
    with pytest.raises(ValueError, match=r"num_features \(0\) must be greater than 0"):
        UNetDiscriminator(num_features=0)
