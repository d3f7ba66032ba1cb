"""A job of a sweep: it trains in a process of its own, whichever launcher of Hydra's runs it."""

import getpass
import itertools
import logging
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import esrgan
from esrgan.errors import STOPPED
from esrgan.files import try_lock
from esrgan.runs import RUNS, RunFolder
from esrgan.signals import END, ask_to_stop, own_group
from esrgan.sweeps.plan import Job

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
        for number in END:
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
        command: trains one run by the overrides that are appended to it.
        stop: asks all jobs to end.
    """

    jobs: Sequence[Job]
    command: Sequence[str]
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
        if RunFolder(RUNS / job.name).is_finished(settings):
            log.info("%s is done", title)
            return 0
        _leave_signals_to_the_launcher()
        with _device(settings["trainer"], self.stop) as environment:
            if self.stop.exists():
                return STOPPED
            log.info("%s", title)
            overrides = ["resume=auto", *job.overrides, job.name_override]
            process = subprocess.Popen(
                [*self.command, *overrides],
                env=os.environ | _same_package() | environment,
                stdin=subprocess.DEVNULL,
                **own_group(),  # a Ctrl-C reaches it once: from here
            )
            return _wait(process, self.stop)


def _same_package() -> dict[str, str]:
    """What lets `python -m esrgan` find the package where this process has found it."""
    places = [str(Path(esrgan.__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, places))}


def _leave_signals_to_the_launcher() -> None:
    """Outlive, in a process that a launcher started, the signals that go to a whole group."""
    for number in END:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, lambda number, frame: None)


def _wait(process: "subprocess.Popen[bytes]", stop: StopFile) -> int:
    asked = False
    try:
        while process.poll() is None:
            if stop.exists() and not asked:
                ask_to_stop(process)
                asked = True
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=POLL)
    except BaseException:  # a second signal, or the end of the time that a scheduler gave
        ask_to_stop(process)
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
    locks = Path(tempfile.gettempdir(), f"esrgan-gpus-{_user()}")
    with free_gpu(gpus, locks, stop=stop.exists) as gpu:
        yield {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "unnamed"


def visible_gpus() -> list[str]:
    """The GPUs that a training sees here, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [gpu for gpu in named.split(",") if gpu]
    command = ["nvidia-smi", "--list-gpus"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return []
    return re.findall(r"^GPU (\d+):", listed, flags=re.MULTILINE)


@contextmanager
def free_gpu(gpus: Sequence[str], locks: Path, *, stop: Callable[[], bool]) -> Iterator[str | None]:
    """Wait for a GPU that nobody has claimed, and claim it until the end of the block.

    Args:
        gpus: to choose from.
        locks: a folder, made if it is not there, with a file for every GPU. A claim ends with the
            process that made it.
        stop: asked while waiting; when it is true, the block gets None.
    """
    locks.mkdir(parents=True, exist_ok=True)
    for attempt in itertools.count():
        if stop():
            break
        for gpu in gpus:
            held = try_lock(locks / f"{gpu.replace('/', '_')}.lock")
            if held is not None:
                with held:
                    yield gpu
                return
        if attempt == 0:
            log.info("waiting for a GPU: other jobs have claimed all (%s)", ", ".join(gpus))
        time.sleep(POLL)
    yield None
