import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from esrgan.data.folders import FolderImages, FolderPairs
from esrgan.data.images import read_image, write_png
from esrgan.types import GroundTruths, Image, ImagePairs


def every_fourth(image: Image, scale: float) -> Image:
    return np.ascontiguousarray(image[::4, ::4])


def fill(folder: Path, **sizes: tuple[int, int]) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, (height, width) in sizes.items():
        write_png(folder / f"{name}.png", rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    return folder


def test_set5_is_paired_whole(reference_data):
    set5 = reference_data / "set5"
    pairs: ImagePairs = FolderPairs(gt=set5 / "HR", lq=set5 / "LRbicx4", scale=4)
    pairs.verify()
    assert [pairs.key(index) for index in range(len(pairs))] == [
        *["baby", "bird", "butterfly", "head", "woman"]
    ]
    lq, gt = pairs.read(4)
    np.testing.assert_array_equal(lq, read_image(set5 / "LRbicx4/woman.png"))
    np.testing.assert_array_equal(gt, read_image(set5 / "HR/woman.png"))
    assert pairs.lq_size(4) == (86, 57)


def test_the_scale_at_the_end_of_an_lq_name_is_left_out(tmp_path):
    gt = fill(tmp_path / "gt", a=(8, 12), b=(16, 8))
    lq = fill(tmp_path / "lq", bx4=(4, 2), ax4=(2, 3))
    pairs = FolderPairs(gt=str(gt), lq=str(lq), scale=4)
    assert [pairs.key(0), pairs.key(1)] == ["a", "b"]
    np.testing.assert_array_equal(pairs.read(1).lq, read_image(lq / "bx4.png"))


def test_lq_is_made_of_the_cropped_gt(tmp_path):
    gt = fill(tmp_path / "gt", a=(11, 14))
    pairs = FolderPairs(gt=gt, scale=4, downscale=every_fourth)
    whole = read_image(gt / "a.png")
    assert pairs.lq_size(0) == (2, 3)
    np.testing.assert_array_equal(pairs.read(0).gt, whole[:8, :12])
    np.testing.assert_array_equal(pairs.read(0).lq, whole[:8:4, :12:4])


def test_a_larger_gt_is_cropped_to_the_multiple_of_its_lq(tmp_path):
    gt = fill(tmp_path / "gt", a=(11, 12))
    pairs = FolderPairs(gt=gt, lq=fill(tmp_path / "lq", a=(2, 3)), scale=4)
    np.testing.assert_array_equal(pairs.read(0).gt, read_image(gt / "a.png")[:8, :12])


def test_a_crop_is_the_same_part_of_both_images(tmp_path):
    pairs = FolderPairs(
        gt=fill(tmp_path / "gt", a=(24, 32)), lq=fill(tmp_path / "lq", a=(6, 8)), scale=4
    )
    lq, gt = pairs.read(0)
    crop = pairs.read_crop(0, 1, 2, 3)
    np.testing.assert_array_equal(crop.lq, lq[1:4, 2:5])
    np.testing.assert_array_equal(crop.gt, gt[4:16, 8:20])
    assert crop.lq.base is None
    assert crop.gt.base is None
    for top, left, size in ((-1, 0, 2), (4, 0, 3), (0, 6, 3)):
        with pytest.raises(ValueError, match="does not fit into 6x8"):
            pairs.read_crop(0, top, left, size)


def test_pairs_survive_pickling(tmp_path):
    gt = fill(tmp_path / "gt", a=(8, 8))
    pairs = FolderPairs(gt=gt, scale=4, downscale=partial(every_fourth))
    copy = pickle.loads(pickle.dumps(pairs))
    np.testing.assert_array_equal(copy.read(0).lq, pairs.read(0).lq)


def test_every_file_without_its_partner_is_named(tmp_path):
    gt = fill(tmp_path / "gt", a=(8, 8), b=(8, 8), c=(8, 8))
    lq = fill(tmp_path / "lq", a=(2, 2), dx4=(2, 2), c=(2, 2), cx4=(2, 2))
    with pytest.raises(ValueError) as caught:
        FolderPairs(gt=gt, lq=lq, scale=4)
    message = str(caught.value)
    assert "b.png has no lq image: add b or bx4" in message
    assert "c.png has two lq images" in message
    assert "dx4.png has no gt image" in message
    assert "a.png" not in message


@pytest.mark.parametrize("size", [(3, 2), (2, 1), (1, 2)])
def test_sizes_of_another_factor_are_refused(tmp_path, size):
    gt = fill(tmp_path / "gt", good=(9, 8), odd=(9, 8))
    lq = fill(tmp_path / "lq", good=(2, 2), odd=size)
    with pytest.raises(ValueError, match=r"^odd: gt is 9x8, which is not 4 times lq") as caught:
        FolderPairs(gt=gt, lq=lq, scale=4)
    assert "good" not in str(caught.value)


def test_a_gt_smaller_than_the_scale_is_refused(tmp_path):
    gt = fill(tmp_path / "gt", a=(3, 8))
    with pytest.raises(ValueError, match="a: gt is 3x8"):
        FolderPairs(gt=gt, scale=4, downscale=every_fourth)


def test_subfolders_tell_equal_names_apart(tmp_path):
    gt, lq = fill(tmp_path / "gt", a=(8, 8), b=(8, 8)), fill(tmp_path / "lq", a=(2, 2), bx4=(2, 2))
    fill(gt / "more", a=(16, 8))
    fill(lq / "more", ax4=(4, 2))
    pairs = FolderPairs(gt=gt, lq=lq, scale=4)
    assert [pairs.key(index) for index in range(3)] == ["a", "b", "more_a"]
    np.testing.assert_array_equal(pairs.read(2).lq, read_image(lq / "more" / "ax4.png"))


def test_exactly_one_source_of_lq_is_accepted(tmp_path):
    gt = fill(tmp_path / "gt", a=(8, 8))
    for options in ({}, {"lq": gt, "downscale": every_fourth}):
        with pytest.raises(ValueError, match="give either lq"):
            FolderPairs(gt=gt, scale=4, **options)


def test_a_downscale_of_another_factor_is_refused(tmp_path):
    pairs = FolderPairs(gt=fill(tmp_path / "gt", a=(8, 8)), scale=2, downscale=every_fourth)
    with pytest.raises(ValueError, match=r"downscale made 2x2 of 8x8.*scale \(2\)"):
        pairs.read(0)


def test_verify_names_all_files_that_cannot_be_decoded(tmp_path):
    gt = fill(tmp_path / "gt", a=(16, 16), b=(16, 16), c=(16, 16))
    lq = fill(tmp_path / "lq", a=(4, 4), b=(4, 4), c=(4, 4))
    pairs = FolderPairs(gt=gt, lq=lq, scale=4)
    for path in (gt / "a.png", lq / "c.png"):
        data = bytearray(path.read_bytes())
        data[60] ^= 1
        path.write_bytes(data)
    with pytest.raises(ValueError) as caught:
        pairs.verify()
    named = [line.split(":")[0] for line in str(caught.value).splitlines()]
    assert named == [str(gt / "a.png"), str(lq / "c.png")]


def test_unreadable_headers_are_all_named_at_once(tmp_path):
    gt = fill(tmp_path / "gt", a=(16, 16))
    for name in ("b.png", "c.jpg"):
        (gt / name).write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"(?s)b\.png: not a PNG.*c\.jpg: not a PNG"):
        FolderPairs(gt=gt, scale=4, downscale=every_fourth)


def test_a_file_that_changed_size_is_noticed(tmp_path):
    gt = fill(tmp_path / "gt", a=(16, 16))
    pairs = FolderPairs(gt=gt, scale=4, downscale=every_fourth)
    write_png(gt / "a.png", np.zeros((8, 8, 3), np.uint8), overwrite=True)
    with pytest.raises(ValueError, match="was 16x16 at the start, and is now 8x8"):
        pairs.read(0)


def test_images_of_subfolders_are_ground_truths(tmp_path):
    gt = fill(tmp_path / "gt", a=(20, 30), b=(12, 9))
    fill(gt / "sky", a=(7, 5))
    images: GroundTruths = FolderImages(str(gt))
    images.verify()
    assert [images.key(index) for index in range(len(images))] == ["a.png", "b.png", "sky/a.png"]
    assert images.size(2) == (7, 5)
    np.testing.assert_array_equal(images.read(1), read_image(gt / "b.png"))
    crop = pickle.loads(pickle.dumps(images)).read_crop(0, 3, 4, 17, 26)
    np.testing.assert_array_equal(crop, read_image(gt / "a.png")[3:20, 4:30])
    assert crop.flags.owndata


@pytest.mark.parametrize("crop", [(-1, 0, 4, 4), (0, 6, 4, 4), (9, 0, 4, 4), (0, -1, 4, 4)])
def test_a_crop_that_is_not_inside_an_image_is_refused(tmp_path, crop):
    images = FolderImages(fill(tmp_path / "gt", b=(12, 9)))
    with pytest.raises(ValueError, match=r"b\.png: a crop of 4x4 at .* does not fit into 12x9"):
        images.read_crop(0, *crop)


def test_ground_truths_that_cannot_be_read_are_all_named(tmp_path):
    gt = fill(tmp_path / "gt", a=(20, 30), b=(12, 9), c=(8, 8))
    for name in "ac":
        path = gt / f"{name}.png"
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"a\.png: .*\n.*c\.png: "):
        FolderImages(gt).verify()
    (gt / "a.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"^\S+a\.png: [^\n]+\n\S+c\.png: the file is cut short$"):
        FolderImages(gt)


def test_a_folder_that_has_both_is_paired_and_nothing_is_made(tmp_path):
    gt, lq = fill(tmp_path / "HR", a=(8, 12)), fill(tmp_path / "LRbicx4", ax4=(2, 3))
    for word in (tmp_path, f"{gt}:{lq}"):
        pairs = FolderPairs(gt=word, scale=4, downscale=every_fourth)
        assert len(pairs) == 1
        np.testing.assert_array_equal(pairs.read(0).lq, read_image(lq / "ax4.png"))
        pairs.verify()


def test_at_scale_1_nothing_can_be_made(tmp_path):
    gt, lq = fill(tmp_path / "gt", a=(8, 12)), fill(tmp_path / "lq", a=(8, 12))
    with pytest.raises(ValueError, match=r"at scale 1, lq images made of .* GT:LQ"):
        FolderPairs(gt=gt, scale=1, downscale=lambda image, _: image)
    for word in (tmp_path, f"{gt}:{lq}"):
        pairs = FolderPairs(gt=word, scale=1, downscale=lambda image, _: image)
        np.testing.assert_array_equal(pairs.read(0).lq, read_image(lq / "a.png"))
