"""The folder of a run, `experiments/NAME/`: what lies where in it, for those who write and read.

It holds `settings.json` (every setting, resolved), `history.json` (what was changed of them on the
way), `checkpoints/`, the logs (`train.csv`, `val.csv`, `speed.csv`, `tensorboard/`, `train.log`),
`skipped/`, if numbers were not finite, and, when the run has ended, its release.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esrgan import __version__
from esrgan.runs.changes import find_changes
from esrgan.runs.checkpoints import CheckpointError, is_sound, list_checkpoints, read_newest
from esrgan.runs.history import History, read_history
from esrgan.runs.logs import LOGS, Line, read_log
from esrgan.runs.releases import is_whole, list_releases
from esrgan.runs.settings import Change, read_settings, training_recipe

RUNS = Path("experiments")
"""Where runs are, seen from where commands are given."""

SETTINGS = "settings.json"
log = logging.getLogger(__name__)


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
    def history(self) -> Path:
        """What has changed in its settings on its way; not there if nothing has."""
        return self.path / "history.json"

    def read_history(self) -> History:
        """A ValueError where it is broken."""
        return read_history(self.history)

    @property
    def skipped(self) -> Path:
        """A folder of the batches whose numbers were not finite; not there if there was none."""
        return self.path / "skipped"

    @property
    def messages(self) -> Path:
        return self.path / "train.log"

    def log(self, name: str) -> list[Line]:
        """One of `LOGS`; a ValueError where it is broken."""
        return read_log(self.path / f"{name}.csv")

    def logged_iterations(self) -> int:
        """The last iteration of which a log tells; 0: of none. A ValueError where one is broken."""
        lines = [line for name in LOGS for line in self.log(name)]
        return max((int(line["iteration"]) for line in lines), default=0)

    def list_checkpoints(self) -> list[Path]:
        """The newest first; an OSError where their folder cannot be read."""
        return list_checkpoints(self.checkpoints)

    def newest_checkpoint(self) -> dict[str, Any] | None:
        """The content of the newest checkpoint that verifies; None before the first.

        Raises:
            CheckpointError: there are some, and none can be read.
        """
        return read_newest(self.checkpoints)

    def newest_sound_checkpoint(self) -> Path | None:
        """The newest file that is not damaged."""
        return next(filter(_passes(is_sound), self.list_checkpoints()), None)

    def newest_weights(self) -> Path | None:
        """The newest of releases and checkpoints that is not damaged; None: it has no weights.

        Raises:
            CheckpointError: there are some, and all are damaged.
        """
        if not self.path.is_dir():
            return None
        # By the names of checkpoints, as copying may have changed what is newest by the clock
        checkpoints, releases = self.list_checkpoints(), list_releases(self.path)
        newest = self.newest_sound_checkpoint()
        candidates = [*([newest] if newest else []), *releases]
        candidates.sort(key=lambda file: file.stat().st_mtime_ns, reverse=True)
        found = next((f for f in candidates if f == newest or _passes(is_whole)(f)), None)
        if found is None and (checkpoints or releases):
            raise CheckpointError(
                f"all the weights in {self.path} are damaged: give a file instead"
            )
        return found

    def is_finished(self, settings: Mapping[str, Any]) -> bool:
        """Whether the run of these settings has its release, undamaged."""
        if not (self.settings.exists() and is_whole(self.release)):
            return False
        changes = find_changes(read_settings(self.settings), settings)
        return all(changed.change is Change.FREE for changed in changes)

    def describe(self, checkpoint: Mapping[str, Any]) -> dict[str, str]:
        """What goes along with weights: how they came to be, without a word on where.

        All of it is text, as the metadata of .safetensors and .onnx is; what has a structure is
        JSON.

        Args:
            checkpoint: the content of one of the run's, of whose iteration the weights are.
        """
        iteration = checkpoint["iteration"]
        about = {"run": self.path.name, "iterations": str(iteration), "esrgan": __version__}
        recipe = training_recipe(checkpoint["settings"], checkpoint.get("history", ()))
        about["recipe"] = json.dumps(recipe)
        lines = [line for line in self.log("val") if line["iteration"] <= iteration]
        if lines:
            metrics = {**lines[-1], "iteration": int(lines[-1]["iteration"])}
            about["metrics"] = json.dumps(metrics)
        return about


def find_weights(word: str) -> Path:
    """The file of weights that a word on a command line stands for: itself, or a run's newest.

    A ValueError where it is neither.
    """
    path = Path(word)
    file = path if path.is_file() else RunFolder(path).newest_weights()
    if file is None:
        raise ValueError(f"{word} must be a file of weights, or the folder of a run that has some")
    return file


def _passes(check: Callable[[Path], bool]) -> Callable[[Path], bool]:
    """The same, with a warning of each file that does not."""

    def passes(file: Path) -> bool:
        if check(file):
            return True
        log.warning("%s is damaged, and is passed over for the newest before it", file)
        return False

    return passes
