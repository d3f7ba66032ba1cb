"""Data sets of other scales than 4: what is stored beside what, and what does not fit."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from esrgan.data import CODECS, LmdbImages, LmdbPairs, Recipe, build_dataset, read_image, write_png
from esrgan.data.folders import FolderPairs
from esrgan.degradations import resize_double

RESTORATION = Recipe(scale=1, codec=CODECS["raw"], downscale=None)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


def clean_and_damaged(folder: Path, **sizes: tuple[int, int]) -> tuple[Path, Path]:
    """`folder`/gt/NAME.png and `folder`/lq/NAME.jpg, a JPEG of it."""
    for half in ("gt", "lq"):
        (folder / half).mkdir(parents=True)
    for name, size in sizes.items():
        write_png(folder / "gt" / f"{name}.png", noise(*size))
        jpeg = str(folder / "lq" / f"{name}.jpg")
        cv2.imwrite(jpeg, noise(*size)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 30])
    return folder / "gt", folder / "lq"


@pytest.mark.parametrize(("scale", "size"), [(2, (50, 46)), (3, (48, 45))])
def test_the_lq_image_is_the_bicubic_of_its_cropped_gt(
    tmp_path: Path, scale: int, size: tuple[int, int]
) -> None:
    """Of 50x47, cropped before it is made smaller: pixel (i, j) stands for a square of gt."""
    (tmp_path / "photos").mkdir()
    photo = noise(50, 47)
    write_png(tmp_path / "photos" / "a.png", photo)
    recipe = Recipe(scale=scale, codec=CODECS["raw"], downscale=resize_double)
    build_dataset(tmp_path / "set", recipe, gt_folders=[tmp_path / "photos"])
    stored = LmdbPairs(folder=tmp_path / "set", scale=scale)
    lq, gt = stored.read(0)
    height, width = size
    np.testing.assert_array_equal(gt, photo[:height, :width])
    np.testing.assert_array_equal(lq, resize_double(gt, 1 / scale))
    assert lq.shape == (height // scale, width // scale, 3)
    crop = stored.read_crop(0, 3, 5, 8)
    np.testing.assert_array_equal(crop.lq, lq[3:11, 5:13])
    top, left, side = 3 * scale, 5 * scale, 8 * scale
    np.testing.assert_array_equal(crop.gt, gt[top : top + side, left : left + side])


def test_pairs_of_one_size_are_stored_as_they_are(tmp_path: Path) -> None:
    clean, damaged = clean_and_damaged(tmp_path, a=(31, 47))
    build_dataset(tmp_path / "set", RESTORATION, gt_folders=[clean], lq_folders=[damaged])
    lq, gt = LmdbPairs(folder=tmp_path / "set", scale=1).read(0)
    np.testing.assert_array_equal(gt, noise(31, 47))
    np.testing.assert_array_equal(lq, read_image(damaged / "a.jpg"))
    assert (lq != gt).any()


def test_a_pair_of_two_sizes_is_refused_with_both(tmp_path: Path) -> None:
    clean, damaged = clean_and_damaged(tmp_path, a=(31, 47), b=(40, 40))
    cv2.imwrite(str(damaged / "a.jpg"), noise(31, 46))
    with pytest.raises(
        ValueError, match=r"a\.png: its lq image is 31x46, but must be 31x47, .*\(31x47\)\nThe"
    ):
        build_dataset(tmp_path / "set", RESTORATION, gt_folders=[clean], lq_folders=[damaged])
    with pytest.raises(ValueError, match=r"^a: gt is 31x47, which is not the size of lq, 31x46"):
        FolderPairs(gt=clean, lq=damaged, scale=1)


@pytest.mark.parametrize(
    ("scale", "size", "hint"),
    [(4, (31, 47), 1), (4, (15, 23), 2), (1, (10, 15), 3), (2, (30, 40), None)],
)
def test_pairs_of_another_scale_are_refused_with_the_scale_that_fits(
    tmp_path: Path, scale: int, size: tuple[int, int], hint: int | None
) -> None:
    clean, damaged = clean_and_damaged(tmp_path, a=(31, 47))
    cv2.imwrite(str(damaged / "a.jpg"), noise(*size))
    recipe = Recipe(scale=scale, codec=CODECS["raw"], downscale=None)
    with pytest.raises(ValueError, match=f"its lq image is {size[0]}x{size[1]}") as caught:
        build_dataset(tmp_path / "set", recipe, gt_folders=[clean], lq_folders=[damaged])
    assert (f"it fits --scale {hint}" in str(caught.value)) == (hint is not None)
    assert ("it fits" in str(caught.value)) == (hint is not None)


def test_damaged_images_beside_clean_ones_of_their_size_are_no_ground_truths(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a folder of gt and lq that is named whole: what is alone in lq stays one."""
    clean_and_damaged(tmp_path / "both", a=(31, 47), b=(40, 40))
    (tmp_path / "both" / "gt" / "b.png").unlink()
    recipe = Recipe(scale=1, codec=CODECS["raw"], downscale=None, gt_only=True)
    build_dataset(tmp_path / "set", recipe, gt_folders=[tmp_path / "both"])
    stored = LmdbImages(folder=tmp_path / "set")
    assert [stored.key(index) for index in range(len(stored))] == ["a", "b"]
    np.testing.assert_array_equal(stored.read(0), noise(31, 47))
    assert "1 images are others of these made smaller or worse" in caplog.text


def test_clean_images_alone_make_no_data_set_of_scale_1() -> None:
    with pytest.raises(ValueError, match=r"give them \(--lq\), or have them made .*--no-lq"):
        Recipe(scale=1, codec=CODECS["raw"], downscale=resize_double)
