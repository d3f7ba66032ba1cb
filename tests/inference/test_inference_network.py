import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from esrgan.data.images import read_image
from esrgan.inference import upscale
from esrgan.inference.network import to_pixels, to_tensor
from esrgan.networks import RRDBNet
from esrgan.weights import load_generator

HALF = torch.bfloat16


class Shift(nn.Module):
    """Adds its parameter and enlarges twofold; takes only sides that are multiples of 4."""

    unshuffle = 4

    def __init__(self, shift=0.0):
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(shift))
        self.norm = nn.BatchNorm2d(3)

    def forward(self, lq):
        assert not lq.shape[2] % 4
        assert not lq.shape[3] % 4
        self.seen = lq
        self.was_training = self.training
        return F.interpolate(lq + self.shift, scale_factor=2, mode="nearest")


@pytest.fixture
def lq():
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def test_a_real_networks_output_is_reproduced_to_the_byte(reference_data):
    network = load_generator(reference_data / "weights/RealESRGAN_x4plus_anime_6B.pth")
    image = read_image(reference_data / "set5/LRbicx4/butterfly.png")
    golden = np.load(reference_data / "weights/anime_6B_butterfly_x4.npy") * 255
    sr = upscale(network, image)
    assert np.abs(sr - golden).max() < 0.5 + 1e-3  # rounded, up to the noise of float32
    assert (sr != golden.round()).mean() < 1e-4


def test_bytes_survive_the_way_there_and_back(lq):
    sr = upscale(Shift(), lq)
    assert sr.dtype == np.uint8
    np.testing.assert_array_equal(sr, lq.repeat(2, axis=0).repeat(2, axis=1))


def test_the_output_is_rounded_not_cut_and_clamped(lq):
    brighter = upscale(Shift(0.6 / 255), lq)[::2, ::2]
    np.testing.assert_array_equal(brighter, np.minimum(lq.astype(int) + 1, 255))
    assert (upscale(Shift(3.0), lq) == 255).all()
    assert (upscale(Shift(-3.0), lq) == 0).all()


@pytest.mark.parametrize("size", [(6, 9), (4, 4), (1, 1), (2, 3)])
def test_sides_are_mirrored_up_to_the_multiple_and_cropped_again(size):
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    network = Shift()
    assert upscale(network, image).shape == (2 * size[0], 2 * size[1], 3)
    padded = np.pad(image, [(0, -size[0] % 4), (0, -size[1] % 4), (0, 0)], mode="reflect")
    seen = (network.seen[0].permute(1, 2, 0) * 255).round().numpy()
    np.testing.assert_array_equal(seen, padded)


@pytest.mark.parametrize(("scale", "size"), [(1, (5, 7)), (2, (5, 7)), (4, (5, 7))])
def test_the_networks_of_each_scale_take_any_size(scale, size):
    network = RRDBNet(scale=scale, num_features=4, num_blocks=1, growth_channels=4)
    image = np.zeros((*size, 3), np.uint8)
    assert upscale(network, image).shape == (size[0] * scale, size[1] * scale, 3)


def test_the_mode_of_every_module_is_restored_even_after_an_error(lq):
    network = Shift().train()
    network.norm.eval()
    upscale(network, lq)
    assert not network.was_training
    network.shift.data.fill_(torch.nan)
    with pytest.raises(ValueError, match="not finite"):
        upscale(network, lq)
    assert network.training
    assert not network.norm.training


def test_it_computes_in_float32_without_gradient_in_an_autocast_region(lq):
    convolution = nn.Conv2d(3, 3, 3, padding=1)
    outside = upscale(convolution, lq)
    outputs = []
    convolution.register_forward_hook(lambda *call: outputs.append(call[2]))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = upscale(convolution, lq)
    np.testing.assert_array_equal(inside, outside)
    assert outputs[0].dtype == torch.float32
    assert not outputs[0].requires_grad


def test_the_settings_of_cudnn_are_restored(lq):
    def settings():
        return torch.backends.cudnn.conv.fp32_precision, torch.backends.cudnn.benchmark

    before, inside, network = settings(), [], Shift()
    network.register_forward_hook(lambda *_: inside.append(settings()))
    upscale(network, lq)
    assert inside == [("ieee", False)]
    assert settings() == before


def test_what_is_no_rgb_image_is_refused(lq):
    for image in (lq / 255, lq[..., 0], lq[..., :1]):
        with pytest.raises(ValueError, match="expected an RGB image"):
            upscale(Shift(), image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_half_precision_is_rounded_to_once_on_the_way_in(dtype):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (50, 40, 3), dtype)
    tensor = to_tensor(pixels, multiple=1, like=torch.zeros(1, dtype=HALF))
    exact = torch.from_numpy(pixels / np.iinfo(dtype).max).permute(2, 0, 1)[None]
    assert tensor.dtype == HALF
    assert torch.equal(tensor, exact.float().to(HALF))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_half_precision_is_not_rounded_to_again_on_the_way_out(dtype):
    sr = torch.rand(3, 50, 40, generator=torch.Generator().manual_seed(0)).to(HALF)
    expected = (sr.double() * np.iinfo(dtype).max).round().permute(1, 2, 0).numpy()
    pixels = to_pixels(sr, np.dtype(dtype))
    assert pixels.dtype == dtype
    np.testing.assert_array_equal(pixels, expected)
