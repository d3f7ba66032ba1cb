"""Iterations whose updates were skipped: what is said of them, and the batch one began with."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from esrgan.files import writing_whole
from esrgan.training.learner import REMEDIES
from esrgan.training.stage import Stage

MOST = 3
"""Batches that are kept of a run: the first tell most, and the weights beside them are large."""


class Streaks:
    """Keeps the batch with which a streak of skipped updates began, for `esrgan replay`.

    Args:
        folder: made when there is something to keep.
        batch_of: of an iteration, counted from 1, the images' names by the samples' numbers, and
            the batch of all processes.
        settings: of the run; the file needs nothing else to be replayed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        batch_of: Callable[[int], tuple[dict[int, str], Any]],
        settings: Mapping[str, Any],
    ) -> None:
        self.folder = folder
        self._batch_of, self._settings = batch_of, settings
        self._seen = 0

    def look(self, stage: Stage) -> str:
        """Keep the batch of the newest streak, if that is new, and say so; waits for the device.

        While a streak lasts, the weights beside it are those that it began with. Where it is over,
        they had a few updates since.
        """
        began = max(int(learner.guard.began) for learner in stage.learners.values())
        if began <= self._seen:
            return ""
        self._seen = began
        path = self.folder / f"iteration_{began:08d}.pt"
        kept = set(self.folder.glob("iteration_*.pt"))
        if path in kept or len(kept) >= MOST:
            return ""
        try:
            self._write(path, began, stage)
        except (OSError, ValueError) as error:  # it is of no use to the training
            return f"iteration {began} was skipped, and its batch cannot be kept: {error}"
        return (
            f"iteration {began} was skipped: its batch and the weights are in {path}, and "
            f"esrgan replay {path} shows where numbers stop being finite"
        )

    def _write(self, path: Path, began: int, stage: Stage) -> None:
        samples, batch = self._batch_of(began)
        content = {
            "iteration": began,
            "samples": samples,
            "batch": batch,
            "weights_of": stage.iteration,
            "architecture": getattr(stage.generator, "architecture", None),
            **{name: network.state_dict() for name, network in stage.networks.items()},
            "settings": dict(self._settings),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing_whole(path, overwrite=False) as file:
            torch.save(content, file)


def skip_warnings(values: Mapping[str, float]) -> dict[str, str]:
    """What is said of skipped updates, by short names; empty where there was none.

    Args:
        values: of an interval, as they are logged.
    """
    warnings = {}
    for network, key in (("generator", "skipped"), ("discriminator", "discriminator_skipped")):
        count = int(values.get(f"train/{key}", 0))
        if count:
            times = "an update" if count == 1 else f"{count} updates"
            warnings[f"skipped {network}"] = (
                f"a loss or a gradient was not finite, and {times} of the {network} did not happen "
                "since the last line of train.csv: its weights stayed as they were, and the log "
                f"has the means of the others. If this lasts: {REMEDIES}"
            )
    return warnings
