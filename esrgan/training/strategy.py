"""The processes of a run, and what becomes of it when one of them dies or is silent."""

import logging
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence

from pytorch_lightning.strategies import DDPStrategy

from esrgan.errors import FAILED, STOPPED
from esrgan.signals import death_of
from esrgan.training import ranks
from esrgan.training.feed import Trouble

log = logging.getLogger(__name__)

_LOOK = 0.2  # seconds between two looks at the others
_REAPED = 1.0  # seconds in which one that has closed its connection is seen to be dead
_GRACE = 10.0  # seconds for this process to notice by itself that another has gone


class Launched:
    """The processes of a run that Lightning has started from this one.

    Where one dies, this one ends too, and says why: it may wait for the other for ever. Lightning
    itself would kill it without a word, and is told of no processes that it could look after.

    Args:
        processes: in the order of their ranks, from 1 on; emptied.
    """

    def __init__(self, processes: "list[subprocess.Popen[bytes]]") -> None:
        self._processes: Sequence[subprocess.Popen[bytes]] = list(processes)
        processes.clear()
        if self._processes:
            threading.Thread(target=self._watch, name="other-processes", daemon=True).start()

    def kill(self) -> None:
        for process in self._processes:
            process.kill()

    def who_died(self) -> str:
        """In words; "": none of them, as far as is known."""
        for number, process in enumerate(self._processes, 1):
            if process.poll():
                return f"process {number} of this run {death_of(process.returncode)}"
        return ""

    def _watch(self) -> None:
        while not self.who_died():
            time.sleep(_LOOK)
        time.sleep(_GRACE)
        log.error("%s, and the others wait for it", self.who_died())
        self.kill()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(FAILED)


class ReplicaStrategy(DDPStrategy):
    """Lightning's processes and their group, without DistributedDataParallel around the module.

    DDP averages what one backward pass leaves. A step of a GAN has two, of different networks, and
    more where a batch is computed in parts: DDP then either refuses or averages both networks each
    time. The stages average themselves instead, once per optimizer step, what that step needs.
    """

    launched: Launched | None = None

    def setup_environment(self) -> None:
        """Look after the processes that were started, and connect them."""
        self.launched = Launched(getattr(self.launcher, "procs", []))
        super().setup_environment()

    def configure_ddp(self) -> None:
        """Leave the module as it is."""


def loss_of_a_process(error: RuntimeError, launched: Launched | None) -> Trouble | None:
    """What an error of a run is that comes of another process; None: it comes of something else."""
    if not _is_of_communication(error):
        return None
    if any(word in str(error).lower() for word in ("timed out", "timeout")):
        return Trouble(STOPPED, "another process of this run is silent (longest_wait)")
    time.sleep(_REAPED)
    words = launched.who_died() if launched else ""
    return Trouble(FAILED, words or "another process of this run is gone")


def _is_of_communication(error: RuntimeError) -> bool:
    """By where it was raised: its words are of many kinds."""
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    module = str(innermost.f_globals.get("__name__"))
    return module.startswith("torch.distributed") or module == ranks.__name__
