import resource
from dataclasses import replace
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest

from esrgan.data.encode import Recipe
from esrgan.data.images import read_image, write_png
from esrgan.data.lmdb_images import LmdbImages
from esrgan.data.lmdb_pairs import LmdbPairs
from esrgan.data.lmdb_store import CODECS
from esrgan.data.manifest import open_journal
from esrgan.data.prepare import build_dataset
from esrgan.data.sources import SubImages
from esrgan.degradations import resize_double

RAW = Recipe(scale=4, codec=CODECS["raw"], downscale=resize_double)
PNG = Recipe(scale=4, codec=CODECS["png"], downscale=resize_double)


def write_noise(path: Path, height: int = 24, width: int = 32) -> None:
    path.parent.mkdir(exist_ok=True)
    rng = np.random.default_rng(len(path.name) + height)
    write_png(path, rng.integers(0, 256, (height, width, 3), np.uint8), overwrite=True)


@pytest.fixture
def photos(tmp_path):
    for number in range(5):
        write_noise(tmp_path / "photos" / f"{number}.png", height=24 + number)
    return tmp_path / "photos"


def contents(folder: Path) -> list[bytes]:
    """All records, without the LMDBs' own bookkeeping."""
    files = [(folder / "records.tsv").read_bytes()]
    for name in ("gt.lmdb", "lq.lmdb"):
        with lmdb.open(str(folder / name), readonly=True, lock=False) as environment:
            files += [part for item in environment.begin().cursor() for part in item]
    return files


def test_the_low_resolution_images_are_those_that_matlab_makes(reference_data, tmp_path):
    build_dataset(tmp_path / "set", RAW, gt_folders=[reference_data / "matlab_double" / "gt"])
    pairs = LmdbPairs(folder=tmp_path / "set", scale=4)
    assert [pairs.key(index) for index in range(len(pairs))] == ["baboon", "comic"]
    for index in range(2):
        name = f"{pairs.key(index)}.png"
        lq, gt = pairs.read(index)
        assert np.array_equal(lq, read_image(reference_data / "matlab_double" / "lq" / name))
        assert np.array_equal(gt, read_image(reference_data / "matlab_double" / "gt" / name))


def test_png_records_are_those_of_basicsr(photos, tmp_path):
    build_dataset(tmp_path / "set", PNG, gt_folders=[photos])
    meta_info = (tmp_path / "set" / "lq.lmdb" / "meta_info.txt").read_text()
    assert meta_info.splitlines()[:2] == ["0.png (6,8,3) 1", "1.png (6,8,3) 1"]
    with lmdb.open(str(tmp_path / "set" / "gt.lmdb"), readonly=True, lock=False) as environment:
        value = environment.begin().get(b"1")
    bgr = cv2.imdecode(np.frombuffer(value, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(bgr, cv2.imread(str(photos / "1.png"))[:24])


def test_sub_images_are_cut_out_of_the_low_resolution_image_of_the_whole(photos, tmp_path):
    recipe = Recipe(4, CODECS["raw"], resize_double, SubImages(size=16, step=8))
    build_dataset(tmp_path / "set", recipe, gt_folders=[photos])
    pairs = LmdbPairs(folder=tmp_path / "set", scale=4)
    assert len(pairs) == 4 * (2 * 3) + 3 * 3  # the image of 28 rows has three rows of squares
    lq, gt = pairs.read(5)
    assert pairs.key(5) == "0_s006"
    whole = read_image(photos / "0.png")
    assert np.array_equal(gt, whole[8:24, 16:32])
    assert np.array_equal(lq, resize_double(whole, 1 / 4)[2:6, 4:8])


def test_the_number_of_processes_changes_nothing(photos, tmp_path):
    build_dataset(tmp_path / "one", RAW, gt_folders=[photos], processes=1)
    build_dataset(tmp_path / "two", RAW, gt_folders=[photos], processes=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_what_exists_is_never_written_over(photos, tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(ValueError, match=r"set exists and is not overwritten"):
        build_dataset(tmp_path / "set", RAW, gt_folders=[photos])
    assert list((tmp_path / "set").iterdir()) == []


def test_bad_files_are_all_named_and_a_repaired_folder_continues(photos, tmp_path):
    (photos / "1.png").write_bytes(b"no image")
    (photos / "3.png").write_bytes((photos / "0.png").read_bytes()[:900])
    with pytest.raises(ValueError, match=r"(?s)2 images.*/1\.png: .*/3\.png: .*\.partial"):
        build_dataset(tmp_path / "set", RAW, gt_folders=[photos])
    assert not (tmp_path / "set").exists()
    write_noise(photos / "1.png", height=25)
    (photos / "3.png").unlink()
    seen = []
    built = build_dataset(
        tmp_path / "set", RAW, gt_folders=[photos], progress=lambda *done: seen.append(done)
    )
    assert built.num_records == 4
    assert seen == [(3, 4), (4, 4)]  # the last one of the first run is made again
    build_dataset(tmp_path / "fresh", RAW, gt_folders=[photos])
    assert contents(tmp_path / "set") == contents(tmp_path / "fresh")


def test_bad_files_are_left_out_on_request(photos, tmp_path):
    (photos / "1.png").write_bytes(b"")
    built = build_dataset(tmp_path / "set", RAW, gt_folders=[photos], skip_bad=True)
    assert built.num_records == 4
    assert [error.name for error in built.left_out] == [str(photos / "1.png")]


def interrupt(photos, output, recipe=RAW):
    """A build that ends after the third of five images."""

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_dataset(output, recipe, gt_folders=[photos], progress=stop)


@pytest.fixture
def store_each_image(monkeypatch):
    monkeypatch.setattr("esrgan.data.prepare._TRANSACTION_BYTES", 1)


def test_other_settings_do_not_continue(photos, tmp_path):
    interrupt(photos, tmp_path / "set")
    with pytest.raises(ValueError, match=r"other settings \(codec 'raw', now 'png'\)"):
        build_dataset(tmp_path / "set", PNG, gt_folders=[photos])


def test_a_source_that_was_changed_does_not_continue(photos, tmp_path, store_each_image):
    interrupt(photos, tmp_path / "set")
    write_noise(photos / "0.png", height=40)
    with pytest.raises(ValueError, match=r"1 files were changed or removed .*0\.png"):
        build_dataset(tmp_path / "set", RAW, gt_folders=[photos])


def test_values_whose_source_was_removed_before_their_record_was_written_go(
    photos, tmp_path, store_each_image
):
    interrupt(photos, tmp_path / "set")
    journal = tmp_path / "set.partial" / "journal.tsv"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:2]) + "torn")
    (photos / "2.png").unlink()
    assert build_dataset(tmp_path / "set", RAW, gt_folders=[photos]).num_records == 4
    LmdbPairs(folder=tmp_path / "set", scale=4).verify()


def test_two_builds_of_one_data_set_exclude_each_other(photos, tmp_path):
    (tmp_path / "set.partial").mkdir()
    with (
        open_journal(tmp_path / "set.partial"),
        pytest.raises(ValueError, match=r"another process is building"),
    ):
        build_dataset(tmp_path / "set", RAW, gt_folders=[photos])


def test_nothing_but_the_data_set_is_left(photos, tmp_path):
    interrupt(photos, tmp_path / "set", PNG)
    for folder in (tmp_path / "set.partial", tmp_path / "set.partial" / "gt.lmdb"):
        (folder / ".4711-0.partial").touch()  # a kill while a file was being written
    build_dataset(tmp_path / "set", PNG, gt_folders=[photos])
    assert [path.name for path in tmp_path.iterdir() if path.name != "photos"] == ["set"]
    files = {str(path.relative_to(tmp_path / "set")) for path in (tmp_path / "set").rglob("*.*")}
    lmdbs = {f"{name}.lmdb" for name in ("gt", "lq")}
    inside = {f"{lmdb}/data.mdb" for lmdb in lmdbs}
    lists = {f"{lmdb}/meta_info.txt" for lmdb in lmdbs}
    assert files == lmdbs | inside | lists | {"manifest.json", "records.tsv"}


def test_a_full_disk_is_an_error_after_which_the_build_continues(
    photos, tmp_path, store_each_image
):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for number in range(5, 40):
        write_noise(photos / f"{number}.png", height=64, width=64)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(OSError, match=r"gt\.lmdb cannot be written .*MiB are free"):
            build_dataset(tmp_path / "set", RAW, gt_folders=[photos])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert build_dataset(tmp_path / "set", RAW, gt_folders=[photos]).num_records == 40
    LmdbPairs(folder=tmp_path / "set", scale=4).verify()


GT_ONLY = Recipe(scale=1, codec=CODECS["png"], downscale=None, gt_only=True)


def test_a_data_set_of_ground_truths_has_nothing_else(photos, tmp_path):
    build_dataset(tmp_path / "set", GT_ONLY, gt_folders=[photos])
    files = sorted(
        str(path.relative_to(tmp_path / "set")) for path in (tmp_path / "set").rglob("*")
    )
    inside = [f"gt.lmdb/{name}" for name in ("data.mdb", "meta_info.txt")]
    assert files == ["gt.lmdb", *inside, "manifest.json", "records.tsv"]
    images = LmdbImages(folder=tmp_path / "set")
    assert [images.size(index) for index in range(5)] == [(24 + n, 32) for n in range(5)]
    images.verify()


def test_an_interrupted_build_of_versions_continues(photos, tmp_path, store_each_image):
    recipe = replace(GT_ONLY, multi_scale=True, skip_small=12)
    interrupt(photos, tmp_path / "set", recipe)
    built = build_dataset(tmp_path / "set", recipe, gt_folders=[photos])
    assert built.num_records == 15  # of each the image, T0 and T1
    expected = [f"{photos / str(n)}.png T2 ({(24 + n) // 3}x10)" for n in range(5)]
    assert built.too_small == expected
    build_dataset(tmp_path / "fresh", recipe, gt_folders=[photos])
    for name in ("records.tsv", "gt.lmdb/meta_info.txt"):
        assert (tmp_path / "set" / name).read_text() == (tmp_path / "fresh" / name).read_text()
    LmdbImages(folder=tmp_path / "set").verify()


@pytest.mark.parametrize("changed", [{"multi_scale": True}, {"skip_small": 8}])
def test_other_versions_do_not_continue(photos, tmp_path, changed):
    interrupt(photos, tmp_path / "set", GT_ONLY)
    with pytest.raises(ValueError, match=rf"other settings \({next(iter(changed))} "):
        build_dataset(tmp_path / "set", replace(GT_ONLY, **changed), gt_folders=[photos])


def test_a_name_that_a_version_would_have_is_refused(photos, tmp_path):
    write_noise(photos / "1T2.png")
    message = r"a reduced version of .*/1\.png would have the name of .*/1T2\.png: rename"
    with pytest.raises(ValueError, match=message):
        build_dataset(tmp_path / "set", replace(GT_ONLY, multi_scale=True), gt_folders=[photos])
    assert build_dataset(tmp_path / "set", GT_ONLY, gt_folders=[photos]).num_records == 6


def test_a_data_set_of_which_nothing_would_be_left_is_refused(photos, tmp_path):
    message = r"all 5 images are smaller than skip_small \(400\): lower it"
    with pytest.raises(ValueError, match=message):
        build_dataset(tmp_path / "set", replace(GT_ONLY, skip_small=400), gt_folders=[photos])
    assert not (tmp_path / "set.partial").exists()


def test_ready_made_images_do_not_go_with_ground_truths_alone(photos, tmp_path):
    with pytest.raises(ValueError, match="either lq folders or"):
        build_dataset(tmp_path / "set", GT_ONLY, gt_folders=[photos], lq_folders=[photos])


def test_a_folder_that_is_given_twice_is_named(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(photos)
    with pytest.raises(ValueError, match=r"^\. is given twice: name each folder once$"):
        build_dataset(tmp_path / "set", RAW, gt_folders=[photos, Path()])
    assert not list(tmp_path.glob("set*"))
