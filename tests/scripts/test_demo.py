"""The demo is stopped as a training is: with a checkpoint, and nothing that trains on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_content import logged_iterations

from esrgan.runs import read_newest

ROOT = Path(__file__).parents[2]
RUN = Path("experiments/quickstart")


class Demo:
    """`scripts/demo.py` in a process group of its own, as a shell starts it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.output = folder, (folder / "output").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "scripts/demo.py"],
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=self.output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )

    def wait_for_iteration(self, iteration: int) -> None:
        """Until the training has logged a later one."""
        log = self.folder / RUN / "train.csv"
        while max(logged_iterations(log), default=0) <= iteration:
            assert self.process.poll() is None, self.text
            time.sleep(0.05)

    @property
    def text(self) -> str:
        return Path(self.output.name).read_text(encoding="utf-8")

    def processes(self) -> list[int]:
        """All that run in its folder, of whichever group."""
        folders = Path("/proc").glob("[0-9]*/cwd")
        return [int(f.parent.name) for f in folders if os.path.realpath(f) == str(self.folder)]


@pytest.mark.slow
def test_ctrl_c_and_a_sigterm_leave_a_checkpoint_to_go_on_from(tmp_path):
    for name in ("train.py", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    stopped_at = []
    for number, send in ((signal.SIGINT, os.killpg), (signal.SIGTERM, os.kill)):
        demo = Demo(tmp_path)
        demo.wait_for_iteration(stopped_at[-1] if stopped_at else 0)
        assert len(demo.processes()) >= 2
        send(demo.process.pid, number)
        assert demo.process.wait() == 75, demo.text
        assert demo.processes() == []
        assert "Traceback" not in demo.text
        assert demo.text.endswith(f"stopped by {number.name}; the same command goes on\n")
        stopped_at.append(read_newest(tmp_path / RUN / "checkpoints")["iteration"])
    assert f"from iteration {stopped_at[0]} to" in demo.text
    assert 0 < stopped_at[0] < stopped_at[1]
