from pathlib import Path

import pytest

from esrgan.commands import configs


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    package = tmp_path / "site/esrgan"
    package.mkdir(parents=True)
    monkeypatch.setattr(configs, "_PACKAGE", package)
    return package


def test_the_checkout_has_the_configs_beside_the_package(package):
    (package.parent / "configs").mkdir()
    assert configs.configs_folder() == package.parent / "configs"


def test_an_installed_package_has_them_inside_whatever_is_beside_it(package):
    (package / "configs").mkdir()
    (package.parent / "configs").mkdir()
    assert configs.configs_folder() == package / "configs"


def test_without_either_both_are_named(package):
    with pytest.raises(ValueError, match=r"esrgan/configs nor .*site/configs is there"):
        configs.configs_folder()


def test_here_are_those_of_this_checkout():
    assert (configs.configs_folder() / "downloads.yaml").is_file()
