import numpy as np
import pytest

from esrgan.evaluation import rgb_to_y


@pytest.mark.parametrize(
    ("rgb", "y"),
    [
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        ((255, 0, 0), 81.481),
        ((0, 255, 0), 144.553),
        ((0, 0, 255), 40.966),
        ((1, 2, 3), 16 + (65.481 + 2 * 128.553 + 3 * 24.966) / 255),
    ],
)
def test_luminance_is_that_of_bt601_and_is_not_rounded(rgb, y):
    luminance = rgb_to_y(np.full((2, 3, 3), rgb, np.uint8))
    assert luminance.shape == (2, 3)
    assert luminance.dtype == np.float64
    np.testing.assert_allclose(luminance, y, rtol=0, atol=1e-12)
