from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import spectral_norm

from esrgan.spectral_norm import add_spectral_norm


def make_conv(num_out: int = 6) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(4, num_out, kernel_size=3, bias=False)


def make_normalised(layer: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    add_spectral_norm(layer)
    return layer


def make_torchs(layer: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    return spectral_norm(layer)


@pytest.mark.parametrize(
    ("layer", "shape"), [(make_conv(), (2, 4, 5, 5)), (nn.Linear(4, 6), (2, 4))]
)
def test_it_computes_what_torch_computes_under_the_same_names(layer, shape):
    ours, theirs = make_normalised(deepcopy(layer)), make_torchs(deepcopy(layer))
    for mode in (True, True, True, False, True):  # the vectors move on in training mode only
        ours.train(mode), theirs.train(mode)
        x = torch.rand(shape)
        torch.testing.assert_close(ours(x), theirs(x))
        assert list(ours.state_dict()) == list(theirs.state_dict())
        torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    ours(x).square().sum().backward()
    theirs(x).square().sum().backward()
    torch.testing.assert_close(ours.weight_orig.grad, theirs.weight_orig.grad)


def test_the_weight_is_divided_by_its_largest_singular_value():
    layer = make_normalised(make_conv())
    largest = torch.linalg.svdvals(layer.weight_orig.detach().flatten(1)).max()
    x = torch.rand(1, 4, 5, 5)
    for _ in range(100):
        layer(x)
    torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight_orig / largest))


def test_evaluation_mode_leaves_the_vectors_as_they_are():
    layer = make_normalised(make_conv()).eval()
    before = deepcopy(layer.state_dict())
    layer(torch.rand(1, 4, 5, 5))
    assert all(torch.equal(before[key], tensor) for key, tensor in layer.state_dict().items())


def test_two_forward_passes_may_precede_the_backward_pass():
    together, apart = make_normalised(make_conv()), make_normalised(make_conv())
    real, fake = torch.rand(2, 1, 4, 5, 5)
    (together(real).mean() + together(fake).square().mean()).backward()
    apart(real).mean().backward()
    apart(fake).square().mean().backward()
    torch.testing.assert_close(together.weight_orig.grad, apart.weight_orig.grad)


def test_autocast_does_not_reach_the_power_iteration():
    inside, outside = make_normalised(make_conv(num_out=64)), make_normalised(make_conv(num_out=64))
    weights = []
    for layer in (inside, outside):
        layer.register_forward_hook(lambda layer, *_: weights.append(layer.weight), prepend=True)
    x = torch.rand(1, 4, 5, 5)
    for _ in range(3):
        with torch.autocast("cpu", torch.bfloat16):
            output = inside(x)
        outside(x)
    assert output.dtype == torch.bfloat16  # the convolution itself is meant to be
    torch.testing.assert_close(inside.state_dict(), outside.state_dict())
    torch.testing.assert_close(weights[-2], weights[-1])


@pytest.mark.gpu
def test_autocast_on_a_gpu_does_not_reach_it_either():
    inside, outside = (make_normalised(make_conv(num_out=64)).cuda() for _ in range(2))
    x = torch.rand(1, 4, 5, 5, device="cuda")
    for _ in range(3):
        with torch.autocast("cuda", torch.bfloat16):
            inside(x)
        outside(x)
    torch.testing.assert_close(inside.state_dict(), outside.state_dict())


def test_it_can_be_copied_after_a_forward_pass():
    layer = make_normalised(make_conv())
    layer(torch.rand(1, 4, 5, 5))
    copy = deepcopy(layer)
    x = torch.rand(1, 4, 5, 5)
    torch.testing.assert_close(copy(x), layer(x))
