import os
import pickle
import shutil

import numpy as np
import pytest

from esrgan.data.encode import Recipe
from esrgan.data.images import read_image, write_png
from esrgan.data.lmdb_images import LmdbImages
from esrgan.data.lmdb_pairs import LmdbPairs
from esrgan.data.lmdb_store import CODECS
from esrgan.data.prepare import build_dataset
from esrgan.degradations import resize_double
from esrgan.types import GroundTruths


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(3):
        image = rng.integers(0, 256, (21 + number, 30, 3), np.uint8)
        write_png(tmp_path / "photos" / f"{number}.png", image)
    return tmp_path / "photos"


def build(photos, codec="raw", **kind):
    recipe = Recipe(
        **{"scale": 1, "codec": CODECS[codec], "downscale": None, "gt_only": True} | kind
    )
    build_dataset(photos.parent / "set", recipe, gt_folders=[photos])
    return photos.parent / "set"


@pytest.mark.parametrize("codec", ["raw", "png"])
def test_every_crop_is_the_part_of_the_image_file(photos, codec):
    images: GroundTruths = LmdbImages(folder=build(photos, codec))
    assert (len(images), images.key(1), images.size(1)) == (3, "1", (22, 30))
    file = read_image(photos / "1.png")
    assert np.array_equal(images.read(1), file)
    for top, left, height, width in [(0, 0, 22, 30), (3, 8, 5, 7), (21, 29, 1, 1)]:
        crop = images.read_crop(1, top, left, height, width)
        assert np.array_equal(crop, file[top : top + height, left : left + width])
        assert crop.flags.owndata


def test_a_crop_outlives_the_memory_map(photos):
    crop = LmdbImages(folder=build(photos)).read_crop(0, 2, 3, 4, 5)
    os.waitpid(os.fork() or os._exit(0), 0)  # a fork closes the map
    assert np.array_equal(crop, read_image(photos / "0.png")[2:6, 3:8])


@pytest.mark.parametrize(
    "crop", [(-1, 0, 4, 4), (0, 27, 4, 4), (18, 0, 4, 4), (0, 0, 0, 4), (0, -1, 4, 4)]
)
def test_a_crop_that_is_not_inside_the_image_is_refused(photos, crop):
    images = LmdbImages(folder=build(photos))
    with pytest.raises(ValueError, match=r"is not inside image '0' of 21x30"):
        images.read_crop(0, *crop)


def test_a_pickled_copy_reads_the_same(photos):
    images = LmdbImages(folder=build(photos))
    before = images.read(2)
    assert np.array_equal(pickle.loads(pickle.dumps(images)).read(2), before)


def test_the_ground_truths_of_pairs_are_images_too(photos):
    folder = build(photos, scale=4, downscale=resize_double, gt_only=False)
    shutil.rmtree(folder / "lq.lmdb")
    images = LmdbImages(folder=folder)
    assert [images.size(index) for index in range(3)] == [(20, 28), (20, 28), (20, 28)]
    assert np.array_equal(images.read(0), read_image(photos / "0.png")[:20, :28])
    images.verify()


def test_the_gt_half_of_basicsr_is_read(reference_data, tmp_path):
    shutil.copytree(reference_data / "basicsr_lmdb" / "gt.lmdb", tmp_path / "DF2K.lmdb")
    images = LmdbImages(folder=tmp_path, gt="DF2K.lmdb")
    assert [images.key(index) for index in range(2)] == ["baboon", "comic"]
    comic = read_image(reference_data / "matlab_double" / "gt" / "comic.png")
    assert images.size(1) == comic.shape[:2]
    assert np.array_equal(images.read(1), comic)
    images.verify()


def test_pairs_cannot_be_read_of_ground_truths_alone(photos):
    with pytest.raises(ValueError, match=r"has ground truths only .*: train on it with data=blind"):
        LmdbPairs(folder=build(photos), scale=4)


def test_verify_finds_a_changed_byte(photos):
    images = LmdbImages(folder=build(photos))
    images.verify()
    path = photos.parent / "set" / "gt.lmdb" / "data.mdb"
    content = path.read_bytes()
    at = content.index(read_image(photos / "1.png").tobytes()[:3000])
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    with pytest.raises(
        ValueError, match=r"has 1 problems:\n  1: .* was changed since it was written"
    ):
        LmdbImages(folder=photos.parent / "set").verify()


def test_folders_that_are_no_data_set_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"absent does not exist: build it"):
        LmdbImages(folder=tmp_path / "absent")
    with pytest.raises(ValueError, match=r"not a data set, it has no gt\.lmdb/data\.mdb"):
        LmdbImages(folder=tmp_path)
