"""A sweep: what its jobs are called, and what became of them."""

import logging
import os
import re
import shlex
import signal
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from esrgan.errors import INTERRUPTED, STOPPED
from esrgan.runs import RUNS

LONGEST_NAME = 200  # of 255 bytes that file systems allow; NAME.pth must fit too
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One combination of a sweep's values.

    Args:
        name: of its run.
        overrides: `KEY=VALUE`, in Hydra's grammar.
    """

    name: str
    overrides: tuple[str, ...]

    @property
    def name_override(self) -> str:
        return f"name='{self.name}'"


def plan_jobs(combinations: Iterable[Sequence[str]], swept: Collection[str]) -> list[Job]:
    """Name the jobs of a sweep by what differs between them.

    Args:
        combinations: of each job its overrides.
        swept: the keys that were given several values.

    Raises:
        ValueError: there is no job, two would have the same folder, or a name is too long.
    """
    jobs: dict[Path, Job] = {}
    for overrides in combinations:
        job = Job(_run_name(overrides, swept), tuple(overrides))
        other = jobs.setdefault(Path(job.name), job)
        if other is not job:
            raise ValueError(
                f"{' '.join(other.overrides)} and {' '.join(overrides)} would both train in "
                f"{RUNS / job.name}: leave one out, or start it by itself with another name="
            )
    if not jobs:
        raise ValueError("the command line describes no job: a glob(...) in it matches nothing")
    return list(jobs.values())


def _run_name(overrides: Sequence[str], swept: Collection[str]) -> str:
    """EXPERIMENT, NAME or NAME/EXPERIMENT; below it `KEY=VALUE,KEY=VALUE`, if more is swept."""
    pairs = (override.partition("=") for override in overrides)
    values = {key.lstrip("+"): value for key, _, value in pairs}
    swept = {key.lstrip("+") for key in swept}
    name, experiment = values.pop("name", ""), values.pop("experiment", "")
    parts = name.split("/")
    if not name or "experiment" in swept:
        parts += experiment.split("/")
    differs = (f"{_legal(key)}={_legal(values[key])}" for key in values if key in swept)
    parts = [*map(_legal, parts), ",".join(differs)]
    for part in parts:
        if len(part) > LONGEST_NAME:
            raise ValueError(
                f"{part} has {len(part)} letters, and a folder's name at most {LONGEST_NAME}: "
                "write what is swept into files of configs/experiment, and sweep experiment="
            )
    return "/".join(filter(None, parts))


def _legal(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", text).strip("_")


@contextmanager
def sweep_folder() -> Iterator[Path]:
    """A folder that all processes of a sweep see; it is kept if a launcher left its logs in it."""
    RUNS.mkdir(exist_ok=True)
    folder = RUNS / Path(tempfile.mkdtemp(prefix=".sweep-", dir=RUNS)).name
    try:
        yield folder
    finally:
        for path in folder.iterdir():
            if path.is_file():
                path.unlink()
        try:
            os.removedirs(folder)
        except OSError:
            log.info("the launcher's logs are in %s", folder)


def conclude(codes: Mapping[str, int]) -> int:
    """Say what became of a sweep and how to go on; returns its exit code.

    Args:
        codes: exit codes, or minus the signals that ended them, by the jobs' names.

    Raises:
        ValueError: names the jobs that failed.
    """
    done = [name for name, code in codes.items() if code == 0]
    failed = {n: code for n, code in codes.items() if code not in (0, STOPPED, INTERRUPTED)}
    listed = "".join(f"\n  {name}: {_in_words(code)}" for name, code in failed.items())
    failures = f"{len(failed)} of {len(codes)} jobs failed:{listed}\n" if failed else ""
    if len(done) + len(failed) < len(codes):
        counts = f"{len(done)} of {len(codes)} jobs done"
        log.warning("%sstopped with %s: the same command goes on", failures, counts)
        return STOPPED
    if failed:
        raise ValueError(f"{failures}the same command starts them again, and nothing that is done")
    command = ["esrgan", "report", *(str(RUNS / name) for name in done)]
    log.info("all jobs are done, and this compares them:\n%s", shlex.join(command))
    return 0


def _in_words(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"ended by {signal.Signals(-code).name}"
