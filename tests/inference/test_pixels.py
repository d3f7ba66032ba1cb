import numpy as np
import pytest
import torch

from esrgan.inference.pixels import to_pixels, to_tensor

HALF = torch.bfloat16


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
