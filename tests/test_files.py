"""What is written is found to be writable before the work, and else named after it."""

import fcntl
import os
from pathlib import Path

import numpy as np
import pytest

from esrgan.__main__ import main
from esrgan.data import write_png
from esrgan.errors import report_errors
from esrgan.files import check_folder, check_target, flush, write_whole, writing_whole


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


def test_a_refused_write_names_the_file_and_leaves_nothing(tmp_path, files_up_to):
    with files_up_to(1000), pytest.raises(OSError, match=rf"too large: '{tmp_path}/a\.bin'$"):
        write_whole(tmp_path / "a.bin", bytes(5000), overwrite=False)
    assert not list(tmp_path.iterdir())


def test_so_does_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    def no_right(path, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", no_right)
    with pytest.raises(PermissionError, match=rf"denied: '{tmp_path}/a\.bin'$"):
        write_whole(tmp_path / "a.bin", b"content", overwrite=False)


def test_the_line_for_a_full_disk_says_what_to_do(capsys):
    def full():
        raise OSError(28, "No space left on device", "a.bin")

    assert report_errors(full) == 2
    assert capsys.readouterr().err == "error: a.bin: No space left on device: make room\n"


def test_a_name_that_was_taken_at_the_last_moment_is_not_overwritten(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    link = os.link

    def taken(source, target):
        path.write_bytes(b"another process's")
        link(source, target)

    monkeypatch.setattr(os, "link", taken)
    with (
        pytest.raises(ValueError, match="exists and is not overwritten"),
        writing_whole(path, overwrite=False) as file,
    ):
        file.write(b"mine")
    assert path.read_bytes() == b"another process's"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_without_links_will_do(tmp_path, monkeypatch):
    def no_links(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    write_whole(tmp_path / "a.bin", b"mine", overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_a_file_is_flushed_as_windows_wants_it_and_a_folder_as_linux_does(tmp_path, monkeypatch):
    flushed = []

    def fsync(descriptor):
        mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
        flushed.append("read" if mode == os.O_RDONLY else "write")  # Windows refuses the first

    monkeypatch.setattr(os, "fsync", fsync)
    (tmp_path / "a.bin").write_bytes(b"content")
    flush(tmp_path / "a.bin")
    flush(tmp_path)
    assert flushed == ["write", "read"]
    assert (tmp_path / "a.bin").read_bytes() == b"content"
