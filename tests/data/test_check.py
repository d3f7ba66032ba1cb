import json
import os
import shutil

import lmdb
import numpy as np
import pytest
from damage import check_damaged_data_sets

from esrgan.data.check import find_problems, lq_of
from esrgan.data.encode import Recipe
from esrgan.data.images import write_png
from esrgan.data.lmdb_store import CODECS
from esrgan.data.prepare import build_dataset
from esrgan.degradations import resize_double


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)
    for name in "abcd":
        write_png(tmp_path / f"{name}.png", rng.integers(0, 256, (64, 64, 3), np.uint8))
    recipe = Recipe(4, CODECS["raw"], resize_double)
    build_dataset(tmp_path / "set", recipe, gt_folders=[tmp_path])
    return tmp_path / "set"


@pytest.fixture
def basicsr(reference_data, tmp_path):
    shutil.copytree(reference_data / "basicsr_lmdb", tmp_path / "basicsr")
    for path in (tmp_path / "basicsr").rglob("*"):
        path.chmod(0o755)
    return tmp_path / "basicsr"


def change(folder, write):
    """Writes to an LMDB, and has the manifest agree with the size that its file comes to."""
    with (
        lmdb.open(str(folder), map_size=1 << 24) as environment,
        environment.begin(write=True) as transaction,
    ):
        write(transaction)
    if (manifest := folder.parent / "manifest.json").exists():
        fields = json.loads(manifest.read_text())
        size = (folder / "data.mdb").stat().st_size
        fields["contents"][f"{folder.stem}_bytes"] = size
        manifest.write_text(json.dumps(fields))


def value_of(folder, key):
    with lmdb.open(str(folder), readonly=True, lock=False) as environment:
        return environment.begin().get(key)


def flip_byte(path, content, offset):
    """Flips a bit in that byte of a file which follows `offset` bytes of `content`."""
    data = bytearray(path.read_bytes())
    data[data.index(content) + offset] ^= 1
    path.write_bytes(data)


def test_what_was_built_is_sound(dataset):
    seen = []
    assert list(find_problems(dataset, progress=lambda *done: seen.append(done))) == []
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("name", ["gt.lmdb", "lq.lmdb"])
@pytest.mark.parametrize("offset", [0, 500, -1])
def test_each_record_with_a_flipped_bit_is_named(dataset, name, offset):
    for key in (b"b", b"d"):
        value = value_of(dataset / name, key)
        flip_byte(dataset / name / "data.mdb", value, offset % len(value))
    problems = list(find_problems(dataset))
    assert [problem.key for problem in problems] == ["b", "d"]
    assert all(f"{name} was changed" in problem.what for problem in problems)


@pytest.mark.parametrize("name", ["gt.lmdb", "lq.lmdb"])
def test_a_missing_and_a_foreign_record_are_named(dataset, name):
    def write(transaction):
        transaction.put(b"x", transaction.pop(b"c"))

    change(dataset / name, write)
    problems = {problem.key: problem.what for problem in find_problems(dataset)}
    assert set(problems) == {"c", "x"}
    assert "is missing" in problems["c"]


@pytest.mark.parametrize("lost", [1, 4096, 30_000])
def test_a_truncated_file_is_found_before_it_is_mapped(dataset, lost):
    path = dataset / "gt.lmdb" / "data.mdb"
    os.truncate(path, path.stat().st_size - lost)
    (problem,) = find_problems(dataset)
    assert "gt.lmdb/data.mdb has" in problem.what


def test_a_damaged_structure_is_found_before_it_is_mapped(dataset):
    path = dataset / "gt.lmdb" / "data.mdb"
    data = bytearray(path.read_bytes())
    for page in range(2, len(data) // 4096):
        data[4096 * page : 4096 * page + 16] = bytes(16)
    path.write_bytes(data)
    assert "is damaged" in next(find_problems(dataset)).what


@pytest.mark.parametrize("change_lines", [lambda lines: lines[1:], lambda lines: lines[::-1]])
def test_a_changed_list_of_records_is_found(dataset, change_lines):
    path = dataset / "records.tsv"
    path.write_text("".join(change_lines(path.read_text().splitlines(keepends=True))))
    (problem,) = find_problems(dataset)
    assert "records.tsv is missing or was changed" in problem.what


def test_a_folder_that_is_no_data_set_is_a_problem(tmp_path):
    (problem,) = find_problems(tmp_path / "absent")
    assert "does not exist" in str(problem)


def test_basicsr_files_are_sound_without_a_manifest(basicsr):
    assert list(find_problems(basicsr)) == []


def test_a_damaged_png_is_named_without_a_manifest(basicsr):
    path = basicsr / "gt.lmdb" / "data.mdb"
    flip_byte(path, value_of(basicsr / "gt.lmdb", b"comic"), 5000)
    (problem,) = find_problems(basicsr)
    assert problem.key == "comic"


def test_truncation_is_found_without_a_manifest(basicsr):
    os.truncate(basicsr / "gt.lmdb" / "data.mdb", 300_000)
    assert list(find_problems(basicsr))


def test_an_unpaired_key_is_named_without_a_manifest(basicsr):
    change(basicsr / "lq.lmdb", lambda transaction: transaction.delete(b"comic"))
    (problem,) = find_problems(basicsr)
    assert "1 are in the first only (comic)" in problem.what


def test_sizes_that_are_no_multiple_are_named_without_a_manifest(basicsr):
    baboon = value_of(basicsr / "lq.lmdb", b"baboon")
    change(basicsr / "lq.lmdb", lambda transaction: transaction.put(b"comic", baboon))
    (problem,) = find_problems(basicsr)
    assert "not exactly 4 times as large" in problem.what
    assert "comic" in problem.what


def test_whether_there_are_low_quality_images_is_what_was_built(dataset, basicsr, tmp_path):
    assert [lq_of(dataset), lq_of(basicsr)] == ["lq.lmdb", "lq.lmdb"]
    gt_only = Recipe(1, CODECS["raw"], None, gt_only=True)
    (tmp_path / "photos").mkdir()
    shutil.copy(tmp_path / "a.png", tmp_path / "photos")
    build_dataset(tmp_path / "gt_set", gt_only, gt_folders=[tmp_path / "photos"])
    assert lq_of(tmp_path / "gt_set") is None
    for folder in (dataset, basicsr):
        shutil.rmtree(folder / "lq.lmdb")
    assert lq_of(dataset) == "lq.lmdb"  # which is missed, therefore
    assert lq_of(basicsr) is None
    assert list(find_problems(basicsr, lq=None)) == []


def test_a_changed_ground_truth_is_found_without_the_low_quality_images(dataset):
    flip_byte(dataset / "gt.lmdb" / "data.mdb", value_of(dataset / "gt.lmdb", b"b"), 5)
    shutil.rmtree(dataset / "lq.lmdb")
    assert [problem.key for problem in find_problems(dataset, lq=None)] == ["b"]


def test_whatever_is_damaged_is_found_or_harmless(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    write_png(tmp_path / "photos/a.png", rng.integers(0, 256, (24, 32, 3), np.uint8))
    recipe = Recipe(4, CODECS["raw"], resize_double)
    build_dataset(tmp_path / "set", recipe, gt_folders=[tmp_path / "photos"])
    outcomes = check_damaged_data_sets(tmp_path / "set", tmp_path, 10)
    assert outcomes["found"] > 5
