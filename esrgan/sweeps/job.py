"""A job of a sweep: it trains in a process of its own, whichever launcher of Hydra's runs it."""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from esrgan.command_line import STOPPED
from esrgan.sweeps.gpu import free_gpu, visible_gpus
from esrgan.sweeps.plan import RUNS, Job

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
POLL = 0.2  # seconds
log = logging.getLogger(__name__)


class StopFile:
    """A wish to stop that every process of a sweep sees, on whichever machine it runs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        return self.path.exists()

    def listen(self) -> None:
        """Write it at a Ctrl-C, SIGTERM or hang-up; a second one acts at once."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup does
                signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.exists():
            raise KeyboardInterrupt
        self.path.touch()


@dataclass(frozen=True)
class JobRunner:
    """Goes to every process that a launcher starts.

    Args:
        jobs: of the whole sweep.
        script: `train.py`.
        stop: asks all jobs to end.
    """

    jobs: Sequence[Job]
    script: Path
    stop: StopFile

    def find(self, overrides: Iterable[str]) -> Job:
        wanted = tuple(overrides)
        for job in self.jobs:
            if job.overrides == wanted:
                return job
        raise ValueError(
            f"{' '.join(wanted)} is not a job of the command line, where a sweep's values belong"
        )

    def run(self, job: Job, settings: Mapping[str, Any]) -> int:
        """Start a job, go on with it, or leave it if it is done; returns its exit code."""
        title = f"job {self.jobs.index(job) + 1} of {len(self.jobs)}: {job.name}"
        if is_finished(RUNS / job.name, settings):
            log.info("%s is done", title)
            return 0
        _leave_signals_to_the_launcher()
        with _device(settings["trainer"], self.stop) as environment:
            if self.stop.exists():
                return STOPPED
            log.info("%s", title)
            overrides = ["resume=auto", *job.overrides, job.name_override]
            process = subprocess.Popen(
                [sys.executable, str(self.script), *overrides],
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                process_group=0,  # a Ctrl-C reaches it once: from here
            )
            return _wait(process, self.stop)


def is_finished(folder: Path, settings: Mapping[str, Any]) -> bool:
    """Whether the run of exactly these settings has its release; `resume` may be any.

    RunFolder is not asked, because Lightning takes seconds to import. Whatever is not finished by
    this answer is started, and judges for itself.
    """
    stored = folder / "settings.json"
    if not (stored.exists() and (folder / f"{folder.name}.pth").exists()):
        return False
    before: dict[str, Any] = json.loads(stored.read_text())
    return before | {"resume": None} == {**settings, "resume": None}


def _leave_signals_to_the_launcher() -> None:
    """Outlive, in a process that a launcher started, the signals that go to a whole group."""
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, lambda number, frame: None)


def _wait(process: "subprocess.Popen[bytes]", stop: StopFile) -> int:
    asked = False
    try:
        while process.poll() is None:
            if stop.exists() and not asked:
                process.terminate()
                asked = True
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=POLL)
    except BaseException:  # a second signal, or the end of the time that a scheduler gave
        process.terminate()
        process.wait()
        raise
    return STOPPED if asked and process.returncode else process.returncode


@contextmanager
def _device(trainer: Mapping[str, Any], stop: StopFile) -> Iterator[dict[str, str]]:
    """What to add to the environment, so that jobs side by side do not share a GPU."""
    chosen = trainer["devices"] != 1 or trainer["accelerator"] == "cpu"
    gpus = [] if chosen else visible_gpus()
    if len(gpus) < 2:
        yield {}
        return
    locks = Path(tempfile.gettempdir(), f"esrgan-gpus-{os.getuid()}")
    with free_gpu(gpus, locks, stop=stop.exists) as gpu:
        yield {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}
