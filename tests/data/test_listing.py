import logging
import os

import pytest
from picture_samples import samples

from esrgan.data import list_images

PNG = next(sample.data for sample in samples() if sample.name == "png_2_8")
HEIC = next(sample.data for sample in samples() if sample.name == "heic")


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.WARNING, "esrgan.data")
    return lambda: "\n".join(caplog.messages)


def make(folder, *names, content=b""):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(content)


def test_images_are_listed_sorted_from_all_subfolders(tmp_path, said):
    names = ["a.jpg", "b.PNG", "c.jfif", "d.jpe", "e.gif", "sub/f.tif", "sub/g.JP2", "z.avif"]
    make(tmp_path, *reversed(names), ".hidden.png", ".cache/d.png")
    assert list_images(tmp_path) == [tmp_path / name for name in names]
    assert said() == ""


def test_the_content_of_a_file_of_another_name_counts(tmp_path, said):
    make(tmp_path, "photo", "photo.orig", "photo.jpg_large", content=PNG)
    assert len(list_images(tmp_path)) == 3
    assert said() == ""


def test_what_is_left_alone_is_counted(tmp_path, said):
    make(tmp_path, "a.png", content=PNG)
    make(tmp_path, *(f"{number}.heic" for number in range(3)), "d.HEIC", content=HEIC)
    make(tmp_path, "notes.txt", "more/b.txt", "README")
    assert list_images(tmp_path) == [tmp_path / "a.png"]
    heic = r"4 \.heic \(HEIC: convert it to JPEG or PNG .*\), 2 \.txt, 1 without suffix"
    assert said().startswith(f"{tmp_path}: left alone: 4 .heic (HEIC: convert it")
    assert said().endswith("2 .txt, 1 without suffix")
    (tmp_path / "a.png").unlink()
    with pytest.raises(ValueError, match=f"holds no images: PNG, .* are read, this one has {heic}"):
        list_images(tmp_path)


def test_a_folder_without_images_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"holds no images: PNG, .* are read$"):
        list_images(tmp_path)
    with pytest.raises(ValueError, match="absent is not a folder"):
        list_images(tmp_path / "absent")


def test_links_are_followed_once_and_broken_ones_named(tmp_path, said):
    make(tmp_path, "all/a.png", "elsewhere/b.png", "elsewhere/deep/c.png")
    folder = tmp_path / "all"
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    (folder / "again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/deep/round").symlink_to(tmp_path / "elsewhere")
    (folder / "up").symlink_to(folder)
    (folder / "d.png").symlink_to(tmp_path / "elsewhere/b.png")
    (folder / "gone.png").symlink_to("missing.png")
    (folder / "lost").symlink_to(tmp_path / "nowhere")
    found = list_images(folder)
    assert sorted(path.name for path in found) == ["a.png", "b.png", "c.png", "d.png"]
    assert said() == (
        f"{folder}: left alone: 2 links that lead nowhere ({folder}/gone.png, {folder}/lost)"
    )


def test_a_link_as_the_folder_itself_is_followed(tmp_path):
    make(tmp_path, "all/a.png")
    (tmp_path / "link").symlink_to("all")
    assert list_images(tmp_path / "link") == [tmp_path / "link/a.png"]


def test_many_files_are_not_opened(tmp_path, monkeypatch):
    make(tmp_path, *(f"{number}.png" for number in range(50)))
    opened = []
    monkeypatch.setattr("pathlib.Path.open", lambda path, *_: opened.append(path))
    assert len(list_images(tmp_path)) == 50
    assert not opened


def test_a_file_that_cannot_be_read_is_counted(tmp_path, said, monkeypatch):
    make(tmp_path, "a.png", "b.dat")

    def refuse(*_):
        raise PermissionError(13, "Permission denied", os.devnull)

    monkeypatch.setattr("pathlib.Path.open", refuse)
    assert len(list_images(tmp_path)) == 1
    assert said().endswith("1 .dat (cannot be read)")
