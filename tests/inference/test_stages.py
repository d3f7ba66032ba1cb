"""Features of a large tile, enlarged in small pieces."""

import pytest
import torch

from esrgan.inference import stages
from esrgan.inference.stages import apply_network, measure_footprint
from esrgan.inference.windows import Window
from esrgan.networks import MSRResNet, RRDBNet, SRGANGenerator, SRResNet, SRVGGNetCompact

RRDB = {"num_features": 6, "num_blocks": 1, "growth_channels": 2}
SMALL = {"num_features": 6, "num_blocks": 1}
IN_STAGES = {
    "RRDB x4": RRDBNet(**RRDB),
    "RRDB x3": RRDBNet(**RRDB, scale=3),
    "RRDB x2": RRDBNet(**RRDB, scale=2),
    "RRDB x1": RRDBNet(**RRDB, scale=1),
    "RRDB x8": RRDBNet(**RRDB, scale=8),
    "SRResNet": SRResNet(**SMALL, batch_norm=True, batch_norm_hr=True),
    "SRGAN": SRGANGenerator(**SMALL),
}


@pytest.fixture
def lq():
    torch.manual_seed(0)
    return torch.rand(1, 3, 36, 60, dtype=torch.double)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(stages, "_SMALLEST_PIECE", 3)


@pytest.mark.parametrize("name", IN_STAGES)
@pytest.mark.parametrize("wanted", [Window(0, 36, 0, 60), Window(4, 21, 8, 50)])
def test_pieces_are_those_of_the_whole(name, lq, wanted):
    network = IN_STAGES[name].double().eval()
    footprint = measure_footprint(network)._replace(elements=1)  # the smallest pieces
    with torch.no_grad():
        found = apply_network(network, footprint, lq, wanted=wanted)
        expected = network(lq)[(..., *wanted.scaled(network.scale).slices)]
        short = footprint._replace(reach=footprint.reach - 1)
        seams = apply_network(network, short, lq, wanted=wanted)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert (seams - expected).abs().max() > 1e-9


@pytest.mark.parametrize("network", [MSRResNet(**SMALL), SRVGGNetCompact(num_features=6)])
def test_a_network_of_one_stage_is_cut(network, lq):
    network = network.double().eval()
    wanted = Window(4, 21, 8, 50)
    with torch.no_grad():
        found = apply_network(network, measure_footprint(network), lq, wanted=wanted)
        assert torch.equal(found, network(lq)[(..., *wanted.scaled(4).slices)])


def test_a_piece_takes_no_more_memory_than_the_features_took(lq, monkeypatch):
    network = IN_STAGES["RRDB x4"].double().eval()
    footprint = measure_footprint(network)
    sizes = []
    reconstruct = network.reconstruct

    def watched(features):
        sizes.append(features.shape[-2] * features.shape[-1])
        return reconstruct(features)

    monkeypatch.setattr(network, "reconstruct", watched)
    apply_network(network, footprint, lq, wanted=Window(0, 36, 0, 60))
    assert 1 < len(sizes) < 36
    assert max(sizes) * footprint.enlarged <= 36 * 60 * footprint.elements
