import importlib.util

import numpy as np
import pytest

import esrgan.data.sample_photographs
from esrgan.data.images import read_image
from esrgan.data.sample_photographs import write_sample_photographs

data = pytest.importorskip("skimage.data", reason="needs pip install 'esrgan[demo]'")


def test_the_photographs_are_those_that_scikit_image_shows(tmp_path):
    photographs = write_sample_photographs(tmp_path)
    by_name = {path.stem: path for path in photographs.train + photographs.held_out}
    for name in ("astronaut", "chelsea", "coffee"):
        np.testing.assert_array_equal(read_image(by_name[name]), getattr(data, name)())


def test_training_and_held_out_photographs_are_different_and_large_enough(tmp_path):
    train, held_out = write_sample_photographs(tmp_path)
    assert {path.parent.name for path in train} == {"train"}
    assert {path.parent.name for path in held_out} == {"held_out"}
    images = [read_image(path) for path in train + held_out]
    assert len({image.tobytes() for image in images}) == 7
    assert len(held_out) == 3
    assert min(min(image.shape[:2]) for image in images) >= 300
    assert all(np.ptp(image.astype(int), axis=2).max() > 100 for image in images)  # in colour


def test_existing_files_are_left_alone(tmp_path):
    path = write_sample_photographs(tmp_path).train[0]
    path.write_bytes(b"mine")
    write_sample_photographs(tmp_path)
    assert path.read_bytes() == b"mine"


def test_a_missing_package_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    def find_all_but_sklearn(name):
        return None if name == "sklearn" else importlib.util.find_spec(name)

    monkeypatch.setattr(esrgan.data.sample_photographs, "find_spec", find_all_but_sklearn)
    with pytest.raises(ValueError, match=r"sklearn: pip install 'esrgan\[demo\]'"):
        write_sample_photographs(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_photograph_that_left_its_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(
        esrgan.data.sample_photographs, "_HELD_OUT", (("skimage", "data/gone.png"),)
    )
    with pytest.raises(ValueError, match=r"data/gone\.png is missing"):
        write_sample_photographs(tmp_path)
