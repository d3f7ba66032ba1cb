import threading
import time
from pathlib import Path

import numpy as np
import pytest

from esrgan.data import ImageError, Picture
from esrgan.upscaling.jobs import Existing, Found, Job, find_images, plan_jobs, run_jobs

SECONDS = 10


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


def make_jobs(number):
    return [Job(Path(f"{n}.png"), Path(f"out/{n}.png")) for n in range(number)]


def picture():
    return Picture(
        colour=np.zeros((2, 3, 3), np.uint8), alpha=None, is_grey=False, icc_profile=None
    )


class Recorded:
    """Work of no content that notes what happens and fails where it is told to."""

    def __init__(self, **failures):
        self.failures = failures
        self.events = []

    def note(self, part, job):
        self.events.append((part, job.source.stem))
        if error := self.failures.get(f"{part}{job.source.stem}"):
            raise error

    def read(self, job):
        self.note("read", job)
        return picture()

    def enlarge(self, job, _picture):
        self.note("enlarge", job)
        return picture()

    def write(self, job, _picture):
        self.note("write", job)
        return 6


def test_every_job_is_reported_in_order():
    assert list(run_jobs([], Recorded())) == []
    jobs = make_jobs(5)
    assert [(done.job, *done[1:]) for done in run_jobs(jobs, Recorded())] == [
        (job, 6, None) for job in jobs
    ]


def test_a_failure_belongs_to_its_file_and_stops_no_other():
    work = Recorded(
        read1=ImageError("1.png", "too dark"),
        enlarge2=MemoryError(),
        write3=OSError(36, "File name too long"),
        write4=ValueError("will not do"),
    )
    reasons = [done.reason for done in run_jobs(make_jobs(6), work)]
    assert reasons == [
        None,
        "too dark",
        "out of memory",
        "out/3.png cannot be written: File name too long",
        "will not do",
        None,
    ]
    assert [event for event in work.events if event[1] == "1"] == [("read", "1")]


def test_a_mistake_in_the_program_is_not_taken_for_a_bad_file():
    for part in ("read1", "enlarge1", "write1"):
        with pytest.raises(KeyError):
            list(run_jobs(make_jobs(3), Recorded(**{part: KeyError("bug")})))


def test_a_full_disk_ends_it():
    work = Recorded(write1=OSError(28, "No space left on device"))
    jobs = run_jobs(make_jobs(9), work)
    assert next(jobs).reason is None
    with pytest.raises(ValueError, match=r"out/1\.png cannot be written: No space left on device"):
        list(jobs)
    assert ("write", "2") not in work.events
    assert ("read", "5") not in work.events


def test_reading_and_writing_go_on_while_the_network_computes():
    """Each part waits for the two others to be at work, on neighbours, at the same time."""
    together = threading.Barrier(3)

    class Meeting(Recorded):
        def meet(self, job, *, at):
            if job.source.stem == str(at):
                together.wait(SECONDS)

        def read(self, job):
            self.meet(job, at=3)
            return super().read(job)

        def enlarge(self, job, _picture):
            self.meet(job, at=2)
            return super().enlarge(job, _picture)

        def write(self, job, _picture):
            self.meet(job, at=1)
            return super().write(job, _picture)

    assert len(list(run_jobs(make_jobs(5), Meeting()))) == 5


def test_no_more_than_one_is_decoded_ahead_and_none_waits_to_be_written():
    class Slow(Recorded):
        def write(self, job, _picture):
            time.sleep(0.02)
            return super().write(job, _picture)

    work = Slow()
    list(run_jobs(make_jobs(6), work))
    for number in range(5):
        read_ahead = work.events.index(("read", str(number + 1)))
        assert work.events.index(("enlarge", str(number))) > 0
        if number >= 1:
            assert read_ahead > work.events.index(("enlarge", str(number - 1)))
        if number >= 2:
            done = work.events.index(("write", str(number - 2)))
            assert work.events.index(("write", str(number - 1))) > done
            assert work.events.index(("enlarge", str(number))) > done


def test_what_is_being_written_is_finished_when_it_is_interrupted():
    class Interrupted(Recorded):
        def write(self, job, _picture):
            time.sleep(0.05)
            return super().write(job, _picture)

    work = Interrupted(enlarge2=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        list(run_jobs(make_jobs(4), work))
    assert [name for part, name in work.events if part == "write"] == ["0", "1"]
