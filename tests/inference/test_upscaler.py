import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from esrgan.inference import Upscaler, upscale
from esrgan.inference.stages import measure_footprint
from esrgan.inference.windows import Window
from esrgan.networks import RRDBNet, SRGANGenerator, SRResNet

SMALL = {"num_features": 4, "num_blocks": 1}


class Nearest(nn.Module):
    """Enlarges twofold and does nothing else, but for the factor."""

    scale = 2

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, lq):
        return F.interpolate(lq * self.factor, scale_factor=2, mode="nearest")


def lively(network):
    """With weights that use the whole range of a pixel's surroundings and of the output."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
    with torch.no_grad():
        sr = network.eval()(torch.rand(1, 3, 32, 32))
        network.conv_last.weight /= 4 * sr.std()
        network.conv_last.bias.copy_(0.5 - sr.mean() / (4 * sr.std()))
    return network


def image(height, width, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, (height, width, 3), dtype)


def levels(one, other):
    return np.abs(one.astype(int) - other.astype(int)).max()


@pytest.fixture(scope="module")
def folding():
    """Takes only sides that are multiples of 2."""
    return lively(RRDBNet(**SMALL, growth_channels=4, scale=2))


@pytest.mark.parametrize(
    "network",
    [
        RRDBNet(**SMALL, growth_channels=4),
        RRDBNet(**SMALL, growth_channels=4, scale=3),
        RRDBNet(**SMALL, growth_channels=4, scale=1),
        SRResNet(**SMALL, batch_norm=True),
        SRGANGenerator(**SMALL, scale=2),
    ],
)
def test_tiles_give_the_whole_images_pixels(network):
    lq = image(75, 58, np.uint16)
    whole = Upscaler(lively(network), tile=75)(lq)
    assert whole.std() > 40 * 257
    for tile in (10, 32):
        assert levels(Upscaler(network, tile=tile)(lq), whole) <= 2  # of 65535


def test_tiles_of_a_network_that_folds_pixels_begin_where_it_folds(folding):
    lq = image(75, 58, np.uint16)
    whole = Upscaler(folding)(lq)
    assert levels(Upscaler(folding, tile=25)(lq), whole) <= 2  # 24, the multiple below


def test_a_tile_has_at_least_the_pixels_that_the_network_folds(folding):
    calls = []
    Upscaler(folding, tile=1)(image(4, 5), progress=calls.append)
    assert calls == [4, 4, 2] * 2


def test_half_the_overlap_would_show(folding):
    lq = image(75, 58, np.uint16)
    upscaler = Upscaler(folding, tile=32)
    upscaler._footprint = measure_footprint(folding)._replace(overlap=18)
    assert levels(upscaler(lq), Upscaler(folding)(lq)) > 2


@pytest.mark.parametrize("tile", [None, 33, 1000])
def test_an_image_in_one_tile_has_the_bytes_of_the_whole(tile, folding):
    lq = image(31, 33)
    np.testing.assert_array_equal(Upscaler(folding, tile=tile)(lq), upscale(folding, lq))


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2)])
def test_images_of_few_pixels_are_enlarged_too(shape, folding):
    sr = Upscaler(folding, tile=8, self_ensemble=True)(image(*shape))
    assert sr.shape == (2 * shape[0], 2 * shape[1], 3)


def test_16_bits_stay_16_bits():
    lq = image(9, 7, np.uint16)
    sr = Upscaler(Nearest(), tile=4)(lq)
    assert sr.dtype == np.uint16
    np.testing.assert_array_equal(sr, lq.repeat(2, 0).repeat(2, 1))
    darker = Upscaler(Nearest(0.5))(lq)[::2, ::2]
    np.testing.assert_array_equal(darker, (lq * 0.5).round())
    assert (Upscaler(Nearest(2e5))(lq | 1) == 65535).all()


def test_8_and_16_bits_of_the_same_image_agree(folding):
    lq = image(20, 20)
    in_16 = Upscaler(folding)(lq.astype(np.uint16) * 257)
    assert np.abs(in_16 / 257 - Upscaler(folding)(lq)).max() <= 0.5 + 1e-3


def test_the_ensemble_is_the_mean_over_flips_and_rotations_before_rounding(folding):
    lq = image(20, 14)  # even sides: nothing is mirrored
    outputs = []
    for flipped in (False, True):
        for quarters in range(4):
            turned = np.rot90(lq[:, ::-1] if flipped else lq, quarters)
            tensor = torch.from_numpy(turned.copy()).permute(2, 0, 1)[None].float() / 255
            with torch.no_grad():
                sr = folding(tensor)[0].permute(1, 2, 0).numpy()
            sr = np.rot90(sr, -quarters)
            outputs.append(sr[:, ::-1] if flipped else sr)
    expected = np.mean(outputs, axis=0).clip(0, 1) * 255
    for tile in (None, 8):
        sr = Upscaler(folding, self_ensemble=True, tile=tile)(lq)
        assert np.abs(sr - expected).max() < 0.5 + 1e-2
    assert levels(upscale(folding, lq), sr) > 5


def test_the_mean_of_half_precision_is_not_rounded_to_it(folding):
    upscaler = Upscaler(folding, dtype=torch.bfloat16, self_ensemble=True)
    mean = upscaler._mean_of_turns(torch.rand(1, 3, 8, 8, dtype=torch.bfloat16), Window(0, 8, 0, 8))
    assert mean.dtype == torch.float32


def test_an_ensemble_of_tiles_mirrors_at_the_border_as_the_whole_does(folding):
    lq = image(75, 57)
    whole = Upscaler(folding, self_ensemble=True)(lq)
    assert levels(Upscaler(folding, self_ensemble=True, tile=20)(lq), whole) <= 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_near_and_used_throughout(dtype, monkeypatch, folding):
    lq, seen, convolve = image(40, 30), set(), F.conv2d
    exact, upscaler = upscale(folding, lq), Upscaler(folding, dtype=dtype)
    monkeypatch.setattr(F, "conv2d", lambda x, *rest: seen.add(x.dtype) or convolve(x, *rest))
    half = upscaler(lq)
    assert seen == {dtype}
    weight = upscaler._network.conv_hr.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)  # or it is slower
    assert np.abs(half.astype(int) - exact).mean() < 2


def test_float32_is_exact_inside_an_autocast_region(folding):
    lq = image(20, 20)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = Upscaler(folding)(lq)
    np.testing.assert_array_equal(inside, upscale(folding, lq))


def test_the_callers_network_stays_as_it_is(folding):
    network = copy.deepcopy(folding).train()
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    upscaler = Upscaler(network, dtype=torch.bfloat16)
    upscaler(image(8, 8))
    assert network.training
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, before[name])
        assert weight.stride() == before[name].stride()
    assert all(weight.requires_grad for weight in network.parameters())


def test_batch_norm_does_not_count_the_image_in():
    network = lively(SRResNet(**SMALL, batch_norm=True))
    lq = image(16, 16)
    expected = upscale(network, lq)
    np.testing.assert_array_equal(Upscaler(network.train())(lq), expected)


def test_progress_is_the_pixels_of_each_tile(folding):
    calls = []
    Upscaler(folding, tile=16)(image(30, 33), progress=calls.append)
    assert len(calls) == 6
    assert sum(calls) == 30 * 33


def test_an_interruption_between_tiles_is_not_held_up(folding):
    calls = []

    def interrupt(pixels):
        calls.append(pixels)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Upscaler(folding, tile=16)(image(30, 33), progress=interrupt)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("dtype", "factor", "message"),
    [
        (torch.float32, np.inf, "not finite: its weights have diverged"),
        (torch.float16, 1e6, r"overflows in torch.float16, .* try torch.float32"),
        (torch.bfloat16, np.nan, r"overflows in torch.bfloat16, .* try torch.float32"),
    ],
)
def test_an_output_that_is_not_finite_is_refused(dtype, factor, message):
    with pytest.raises(ValueError, match=message):
        Upscaler(Nearest(factor), dtype=dtype)(image(8, 8) | 1)  # infinity times 0 is no number


@pytest.mark.parametrize(
    "pixels",
    [image(4, 4) / 255, image(4, 4)[..., 0], image(4, 4)[..., :1], np.empty((0, 4, 3), np.uint8)],
)
def test_what_is_no_rgb_image_is_refused(pixels, folding):
    with pytest.raises(ValueError, match="expected RGB, uint8 or uint16"):
        Upscaler(folding)(pixels)


def test_arguments_out_of_range_are_refused(folding):
    with pytest.raises(ValueError, match=r"tile \(0\) must be at least 1"):
        Upscaler(folding, tile=0)
    with pytest.raises(ValueError, match=r"dtype \(torch.int8\) must be a floating-point type"):
        Upscaler(folding, dtype=torch.int8)


def test_the_overlap_is_that_of_the_networks_depth(folding):
    assert Upscaler(folding)._footprint == measure_footprint(folding)
