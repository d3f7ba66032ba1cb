"""Degradations that change no size: what networks of scale 1 learn from."""

import cv2
import numpy as np
import pytest
from presets import preset

from esrgan.degradations.degrader import Degrader
from esrgan.degradations.jpeg import DrawnJpeg

_FACTORS = {
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}


@pytest.fixture(scope="module")
def photo():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (12, 10, 3), np.uint8)
    return cv2.resize(small, (75, 90), interpolation=cv2.INTER_CUBIC)


def test_jpeg_alone_is_what_an_encoder_makes_of_the_picture_in_its_place(photo):
    degrader = Degrader(degradation=preset("jpeg"), scale=1, seed=0)
    drawn = set()
    for number in range(40):
        lq = degrader(photo, number)
        ((_, jpeg),) = degrader.draw(number).steps
        assert isinstance(jpeg, DrawnJpeg)
        assert (jpeg.codec, 10 <= jpeg.quality <= 95) == ("jpeg", True)
        options = [cv2.IMWRITE_JPEG_QUALITY, round(jpeg.quality)]
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _FACTORS[jpeg.subsampling]]
        _, data = cv2.imencode(".jpg", photo[..., ::-1], options)
        np.testing.assert_array_equal(lq, cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])
        drawn.add(jpeg.subsampling)
    assert drawn == set(_FACTORS)


@pytest.mark.parametrize("name", ["jpeg", "compression", "published"])
def test_every_degradation_keeps_the_size_at_scale_1(photo, name):
    degrader = Degrader(degradation=preset(name), scale=1, seed=0)
    assert degrader(photo, 3).shape == photo.shape


@pytest.mark.parametrize("steps", ["jpeg_1", "blur_1,noise_1"])
def test_what_leaves_the_size_as_it_is_is_for_scale_1_alone(steps):
    degradation = preset("jpeg", f"orders.0.steps=[{steps}]")
    Degrader(degradation=degradation, scale=1, seed=0)
    with pytest.raises(ValueError, match=r"at scale 2 one of the steps must be a FinalResize; or"):
        Degrader(degradation=degradation, scale=2, seed=0)
