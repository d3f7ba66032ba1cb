"""On photographs, with released weights."""

from functools import partial

import numpy as np
import pytest
import torch

from esrgan.data.images import read_image
from esrgan.inference import Upscaler, upscale
from esrgan.networks import RRDBNet, scaled_kaiming
from esrgan.weights import load_generator

PHOTOS = ["set5/LRbicx4/baby.png", "bsds400/97010.jpg", "bsds400/189006.jpg"]
TILES = [32, 64, 100]


@pytest.fixture(scope="module")
def released(reference_data):
    return load_generator(reference_data / "weights/RealESRGAN_x4plus_anime_6B.pth")


@pytest.fixture(scope="module")
def photos(reference_data):
    return [read_image(reference_data / name)[-64:, :160] for name in PHOTOS]


def psnr(one, other):
    return 10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2))


def worst_difference(network, photos, tiles):
    differences = []
    for photo in photos:
        whole = upscale(network, photo).astype(int)
        assert whole.std() > 20
        for tile in tiles:
            differences.append(np.abs(Upscaler(network, tile=tile)(photo) - whole).max())
    return max(differences)


@pytest.mark.slow
def test_tiles_of_6_released_blocks_are_one_level_off_at_most(released, photos):
    assert worst_difference(released, photos, TILES) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("weights", [0.1, 1.0])
def test_tiles_of_23_blocks_are_one_level_off_at_most(weights, photos):
    torch.manual_seed(0)
    network = RRDBNet(initialise=partial(scaled_kaiming, scale=weights))
    fill_the_range(network, photos[0])
    assert worst_difference(network, [photos[1][:48]], TILES[1:]) <= 1


def fill_the_range(network, photo):
    """Let the last layer give each channel the mean 0.5 and the standard deviation 0.2."""
    lq = torch.from_numpy(photo[:48, :48]).permute(2, 0, 1)[None].float() / 255
    last = network.conv_last
    with torch.no_grad():
        sr = network(lq)
        factor = 0.2 / sr.std((0, 2, 3))
        last.weight *= factor[:, None, None, None]
        last.bias.copy_((last.bias - sr.mean((0, 2, 3))) * factor + 0.5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_as_good_as_equal(dtype, released, reference_data):
    photo = read_image(reference_data / "set5/LRbicx4/butterfly.png")[:32, :32]
    half = Upscaler(released, dtype=dtype)(photo)
    assert psnr(half, upscale(released, photo)) > 50
