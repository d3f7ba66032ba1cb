"""One GPU for each of the trainings that run side by side on a machine."""

import fcntl
import itertools
import logging
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

POLL = 0.2  # seconds
log = logging.getLogger(__name__)


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
            with (locks / f"{gpu.replace('/', '_')}.lock").open("w") as file:
                if _lock(file.fileno()):
                    yield gpu
                    return
        if attempt == 0:
            log.info("waiting for a GPU: other jobs have claimed all (%s)", ", ".join(gpus))
        time.sleep(POLL)
    yield None


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
