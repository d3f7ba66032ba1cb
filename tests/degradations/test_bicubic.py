from pathlib import Path

import cv2
import numpy as np
import pytest

from esrgan.degradations import CONVENTIONS, resize_double, resize_uint8

both = pytest.mark.parametrize("resize", CONVENTIONS.values(), ids=CONVENTIONS.keys())


def read(path: Path) -> np.ndarray:
    return np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def psnr_y(image: np.ndarray, gt: np.ndarray) -> float:
    difference = (image.astype(float) - gt)[4:-4, 4:-4] / 255 @ (65.481, 128.553, 24.966)
    return 10 * np.log10(255**2 / np.mean(difference**2))


@pytest.mark.parametrize("name", ["baby", "bird", "butterfly", "head", "woman"])
def test_uint8_convention_makes_every_byte_of_the_set5_files(reference_data, name):
    gt = read(reference_data / "set5/HR" / f"{name}.png")
    lq = read(reference_data / "set5/LRbicx4" / f"{name}.png")
    np.testing.assert_array_equal(resize_uint8(gt, 1 / 4), lq)


@pytest.mark.parametrize("name", ["baboon", "comic"])
def test_double_convention_makes_every_byte_of_the_basicsr_files(reference_data, name):
    gt = read(reference_data / "matlab_double/gt" / f"{name}.png")
    lq = read(reference_data / "matlab_double/lq" / f"{name}.png")
    np.testing.assert_array_equal(resize_double(gt, 1 / 4), lq)


@pytest.mark.parametrize(("name", "golden"), [("baboon", 22.441899), ("comic", 21.720398)])
def test_enlarging_in_double_convention_scores_the_golden_psnr(reference_data, name, golden):
    gt = read(reference_data / "matlab_double/gt" / f"{name}.png")
    lq = read(reference_data / "matlab_double/lq" / f"{name}.png")
    assert psnr_y(resize_double(lq, 4), gt) == pytest.approx(golden, abs=5e-7)


def test_enlarging_in_uint8_convention_scores_the_golden_mean_of_set5(reference_data):
    scores = [
        psnr_y(resize_uint8(read(path), 4), read(reference_data / "set5/HR" / path.name))
        for path in sorted((reference_data / "set5/LRbicx4").glob("*.png"))
    ]
    assert np.mean(scores) == pytest.approx(28.4302, abs=5e-5)


def test_the_conventions_differ_where_the_fact_sheet_says(reference_data):
    gt = read(reference_data / "set5/HR/butterfly.png")
    difference = np.abs(resize_double(gt, 1 / 4).astype(int) - resize_uint8(gt, 1 / 4))
    assert 0.10 < (difference > 0).mean() < 0.16
    assert difference.max() <= 7


def test_halving_a_step_gives_the_values_worked_out_by_hand():
    # Halved, the kernel at 0.25, 0.75, 1.25, 1.75 is 0.43359, 0.11328, -0.03516, -0.01172. Left of
    # the step, the last output reaches over it with the last three (200 * 0.06640 = 13.3), the one
    # before with the last (-2.3, cut off at 0); right of it the same is missing from 200.
    step = np.repeat(np.array([[0] * 8 + [200] * 8], np.uint8), 4, axis=0)
    for resize in (resize_uint8, resize_double):
        np.testing.assert_array_equal(resize(step, 0.5), [[0, 0, 0, 13, 187, 202, 200, 200]] * 2)


@both
@pytest.mark.parametrize("scale", [1 / 2, 1 / 3, 1 / 4, 0.7, 1, 2, 3, 4])
def test_sides_round_up_and_flat_images_stay_flat(resize, scale):
    image = np.full((23, 37, 3), 91, np.uint8)
    output = resize(image, scale)
    assert output.shape == (int(np.ceil(23 * scale)), int(np.ceil(37 * scale)), 3)
    assert output.dtype == np.uint8
    assert (output == 91).all()


@both
@pytest.mark.parametrize("scale", [1 / 2, 1 / 3, 1 / 4, 2, 3])
def test_flipping_the_image_flips_the_result(resize, scale):
    image = noise(24, 36)
    np.testing.assert_array_equal(resize(image[:, ::-1], scale), resize(image, scale)[:, ::-1])


@both
def test_channels_are_resized_independently(resize):
    image = noise(20, 28, 3)
    for channel in range(3):
        np.testing.assert_array_equal(
            resize(image, 1 / 4)[..., channel], resize(image[..., channel], 1 / 4)
        )


@both
def test_scale_one_changes_nothing(resize):
    np.testing.assert_array_equal(resize(noise(9, 7, 3), 1), noise(9, 7, 3))


@both
def test_a_single_pixel_can_be_resized(resize):
    assert (resize(np.full((1, 1, 3), 7, np.uint8), 4) == 7).all()
    assert resize(np.full((1, 1, 3), 7, np.uint8), 1 / 4).shape == (1, 1, 3)


@both
@pytest.mark.parametrize(
    "image", [np.zeros((4, 4, 3)), np.zeros(4, np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_uint8_image_is_refused(resize, image):
    with pytest.raises(ValueError, match="must be uint8 of shape"):
        resize(image, 1 / 4)


@both
@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf")])
def test_a_scale_that_is_not_positive_is_refused(resize, scale):
    with pytest.raises(ValueError, match="must be a positive number"):
        resize(noise(4, 4, 3), scale)
