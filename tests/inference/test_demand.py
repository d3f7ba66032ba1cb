import pytest
import torch
from torch import nn

from esrgan.inference.demand import measure_demand
from esrgan.networks import RRDBNet, SRGANGenerator, SRResNet

SMALL = {"num_features": 4, "num_blocks": 1}


@pytest.mark.parametrize(
    "network",
    [
        RRDBNet(**SMALL, growth_channels=2),
        RRDBNet(**SMALL, growth_channels=2, scale=3),
        RRDBNet(**SMALL, growth_channels=2, scale=2, unshuffle=1),
        SRResNet(**SMALL),
        SRGANGenerator(**SMALL),
    ],
)
def test_a_shallow_network_overlaps_by_all_that_a_pixel_can_depend_on(network):
    network = network.double().eval()
    for weights in network.parameters():
        weights.data.abs_()  # so that no contribution cancels another
    lq = torch.rand(1, 3, 49, 49, dtype=torch.double, requires_grad=True)
    sr = network(lq)
    inside = slice(24 * network.scale, 25 * network.scale)
    sr[:, :, inside, inside].sum().backward()
    seen = lq.grad.abs().sum((0, 1, 2)).nonzero()
    assert 24 - int(seen.min()) == int(seen.max()) - 24 == measure_demand(network).overlap


@pytest.mark.parametrize(("num_blocks", "sufficed"), [(6, 48), (23, 96)])
def test_the_released_networks_overlap_by_what_was_measured_and_little_more(num_blocks, sufficed):
    network = RRDBNet(num_features=1, num_blocks=num_blocks, growth_channels=1)
    overlap = measure_demand(network).overlap
    assert sufficed <= overlap < 1.1 * sufficed


@pytest.mark.parametrize(("scale", "unshuffle"), [(2, 2), (1, 4)])
def test_folded_pixels_count_by_what_they_cover(scale, unshuffle):
    plain, folded = (
        measure_demand(RRDBNet(num_features=8, num_blocks=6, growth_channels=2, scale=n))
        for n in (4, scale)
    )
    assert folded.overlap % unshuffle == 0
    assert abs(folded.overlap - plain.overlap * unshuffle) <= unshuffle
    assert folded.elements == plain.elements / unshuffle**2


def test_the_largest_map_is_that_of_the_enlarged_features_or_of_the_dense_block():
    enlarged = RRDBNet(num_features=8, num_blocks=1, growth_channels=4)
    assert measure_demand(enlarged).elements == 8 * 4**2
    dense = RRDBNet(num_features=8, num_blocks=1, growth_channels=4, scale=1, unshuffle=1)
    assert measure_demand(dense).elements == 8 + 4 * 4
    assert measure_demand(SRResNet(num_features=8, num_blocks=1)).elements == 8 * 4**2


def test_the_network_is_only_looked_at():
    network = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1))
    measure_demand(network)
    assert not network[0]._forward_hooks
    assert network[0].weight.grad is None


def test_a_network_of_single_pixels_needs_no_overlap():
    demand = measure_demand(nn.Conv2d(3, 5, kernel_size=1))
    assert demand.overlap == 0
    assert demand.elements == 5
