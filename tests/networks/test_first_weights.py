import math

import pytest
import torch
from torch import nn

from esrgan.networks import (
    SMALL_KAIMING,
    RRDBNet,
    SRResNet,
    scaled_kaiming,
    scaled_kaiming_in_dense_blocks,
)


def convolutions(network: nn.Module) -> dict[str, nn.Conv2d]:
    return {name: m for name, m in network.named_modules() if isinstance(m, nn.Conv2d)}


def he_deviation(conv: nn.Conv2d) -> float:
    return math.sqrt(2 / (conv.in_channels * 9))


def deviation(conv: nn.Conv2d) -> float:
    return float(conv.weight.detach().std())


@pytest.mark.parametrize("network_class", [RRDBNet, SRResNet])
def test_by_default_every_layer_is_a_tenth_of_he(network_class):
    torch.manual_seed(0)
    network = network_class(num_blocks=1)
    for conv in convolutions(network).values():
        assert deviation(conv) == pytest.approx(0.1 * he_deviation(conv), rel=0.1)
        assert not conv.bias.any()


def test_scale_1_is_he_initialisation():
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 64, kernel_size=3)
    scaled_kaiming(conv, scale=1.0)
    assert deviation(conv) == pytest.approx(he_deviation(conv), rel=0.02)
    assert abs(float(conv.weight.detach().mean())) < 1e-3


def test_dense_blocks_can_be_scaled_alone():
    torch.manual_seed(0)

    def initialise(network):
        scaled_kaiming_in_dense_blocks(network, scale=0.1)

    for name, conv in convolutions(RRDBNet(num_blocks=1, initialise=initialise)).items():
        if ".rdb" in name:
            assert deviation(conv) == pytest.approx(0.1 * he_deviation(conv), rel=0.1)
            assert not conv.bias.any()
        else:  # PyTorch's: uniform up to 1 / sqrt(fan in), for the biases too
            bound = 1 / math.sqrt(conv.in_channels * 9)
            assert deviation(conv) == pytest.approx(bound / math.sqrt(3), rel=0.1)
            assert 0 < conv.bias.abs().max() <= bound


def test_batch_norm_starts_at_weight_1_and_bias_0():
    norm = nn.BatchNorm2d(3)
    nn.init.constant_(norm.weight, 5)
    nn.init.constant_(norm.bias, 5)
    SMALL_KAIMING(nn.Sequential(norm, nn.Linear(3, 3, bias=False)))
    assert norm.weight.tolist() == [1, 1, 1]
    assert norm.bias.tolist() == [0, 0, 0]


def test_the_same_seed_draws_the_same_weights():
    torch.manual_seed(7)
    first = RRDBNet(num_features=4, num_blocks=1, growth_channels=2).state_dict()
    torch.manual_seed(7)
    second = RRDBNet(num_features=4, num_blocks=1, growth_channels=2).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
