"""What a run does on a full disk: it waits, says so, and ends where nobody makes room."""

import errno
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from esrgan.errors import FULL
from esrgan.files import nearest_existing

log = logging.getLogger(__name__)

LOGS = 1 << 20
"""Bytes that must be free where logs are written: lines, curves and a few images of a validation.

They are asked for before, as TensorBoard cannot take back half a record.
"""

_LOOK = 0.2  # seconds between two looks at whether the run is to stop


class Room:
    """Room on the disk of a run's folder.

    Args:
        folder: of the run or in it; it need not exist.
        retries: how often a write that the disk had no room for is done again.
        wait: seconds before each of them.
    """

    def __init__(self, folder: Path, *, retries: int, wait: float) -> None:
        for key, value in (("retries", retries), ("wait", wait)):
            if value < 0:
                raise ValueError(f"checkpoints.full_disk_{key} ({value}) must be at least 0")
        self._folder, self._retries, self._wait = folder, retries, wait

    def write(self, write: Callable[[], None], *, is_stopped: Callable[[], bool]) -> None:
        """Do it, and again where the disk is full.

        Raises:
            OSError: it stays full, or the run is asked to stop while it is.
        """
        for left in range(self._retries, 0, -1):
            try:
                write()
                return
            except OSError as error:
                if error.errno not in FULL or is_stopped():
                    raise
                log.warning(
                    "%s: %s: trying again in %g s, %d more times: make room",
                    *(error.filename, error.strerror, self._wait, left),
                )
            self._sleep(is_stopped)
        write()

    def wait_for_logs(self, *, is_stopped: Callable[[], bool]) -> None:
        """Return when there is room for what is logged.

        Raises:
            OSError: there is none, as for `write`.
        """
        self.write(self._require_logs, is_stopped=is_stopped)

    def _require_logs(self) -> None:
        if shutil.disk_usage(nearest_existing(self._folder)).free < LOGS:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))

    def _sleep(self, is_stopped: Callable[[], bool]) -> None:
        end = time.monotonic() + self._wait
        while (left := end - time.monotonic()) > 0 and not is_stopped():
            time.sleep(min(left, _LOOK))
