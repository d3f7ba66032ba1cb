import shutil

import numpy as np
import pytest

from esrgan.commands.check_data import main
from esrgan.data import CODECS, Recipe, build_dataset, write_png
from esrgan.degradations import resize_double


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    write_png(tmp_path / "photos" / "a.png", rng.integers(0, 256, (32, 48, 3), np.uint8))
    recipe = Recipe(4, CODECS["raw"], resize_double)
    build_dataset(tmp_path / "set", recipe, gt_folders=[tmp_path / "photos"])
    return tmp_path / "set"


def test_a_sound_data_set_is_called_so(dataset, capsys):
    assert main([str(dataset)]) == 0
    assert capsys.readouterr().out == f"{dataset}: sound\n"


def test_each_problem_is_a_line_and_the_exit_code_counts_all_data_sets(dataset, tmp_path, capsys):
    assert main([str(tmp_path / "absent"), str(dataset)]) == 1
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{tmp_path / 'absent'}: data set {tmp_path / 'absent'} does not exist")
    assert rest == [f"{tmp_path / 'absent'}: 1 problems", f"{dataset}: sound"]


def test_ground_truths_alone_are_checked(dataset, tmp_path, capsys):
    recipe = Recipe(1, CODECS["raw"], None, gt_only=True)
    build_dataset(tmp_path / "gt_set", recipe, gt_folders=[tmp_path / "photos"])
    assert main([str(tmp_path / "gt_set")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'gt_set'}: sound (ground truths only)\n"
    (tmp_path / "gt_set" / "records.tsv").write_text("")
    assert main([str(tmp_path / "gt_set")]) == 1
    assert "records.tsv is missing or was changed" in capsys.readouterr().out


def test_pairs_whose_low_quality_images_are_lost_are_not_sound(dataset, capsys):
    shutil.rmtree(dataset / "lq.lmdb")
    assert main([str(dataset)]) == 1
    assert "is not a data set, it has no lq.lmdb/data.mdb" in capsys.readouterr().out


def test_a_damaged_manifest_is_a_problem(dataset, capsys):
    (dataset / "manifest.json").write_text("{")
    assert main([str(dataset)]) == 1
    assert "manifest.json is damaged" in capsys.readouterr().out
