import threading
import time
from pathlib import Path

import numpy as np
import pytest

from esrgan.data import ImageError, Picture
from esrgan.upscaling.outputs import Job
from esrgan.upscaling.pipeline import run_jobs

SECONDS = 10


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
