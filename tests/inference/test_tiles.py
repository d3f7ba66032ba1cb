import numpy as np
import pytest
import torch
from torch import nn

from esrgan.inference import upscaler
from esrgan.inference.stages import measure_footprint
from esrgan.inference.upscaler import CPU_LIMIT, is_out_of_memory, memory_for_a_tile
from esrgan.inference.windows import Window, side_for
from esrgan.networks import RRDBNet, SRGANGenerator, SRResNet, SRVGGNetCompact

SMALL = {"num_features": 4, "num_blocks": 1}
RNG = np.random.default_rng(0)
CASES = [
    (*RNG.integers(1, 200, 2), RNG.integers(multiple, 20 * multiple), multiple)
    for multiple in (1, 2, 4)
    for _ in range(20)
]


@pytest.mark.parametrize(("height", "width", "side", "multiple"), CASES)
def test_the_parts_are_about_equal_and_cover_each_pixel_once(height, width, side, multiple):
    parts = Window(0, height, 0, width).split(side, multiple=multiple)
    covered = np.zeros((height, width), int)
    for part in parts:
        covered[part.slices] += 1
        assert not part.top % multiple and not part.left % multiple
    assert (covered == 1).all()
    for lengths in ({p.height for p in parts}, {p.width for p in parts}):
        assert max(lengths) <= side
        assert max(lengths) - min(lengths) < 2 * multiple  # whole multiples, and a rest at the end


def test_parts_are_no_more_than_needed_and_in_the_order_of_reading():
    assert Window(0, 10, 0, 21).split(10, multiple=1) == [
        Window(0, 10, 0, 7),
        Window(0, 10, 7, 14),
        Window(0, 10, 14, 21),
    ]
    assert Window(8, 16, 4, 12).split(4, multiple=4) == [
        Window(8, 12, 4, 8),
        Window(8, 12, 8, 12),
        Window(12, 16, 4, 8),
        Window(12, 16, 8, 12),
    ]


def test_a_window_grows_as_far_as_the_image_goes():
    image = Window(0, 100, 0, 50)
    assert Window(10, 20, 30, 40).grown(5, within=image) == Window(5, 25, 25, 45)
    assert Window(3, 98, 3, 48).grown(5, within=image) == image


def test_a_window_is_found_again_in_the_enlargement_of_another():
    inner, outer = Window(10, 20, 30, 41), Window(5, 25, 24, 50)
    pixels = np.arange(50 * 100).reshape(50, 100)
    expected = pixels[inner.slices].repeat(2, 0).repeat(2, 1)
    enlarged = pixels[outer.slices].repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(enlarged[inner.seen_from(outer).scaled(2).slices], expected)


def test_tiles_become_as_large_as_they_may_with_their_overlap():
    image = Window(0, 60, 0, 100)

    def side(pixels):
        return side_for(image, pixels, overlap=5, multiple=4, smallest=8)

    assert side(6000) == 100
    # Two columns of two rows: 52 and 5 more pixels wide, 32 and 5 more high
    assert side(57 * 37) == 52
    assert side(57 * 37 - 1) == 36
    assert side(1) == 8


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
    assert 24 - int(seen.min()) == int(seen.max()) - 24 == measure_footprint(network).overlap


@pytest.mark.parametrize(("num_blocks", "sufficed"), [(6, 48), (23, 96)])
def test_the_released_networks_overlap_by_what_was_measured_and_little_more(num_blocks, sufficed):
    network = RRDBNet(num_features=1, num_blocks=num_blocks, growth_channels=1)
    overlap = measure_footprint(network).overlap
    assert sufficed <= overlap < 1.1 * sufficed


@pytest.mark.parametrize(("scale", "unshuffle"), [(2, 2), (1, 4)])
def test_folded_pixels_count_by_what_they_cover(scale, unshuffle):
    plain, folded = (
        measure_footprint(RRDBNet(num_features=32, num_blocks=6, growth_channels=8, scale=n))
        for n in (4, scale)
    )
    assert folded.overlap % unshuffle == 0
    assert abs(folded.overlap - plain.overlap * unshuffle) <= unshuffle
    assert folded.elements == plain.elements / unshuffle**2
    assert folded.enlarged == plain.enlarged / unshuffle**2
    assert folded.reach == plain.reach


def test_the_largest_maps_are_those_of_the_dense_block_and_of_the_enlarged_features():
    dense = measure_footprint(RRDBNet(num_features=8, num_blocks=1, growth_channels=4))
    assert (dense.elements, dense.enlarged) == (8 + 4 * 4, 8 * 4**2)
    residual = measure_footprint(SRResNet(num_features=8, num_blocks=1))
    assert (residual.elements, residual.enlarged) == (8, 8 * 4**2)
    whole = measure_footprint(SRVGGNetCompact(num_features=8, num_convs=1))
    assert (whole.elements, whole.enlarged) == (3 * 4**2, 0)  # what is shuffled into pixels


def test_the_network_is_only_looked_at():
    network = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1))
    measure_footprint(network)
    assert not network[0]._forward_hooks
    assert network[0].weight.grad is None


def test_a_network_of_single_pixels_needs_no_overlap():
    footprint = measure_footprint(nn.Conv2d(3, 5, kernel_size=1))
    assert footprint.overlap == 0
    assert footprint.elements == 5


@pytest.mark.parametrize(
    ("free", "expected"), [(1_024_000_000, 512_000_000), (99_999_999 << 10, CPU_LIMIT)]
)
def test_half_of_what_is_available_is_taken_and_never_more_than_the_limit(
    free, expected, monkeypatch
):
    monkeypatch.setattr(upscaler, "free_memory", lambda: free)
    assert memory_for_a_tile(torch.device("cpu")) == expected


def test_on_a_gpu_the_free_memory_counts_and_what_torch_keeps_of_it(monkeypatch):
    sizes = {"mem_get_info": (600, 2000), "memory_reserved": 500, "memory_allocated": 300}
    for name, size in sizes.items():
        monkeypatch.setattr(torch.cuda, name, lambda _device, size=size: size)
    assert memory_for_a_tile(torch.device("cuda")) == 600


def test_what_the_allocator_of_the_cpu_says_is_understood():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
