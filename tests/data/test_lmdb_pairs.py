import os
import pickle
import shutil

import cv2
import lmdb
import numpy as np
import pytest

from esrgan.data.encode import Recipe
from esrgan.data.images import read_image, write_png
from esrgan.data.lmdb_pairs import LmdbPairs
from esrgan.data.lmdb_store import CODECS
from esrgan.data.prepare import build_dataset


def every_second(image, scale):
    return np.ascontiguousarray(image[:: round(1 / scale), :: round(1 / scale)])


def build(folder, codec):
    rng = np.random.default_rng(0)
    for number in range(3):
        image = rng.integers(0, 256, (20 + 2 * number, 30, 3), np.uint8)
        write_png(folder / f"photo.{number}.png", image)
    build_dataset(folder / "set", Recipe(2, CODECS[codec], every_second), gt_folders=[folder])
    return folder / "set"


@pytest.fixture(params=["raw", "png"])
def dataset(request, tmp_path):
    return build(tmp_path, request.param)


def test_every_crop_is_the_part_of_the_image_file(dataset):
    pairs = LmdbPairs(folder=dataset, scale=2)
    assert (len(pairs), pairs.key(1), pairs.lq_size(1)) == (3, "photo%2E1", (11, 15))
    image = read_image(dataset.parent / "photo.1.png")
    for top, left in [(0, 0), (3, 8), (4, 3)]:
        lq, gt = pairs.read_crop(1, top, left, size=7)
        window = image[2 * top : 2 * top + 14, 2 * left : 2 * left + 14]
        assert np.array_equal(gt, window)
        assert np.array_equal(lq, window[::2, ::2])


def test_the_arrays_outlive_the_memory_map(dataset):
    pair = LmdbPairs(folder=dataset, scale=2).read(0)
    before = pair.gt.copy()
    os.waitpid(os.fork() or os._exit(0), 0)  # a fork closes the map
    assert pair.gt.flags.owndata
    assert pair.gt.flags.writeable
    assert np.array_equal(pair.gt, before)


@pytest.mark.parametrize(("top", "left", "size"), [(-1, 0, 4), (0, 9, 7), (5, 0, 6), (0, 0, 0)])
def test_a_crop_that_is_not_inside_the_image_is_refused(dataset, top, left, size):
    with pytest.raises(ValueError, match=r"is not inside lq image 'photo%2E0' of 10x15"):
        LmdbPairs(folder=dataset, scale=2).read_crop(0, top, left, size)


def test_a_pickled_copy_reads_the_same(dataset):
    pairs = LmdbPairs(folder=dataset, scale=2)
    before = pairs.read(2)
    copy = pickle.loads(pickle.dumps(pairs))
    assert np.array_equal(copy.read(2).gt, before.gt)


def test_files_of_basicsr_are_read(reference_data):
    pairs = LmdbPairs(folder=reference_data / "basicsr_lmdb", scale=4)
    assert [pairs.key(index) for index in range(2)] == ["baboon", "comic"]
    assert pairs.lq_size(1) == (90, 60)  # their meta_info.txt says 80 x 60
    for index in range(2):
        for kind, image in pairs.read(index)._asdict().items():
            path = reference_data / "matlab_double" / kind / f"{pairs.key(index)}.png"
            assert np.array_equal(image, cv2.imread(str(path))[:, :, ::-1])
    pairs.verify()


def test_lmdbs_of_basicsr_may_have_other_names(reference_data, tmp_path):
    shutil.copytree(reference_data / "basicsr_lmdb" / "gt.lmdb", tmp_path / "DIV2K_HR.lmdb")
    shutil.copytree(reference_data / "basicsr_lmdb" / "lq.lmdb", tmp_path / "DIV2K_LR.lmdb")
    pairs = LmdbPairs(folder=tmp_path, gt="DIV2K_HR.lmdb", lq="DIV2K_LR.lmdb", scale=4)
    assert pairs.read(0).gt.shape == (480, 492, 3)


def test_a_png_data_set_is_one_of_basicsr_when_its_manifest_is_gone(tmp_path):
    folder = build(tmp_path, "png")
    before = LmdbPairs(folder=folder, scale=2).read(1)
    (folder / "manifest.json").unlink()
    pairs = LmdbPairs(folder=folder, scale=2)
    assert np.array_equal(pairs.read(1).lq, before.lq)


def test_another_scale_is_refused(dataset):
    with pytest.raises(ValueError, match=r"is x2, this run is x4: set scale=2"):
        LmdbPairs(folder=dataset, scale=4)


def test_an_incomplete_data_set_says_how_to_continue(tmp_path):
    (tmp_path / "set.partial").mkdir()
    with pytest.raises(ValueError, match=r"set is incomplete.*prepare_data"):
        LmdbPairs(folder=tmp_path / "set", scale=4)


def test_folders_that_are_no_data_set_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"absent does not exist: build it"):
        LmdbPairs(folder=tmp_path / "absent", scale=4)
    with pytest.raises(ValueError, match=r"not a data set, it has no gt\.lmdb/data\.mdb"):
        LmdbPairs(folder=tmp_path, scale=4)


def test_a_truncated_file_is_refused(dataset):
    os.truncate(dataset / "gt.lmdb" / "data.mdb", 8192)
    with pytest.raises(ValueError, match=r"gt\.lmdb/data\.mdb has 8192 bytes instead of"):
        LmdbPairs(folder=dataset, scale=2)


def test_a_value_of_the_wrong_length_is_named(tmp_path):
    folder = build(tmp_path, "raw")
    pairs = LmdbPairs(folder=folder, scale=2)
    with (
        lmdb.open(str(folder / "lq.lmdb")) as environment,
        environment.begin(write=True) as transaction,
    ):
        transaction.put(b"photo%2E0", bytes(100))
    with pytest.raises(ValueError, match=r"'photo%2E0' of .*lq\.lmdb has 100 bytes instead of 10"):
        pairs.read(0)
