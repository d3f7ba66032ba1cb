"""The folder of a run, `experiments/NAME/`: what lies where in it, for those who write and read.

It holds `settings.json` (every setting, resolved), `checkpoints/`, the logs (`train.csv`,
`val.csv`, `speed.csv`, `tensorboard/`, `train.log`) and, when the run has ended, its release.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esrgan import __version__
from esrgan.files import Held, try_lock
from esrgan.runs.checkpoints import list_checkpoints, read_newest
from esrgan.runs.logs import Line, read_log
from esrgan.runs.settings import changed_results, read_settings, training_recipe, write_settings

RUNS = Path("experiments")
"""Where runs are, seen from where commands are given."""

SETTINGS = "settings.json"


@dataclass(frozen=True)
class RunFolder:
    """What may be in the folder of a run. Nothing of it is looked at before it is asked for."""

    path: Path

    @property
    def settings(self) -> Path:
        return self.path / SETTINGS

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def release(self) -> Path:
        """The trained generator, once the run has ended."""
        return self.path / f"{self.path.name}.pth"

    @property
    def messages(self) -> Path:
        return self.path / "train.log"

    def log(self, name: str) -> list[Line]:
        """One of `LOGS`; a ValueError where it is broken."""
        return read_log(self.path / f"{name}.csv")

    def list_checkpoints(self) -> list[Path]:
        """The newest first."""
        return list_checkpoints(self.checkpoints)

    def newest_checkpoint(self) -> dict[str, Any] | None:
        """The content of the newest checkpoint that verifies; None before the first.

        Raises:
            CheckpointError: there are some, and none can be read.
        """
        return read_newest(self.checkpoints)

    def newest_weights(self) -> Path | None:
        """The newest of releases and checkpoints; None: the folder has no weights."""
        releases = [*self.path.glob("*.pth"), *self.path.glob("*.safetensors")]
        return max(
            [*self.list_checkpoints()[:1], *sorted(releases)],
            key=lambda file: file.stat().st_mtime_ns,
            default=None,
        )

    def is_finished(self, settings: Mapping[str, Any]) -> bool:
        """Whether the run of these settings has its release."""
        if not (self.settings.exists() and self.release.exists()):
            return False
        return not changed_results(read_settings(self.settings), settings)

    def describe(self, checkpoint: Mapping[str, Any]) -> dict[str, str]:
        """What goes along with weights: how they came to be, without a word on where.

        All of it is text, as the metadata of .safetensors and .onnx is; what has a structure is
        JSON.

        Args:
            checkpoint: the content of one of the run's, of whose iteration the weights are.
        """
        iteration = checkpoint["iteration"]
        about = {"run": self.path.name, "iterations": str(iteration), "esrgan": __version__}
        about["recipe"] = json.dumps(training_recipe(checkpoint["settings"]))
        lines = [line for line in self.log("val") if line["iteration"] <= iteration]
        if lines:
            metrics = {**lines[-1], "iteration": int(lines[-1]["iteration"])}
            about["metrics"] = json.dumps(metrics)
        return about


class OpenRun:
    """A run's folder that is to be written to: of a new run, or of an earlier one to continue it.

    Args:
        folder: where the run is kept.
        settings: the resolved configuration, plain containers.
        resume: whether to continue the run that is there; "auto" does if it has a checkpoint.

    Raises:
        ValueError: the folder holds a run and `resume` is false; it holds none, or of one only the
            release, and `resume` is true; the run there had other settings, or lost them.
    """

    def __init__(self, folder: Path, *, settings: Mapping[str, Any], resume: bool | str) -> None:
        self.folder = RunFolder(folder)
        self._settings = settings
        self._lock: Held | None = None
        checkpoints = self.folder.list_checkpoints()
        self._resume = bool(checkpoints if resume == "auto" else resume)
        if self.folder.release.exists() and not checkpoints:
            raise ValueError(
                f"{self.folder.release}, which is never written over, has no checkpoint to "
                "continue from: start another run with name=ANOTHER_NAME"
            )
        if not self._resume:
            self._refuse_to_write_over()
        elif not (self.folder.settings.exists() or checkpoints):
            raise ValueError(f"{folder} holds no run to continue: start one without resume=true")
        else:
            _refuse_other_settings(folder, read_settings(self.folder.settings), settings)

    def begin(self) -> None:
        """Make the folder, keep other processes out of it, and log to `train.log` from now on.

        Raises:
            ValueError: another process is writing to it, or has meanwhile.
        """
        path = self.folder.path
        path.mkdir(parents=True, exist_ok=True)
        self._lock = try_lock(path / ".lock")
        if self._lock is None:
            raise ValueError(f"another process is training in {path}: wait or stop it")
        if not self._resume:  # another process may have trained here since the first look
            self._refuse_to_write_over()
        write_settings(self.folder.settings, self._settings)
        handler = logging.FileHandler(self.folder.messages)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.getLogger("esrgan").addHandler(handler)

    def close(self) -> None:
        """Let other processes in."""
        if self._lock is not None:
            self._lock.lock.release()

    def _refuse_to_write_over(self) -> None:
        # A run that failed before its first checkpoint holds nothing, and may be started again.
        if self.folder.list_checkpoints():
            raise ValueError(
                f"{self.folder.path} already holds a run, which is never written over: continue it "
                "with resume=true, or start another with name=ANOTHER_NAME"
            )


def find_weights(word: str) -> Path:
    """The file of weights that a word on a command line stands for: itself, or a run's newest.

    A ValueError where it is neither.
    """
    path = Path(word)
    file = path if path.is_file() else RunFolder(path).newest_weights()
    if file is None:
        raise ValueError(f"{word} must be a file of weights, or the folder of a run that has some")
    return file


def _refuse_other_settings(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    different = changed_results(before, now)
    if different:
        lines = "\n  ".join(different)
        raise ValueError(
            f"the run in {folder} had other settings:\n  {lines}\ncontinue it with the settings "
            "it had, or start another from its weights with name=ANOTHER_NAME init_from=WEIGHTS"
        )
