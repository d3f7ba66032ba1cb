"""A run's folder that is written to, once it is certain that nothing in it is lost."""

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from esrgan.files import Held, check_folder, try_lock
from esrgan.runs.changes import Changed, Composition, find_changes, refusal
from esrgan.runs.checkpoints import refuse_renamed
from esrgan.runs.folder import RunFolder
from esrgan.runs.history import History, in_words, with_changes, write_history
from esrgan.runs.releases import list_releases
from esrgan.runs.settings import Change, read_settings, write_settings

_ANOTHER = "start another run with name=ANOTHER_NAME"
log = logging.getLogger(__name__)


class _Messages(logging.FileHandler):
    """Leaves out what a full disk has no room for: the terminal has it, too."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 # logging's name for it
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


class OpenRun:
    """The folder of a new run, or of an earlier one to continue it.

    Args:
        folder: where the run is kept.
        settings: the resolved configuration, plain containers.
        resume: whether to continue the run that is there; "auto" does if it has a checkpoint.
        composition: how the settings came to be.

    Raises:
        ValueError: the folder holds a run and `resume` is false; it holds none, or only what is
            left of one, and `resume` is true; the run there lost its settings, or had others that
            may not change.
        OSError: the folder cannot be read or written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: Mapping[str, Any],
        resume: bool | str,
        composition: Composition | None = None,
    ) -> None:
        self.folder = RunFolder(folder)
        self._settings, self._composition = settings, composition
        self._lock: Held | None = None
        self._free: Sequence[Changed] = ()
        self._earlier_length = 0
        checkpoints = self.folder.list_checkpoints()
        refuse_renamed(self.folder.checkpoints)
        self._refuse_what_is_left(bool(checkpoints), resume=resume)
        self._is_asked = bool(resume)
        self._resume = bool(checkpoints if resume == "auto" else resume)
        for place in (folder, self.folder.checkpoints):
            check_folder(place)
        if not self._resume:
            self._refuse_to_write_over()
        elif not (self.folder.settings.exists() or checkpoints):
            raise ValueError(f"{folder} holds no run to continue: start one without resume=true")
        else:
            self._compare(read_settings(self.folder.settings))

    def history_since(self, checkpoint: Mapping[str, Any] | None) -> History:
        """What the history of the run is with the settings it now has.

        Args:
            checkpoint: the content of the one that is continued from; None: of none.

        Raises:
            ValueError: the run has more iterations than it is to have; or it has all of them, so
                that what is changed would have no effect.
        """
        if checkpoint is None:
            return []
        done, wanted = checkpoint["iteration"], self._settings["iterations"]
        changes = find_changes(checkpoint["settings"], self._settings, self._composition)
        changes = [changed for changed in changes if changed.change is not Change.FREE]
        if done > wanted:
            raise ValueError(
                f"iterations ({wanted}) must be at least {done}: the run in {self.folder.path} "
                "has so many"
            )
        if done == wanted and any(changed.key != "iterations" for changed in changes):
            keys = ", ".join(changed.key for changed in changes)
            raise ValueError(
                f"{keys} would have no effect: the run in {self.folder.path} has all its {done} "
                "iterations: give more iterations="
            )
        return with_changes(checkpoint.get("history", []), done, changes)

    def begin(self, *, history: History | None = None) -> None:
        """Make the folder, keep other processes out of it, and log to `train.log` from now on.

        Args:
            history: as `history_since` gave it.

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
        handler = _Messages(self.folder.messages, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.getLogger("esrgan").addHandler(handler)
        if self._free:
            changes = "; ".join(map(str, self._free))
            log.info("other settings, of which nothing depends that is computed: %s", changes)
        if history and history != self.folder.read_history():
            self._set_release_aside()
            log.warning("this run has been changed:\n  %s", "\n  ".join(in_words(history)))
        write_history(self.folder.history, history or [])
        write_settings(self.folder.settings, self._settings)

    def close(self) -> None:
        """Let other processes in."""
        if self._lock is not None:
            self._lock.lock.release()

    def _refuse_what_is_left(self, has_checkpoints: bool, *, resume: bool | str) -> None:
        """Nothing that is left of a run whose checkpoints are gone is taken for a beginning."""
        releases = list_releases(self.folder.path)
        if releases and not has_checkpoints:
            raise ValueError(
                f"{releases[0]}, which is never written over, has no checkpoint to continue from: "
                f"{_ANOTHER}"
            )
        logged = 0 if has_checkpoints else self.folder.logged_iterations()
        if resume and logged > self._first_checkpoint():
            raise ValueError(
                f"{self.folder.path} has logs up to iteration {logged}, and no checkpoint in "
                f"{self.folder.checkpoints}: put its checkpoints back, or {_ANOTHER}"
            )

    def _first_checkpoint(self) -> int:
        """The iteration before which a run has none."""
        settings = read_settings(self.folder.settings) if self.folder.settings.exists() else {}
        checkpoints = settings.get("checkpoints")
        every = checkpoints.get("every") if isinstance(checkpoints, Mapping) else None
        return every if isinstance(every, int) else 0

    def _refuse_to_write_over(self) -> None:
        # A run that failed before its first checkpoint holds nothing that could be continued; but
        # what it logged is kept from those who did not ask to go on with it.
        logged = not self._is_asked and self.folder.logged_iterations()
        if self.folder.list_checkpoints() or logged:
            raise ValueError(
                f"{self.folder.path} already holds a run, which is never written over: continue it "
                "with resume=true, or start another with name=ANOTHER_NAME"
            )

    def _compare(self, before: Mapping[str, Any]) -> None:
        changes = find_changes(before, self._settings, self._composition)
        allowed = bool(self._settings.get("allow_changes"))
        if refused := refusal(changes, allowed=allowed):
            raise ValueError(f"the run in {self.folder.path} {refused}")
        shown = [changed for changed in changes if changed.change is Change.FREE]
        self._free = [changed for changed in shown if _is_told(changed.key)]
        self._earlier_length = before.get("iterations", 0)

    def _set_release_aside(self) -> None:
        """Keep what the run released before it went on otherwise, under another name."""
        release = self.folder.release
        if release.exists():
            kept = release.with_stem(f"{release.stem}_{self._earlier_length:08d}")
            if not kept.exists():
                release.replace(kept)
                log.info("the generator after %d iterations is %s", self._earlier_length, kept)


def _is_told(key: str) -> bool:
    """How a run is handled, and what each process chooses anew, is not worth a line."""
    return key.split(".")[0] not in ("resume", "allow_changes", "verify", "data", "trainer")
