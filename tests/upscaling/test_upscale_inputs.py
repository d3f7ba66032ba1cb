from pathlib import Path

import pytest

from esrgan.upscaling.inputs import find_images


@pytest.fixture
def photos(tmp_path, monkeypatch):
    for name in ("photos/b.png", "photos/a.jpg", "photos/sub/c.webp", "photos/notes.txt", "d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)


def found(*words, output="results"):
    images = find_images(words, output=Path(output))
    return {str(image.path): str(image.relative) for image in images}


@pytest.mark.usefixtures("photos")
def test_folders_keep_their_structure_and_files_their_name():
    assert found("photos", "d.png") == {
        "photos/a.jpg": "a.jpg",
        "photos/b.png": "b.png",
        "photos/sub/c.webp": "sub/c.webp",
        "d.png": "d.png",
    }
    assert found("photos/sub/c.webp") == {"photos/sub/c.webp": "c.webp"}


@pytest.mark.usefixtures("photos")
def test_a_pattern_is_expanded_and_a_file_of_that_name_comes_first():
    assert found("photos/*.[jp][pn]g") == {"photos/a.jpg": "a.jpg", "photos/b.png": "b.png"}
    assert list(found("**/c.webp")) == ["photos/sub/c.webp"]
    assert found("photo*") == found("photos")
    Path("x[1].png").touch()
    Path("x1.png").touch()
    assert list(found("x[1].png")) == ["x[1].png"]


@pytest.mark.usefixtures("photos")
def test_a_file_named_twice_is_found_once():
    assert found("photos", "./photos/sub", "photos/a.jpg", "photos/*.png") == found("photos")
    assert found("photos/sub/c.webp", "photos")["photos/sub/c.webp"] == "c.webp"


@pytest.mark.usefixtures("photos")
def test_earlier_results_below_the_images_are_left_out():
    Path("photos/results").mkdir()
    Path("photos/results/a.png").touch()
    assert found("photos", output="photos/results") == found("photos/*.jpg", "photos/*.png") | {
        "photos/sub/c.webp": "sub/c.webp"
    }
    assert "photos/results/a.png" in found("photos")
    assert list(found("photos/results", output="photos/results")) == ["photos/results/a.png"]
    with pytest.raises(ValueError, match="photos/sub holds no images but those in photos/sub/x"):
        Path("photos/sub/c.webp").unlink()
        Path("photos/sub/x").mkdir()
        Path("photos/sub/x/a.png").touch()
        found("photos/sub", output="photos/sub/x")


@pytest.mark.usefixtures("photos")
def test_words_that_stand_for_nothing_are_refused():
    for word, reason in (
        ("nowhere", "nowhere must be a file, a folder or a pattern"),
        ("photos/*.bmp", "must be a file"),
        ("empty", "empty holds no images"),
    ):
        with pytest.raises(ValueError, match=reason):
            found("d.png", word)
