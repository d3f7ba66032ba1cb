"""The folder of one run, `experiments/NAME/`.

It holds `settings.json` (every setting, resolved), `checkpoints/`, the logs (`train.csv`,
`val.csv`, `speed.csv`, `tensorboard/`, `train.log`) and, when the run has ended, its release.
"""

import fcntl
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from esrgan.training.checkpoints import list_checkpoints, read_newest

SETTINGS = "settings.json"
# What may differ when a run is continued: it changes neither the weights nor the sample stream, but
# for the rounding that comes with another number of devices.
FREE = (
    "resume",
    "verify",
    "data.num_workers",
    "data.start_method",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.strategy",
)


class RunFolder:
    """Opens a new run's folder, or an earlier one's to continue it.

    Args:
        folder: where the run is kept.
        settings: the resolved configuration, plain containers.
        resume: whether to continue the run that is there; "auto" does if it has a checkpoint.

    Raises:
        ValueError: the folder holds a run and `resume` is false; it holds none and `resume` is
            true; the run there had other settings; another process is writing to it.
    """

    def __init__(self, folder: Path, *, settings: Mapping[str, Any], resume: bool | str) -> None:
        self.path = folder
        self.settings = dict(settings)
        stored = folder / SETTINGS
        if resume == "auto":
            resume = bool(list_checkpoints(self.checkpoints))
        if resume and not stored.exists():
            raise ValueError(f"{folder} holds no run to continue: start one without resume=true")
        self._resume = bool(resume)
        if resume:
            _refuse_other_settings(folder, json.loads(stored.read_text()), self.settings)
        else:
            self._refuse_to_write_over()
        self._lock: TextIO | None = None

    def _refuse_to_write_over(self) -> None:
        # A run that failed before its first checkpoint holds nothing, and may be started again.
        if list_checkpoints(self.checkpoints):
            raise ValueError(
                f"{self.path} already holds a run, which is never written over: continue it with "
                "resume=true, or start another with name=ANOTHER_NAME"
            )

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def newest_checkpoint(self) -> dict[str, Any] | None:
        """The content of the newest checkpoint that verifies; None before the first."""
        return read_newest(self.checkpoints)

    def begin(self) -> None:
        """Make the folder, keep other processes out of it, and log to `train.log` from now on."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.path)
        if not self._resume:  # another process may have trained here since the first look
            self._refuse_to_write_over()
        _write(self.path / SETTINGS, json.dumps(self.settings, indent=2))
        handler = logging.FileHandler(self.path / "train.log")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.getLogger("esrgan").addHandler(handler)


def _refuse_other_settings(
    folder: Path, stored: Mapping[str, Any], current: Mapping[str, Any]
) -> None:
    before, now = _flat(stored), _flat(current)
    different = [
        f"{key}: {before.get(key, 'not set')} then, {now.get(key, 'not set')} now"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key) and not key.startswith(FREE)
    ]
    if different:
        listed = "\n  ".join(different)
        raise ValueError(
            f"the run in {folder} had other settings:\n  {listed}\ncontinue it with the settings "
            "it had, or start another from its weights with name=ANOTHER_NAME init_from=WEIGHTS"
        )


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _lock(folder: Path) -> TextIO:
    file = (folder / ".lock").open("w")
    try:
        # Not flock: loading processes would inherit it, and outlive a killed training by seconds.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX allows either
        raise ValueError(f"another process is training in {folder}: wait or stop it") from None
    return file


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
