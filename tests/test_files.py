"""What is written is found to be writable before the work."""

import os
from pathlib import Path

import numpy as np
import pytest

from esrgan.__main__ import main
from esrgan.data import write_png
from esrgan.files import check_folder, check_target


@pytest.fixture
def closed(tmp_path, monkeypatch):
    """A folder that may be read and not written to, also where the tests are root's."""
    folder = tmp_path / "closed"
    folder.mkdir()
    access = os.access

    def allowed(path, mode):
        return access(path, mode) and not (Path(path) == folder and mode & os.W_OK)

    monkeypatch.setattr(os, "access", allowed)
    return folder


@pytest.mark.parametrize("name", ["", "new", "new/deeper"])
def test_a_folder_that_cannot_be_made_is_refused(closed, name):
    with pytest.raises(ValueError, match=rf"cannot be written: there is no right to, in {closed}$"):
        check_folder(closed / name)
    with pytest.raises(ValueError, match=r"a\.png cannot be written: there is no right to"):
        check_target(closed / name / "a.png", overwrite=False)
    check_folder(closed.parent / "other" / name)


def test_nor_can_one_below_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"file is not a folder"):
        check_folder(tmp_path / "file/below")


@pytest.mark.parametrize("command", ["upscale", "prepare-data"])
def test_commands_find_it_before_their_work(closed, command, monkeypatch, capsys):
    photos = closed.parent / "photos"
    photos.mkdir()
    write_png(photos / "a.png", np.zeros((64, 64, 3), np.uint8))
    words = {
        "upscale": ["none.pth", str(photos), "--output", str(closed / "results")],
        "prepare-data": [str(photos), "--output", str(closed / "set_x4")],
    }
    monkeypatch.setattr("sys.argv", ["esrgan", command, *words[command]])
    assert main() == 2
    assert "cannot be written: there is no right to, in" in capsys.readouterr().err
