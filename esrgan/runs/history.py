"""What has changed in the settings of a run on its way: kept in its checkpoints and its folder."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from esrgan.files import write_whole
from esrgan.runs.changes import Changed

FORMAT = 1

History = list[dict[str, Any]]
"""`{"iteration": 100, "settings": {"training.optimizer.lr": [2e-4, 1e-4]}}`: at each iteration that
a change took effect after, the values before and since, by the settings' keys."""


def with_changes(history: History, iteration: int, changes: Iterable[Changed]) -> History:
    """A history that tells of changes, too."""
    settings = {changed.key: changed.entry() for changed in changes}
    return [*history, {"iteration": iteration, "settings": settings}] if settings else history


def in_words(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each change."""
    return [
        f"from iteration {entry['iteration']} on, {key}: {_text(now)} (before: {_text(before)})"
        for entry in history
        for key, (before, now) in entry["settings"].items()
    ]


def write_history(path: Path, history: History) -> None:
    """Of an empty one, no file is made."""
    if history or path.exists():
        content = json.dumps({"format": FORMAT, "changes": history}, indent=2)
        write_whole(path, content.encode(), overwrite=True)


def read_history(path: Path) -> History:
    """Nothing where there is no file; a ValueError where it is broken."""
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        history: History = content["changes"]
        in_words(history)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is broken, and can be removed: {error}") from error
    return history


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool | None) else str(value)
