from pathlib import Path

import pytest

from esrgan.upscaling.inputs import Found
from esrgan.upscaling.outputs import Existing, plan_jobs


def plan(folder, *images, ending=".png", existing=Existing.REFUSE):
    found = [Found(Path(image), Path(image).relative_to(Path(image).parts[0])) for image in images]
    jobs = plan_jobs(found, folder, ending=ending, existing=existing)
    return {str(job.source): str(job.target.relative_to(folder)) for job in jobs}


def test_a_result_has_the_relative_path_and_the_ending(tmp_path):
    assert plan(tmp_path / "new/out", "in/a.jpg", "in/b/c.d.tiff", ending="_x4.webp") == {
        "in/a.jpg": "a_x4.webp",
        "in/b/c.d.tiff": "b/c.d_x4.webp",
    }
    assert not (tmp_path / "new").exists()


def test_images_that_differ_in_their_suffix_alone_get_distinct_names(tmp_path):
    assert plan(tmp_path, "in/a.jpg", "in/a.png", "in/b.png", "in/s/a.png") == {
        "in/a.jpg": "a_jpg.png",
        "in/a.png": "a_png.png",
        "in/b.png": "b.png",
        "in/s/a.png": "s/a.png",
    }
    assert plan(tmp_path, "in/a.JPG", "in/a.jpg", "in/a", ending="_x4.png") == {
        "in/a.JPG": "a_JPG_x4.png",
        "in/a.jpg": "a_jpg_x4.png",
        "in/a": "a_x4.png",
    }


@pytest.mark.parametrize("images", [("x/a.png", "y/a.png"), ("x/a.png", "x/a.jpg", "y/a_jpg.bmp")])
def test_results_of_one_name_are_refused(tmp_path, images):
    with pytest.raises(ValueError, match=f"{images[-2]} and {images[-1]} would both become a"):
        plan(tmp_path, *images)


def test_existing_results_are_refused_skipped_or_overwritten(tmp_path):
    (tmp_path / "a.png").write_text("mine")
    images = ("in/a.jpg", "in/b.jpg")
    with pytest.raises(ValueError, match=r"a\.png exists, as do 1 of the 2 results in all: --skip"):
        plan(tmp_path, *images)
    assert plan(tmp_path, *images, existing=Existing.SKIP) == {"in/b.jpg": "b.png"}
    both = {"in/a.jpg": "a.png", "in/b.jpg": "b.png"}
    assert plan(tmp_path, *images, existing=Existing.OVERWRITE) == both
    (tmp_path / "b.png").mkdir()
    for existing in Existing:
        with pytest.raises(ValueError, match=r"b\.png is a folder"):
            plan(tmp_path, *images, existing=existing)


@pytest.mark.parametrize("existing", Existing)
def test_an_image_is_never_written_over(tmp_path, existing):
    image = tmp_path / "a.png"
    image.touch()
    (tmp_path / "link").symlink_to(tmp_path)
    for folder in (tmp_path, tmp_path / "link"):
        with pytest.raises(ValueError, match="is one of the images, and would be written over"):
            plan_jobs([Found(image, Path("a.png"))], folder, ending=".png", existing=existing)
    jobs = plan_jobs([Found(image, Path("a.png"))], tmp_path, ending="_x4.png", existing=existing)
    assert [job.target.name for job in jobs] == ["a_x4.png"]


def test_a_file_cannot_be_the_folder(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "deep"):
        with pytest.raises(ValueError, match="file is not a folder"):
            plan(folder, "in/a.png")
