import math
from copy import deepcopy

import pytest
import torch

from esrgan.networks import RRDBNet, SRResNet
from esrgan.weights import interpolate, load_generator
from esrgan.weights.interpolation import SAME_LINEAGE, lineage_similarity


def tiny(seed, **arguments):
    torch.manual_seed(seed)
    network = RRDBNet(num_features=4, num_blocks=1, growth_channels=4, **arguments)
    for tensor in network.state_dict().values():
        tensor.copy_(torch.rand(tensor.shape).mul(100))  # counters become integers
    return network.eval()


def filled(value):
    """Every weight and average is `value`, every counter ten times as much."""
    network = tiny(0, batch_norm=True)
    for tensor in network.state_dict().values():
        tensor.fill_(value if tensor.is_floating_point() else 10 * value)
    return network


def with_noise(network, relative):
    network = deepcopy(network)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in (parameter for parameter in network.parameters() if parameter.dim() == 4):
            noise = torch.randn(weight.shape, generator=generator)
            weight.add_(noise, alpha=relative * weight.square().mean().sqrt().item())
    return network


@pytest.mark.parametrize("alpha", [0, 1])
def test_at_its_ends_it_is_the_one_or_the_other_in_every_bit(alpha):
    a, b = tiny(1, batch_norm=True), tiny(2, batch_norm=True)
    expected = (a, b)[alpha].state_dict()
    state = interpolate(a, b, alpha).state_dict()
    assert list(state) == list(expected)
    assert all(torch.equal(tensor, expected[key]) for key, tensor in state.items())


@pytest.mark.parametrize(
    ("alpha", "weight", "counter"), [(0.25, 3, 20), (0.5, 4, 60), (0.75, 5, 60)]
)
def test_between_them_weights_and_averages_are_mixed_and_counters_are_not(alpha, weight, counter):
    state = interpolate(filled(2), filled(6), alpha).state_dict()
    for key, tensor in state.items():
        expected = weight if tensor.is_floating_point() else counter
        assert (tensor == expected).all(), key
    assert {"norm_body.running_var", "norm_body.num_batches_tracked"} <= set(state)


def test_the_two_stay_as_they_are_and_the_mixture_is_float32_and_ready_to_use():
    a, b = tiny(1).bfloat16(), tiny(2)
    before = deepcopy((a.state_dict(), b.state_dict()))
    mixed = interpolate(a, b, 0.5)
    for network, state in zip((a, b), before, strict=True):
        assert all(torch.equal(tensor, state[key]) for key, tensor in network.state_dict().items())
    assert {parameter.dtype for parameter in mixed.parameters()} == {torch.float32}
    assert not mixed.training
    expected = (a.conv_last.weight.double() + b.conv_last.weight.double()) / 2
    torch.testing.assert_close(mixed.conv_last.weight.double(), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("alpha", [-0.1, 1.5, math.nan])
def test_an_alpha_beyond_the_two_networks_is_refused(alpha):
    with pytest.raises(ValueError, match=rf"alpha \({alpha}\) must be from 0"):
        interpolate(tiny(1), tiny(2), alpha)


@pytest.mark.parametrize("compare", [lambda a, b: interpolate(a, b, 0.5), lineage_similarity])
def test_networks_of_different_architecture_are_refused_by_what_differs(compare):
    other = RRDBNet(num_features=4, num_blocks=2, growth_channels=4, residual_scaling=0.1)
    with pytest.raises(
        ValueError, match=r"num_blocks is 1 and 2, residual_scaling is 0\.2 and 0\.1$"
    ):
        compare(tiny(1), other)
    srresnet = SRResNet(num_features=4, num_blocks=1)
    with pytest.raises(ValueError, match=r"network is RRDBNet and SRResNet, .* not known"):
        compare(tiny(1), srresnet)


def test_similarity_is_the_cosine_of_most_convolutions():
    a, b = filled(1), filled(1)
    for tensor in (t for t in b.state_dict().values() if t.dim() == 4):
        tensor.view(-1)[::2] = 0
    assert lineage_similarity(a, b) == pytest.approx(math.sqrt(1 / 2))
    b.state_dict()["conv_last.weight"].neg_()  # one of them plays no part
    assert lineage_similarity(a, b) == pytest.approx(math.sqrt(1 / 2))


def test_a_released_network_is_related_to_itself_with_noise(reference_data):
    network = load_generator(reference_data / "weights/RealESRGAN_x4plus_anime_6B.pth")
    # Noise is orthogonal to the weights: the cosine is 1 / sqrt(1 + relative^2).
    for relative, cosine in {0.1: 0.995, 0.5: 0.894, 1: 0.707}.items():
        similarity = lineage_similarity(network, with_noise(network, relative))
        assert similarity == pytest.approx(cosine, abs=0.01)
        assert similarity > SAME_LINEAGE


def test_networks_with_first_weights_of_their_own_are_not_related():
    networks = []
    for seed in range(2):
        torch.manual_seed(seed)
        networks.append(RRDBNet(num_features=16, num_blocks=2, growth_channels=8))
    assert abs(lineage_similarity(*networks)) < 0.05 < SAME_LINEAGE
