"""What an author says in the card of a model, by the rules of the catalogue's own validator."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

ASKED = {
    "name": "of the model, as 4x-Mine",
    "author": "or several, as the catalogue knows them",
    "license": "an SPDX expression, as CC-BY-4.0; null where there is none",
    "tags": "a list in small letters, as [photo, restoration]",
    "description": "in Markdown: what it is for, what it is not for",
    "url": "the folder that the files will be downloaded from",
}
"""What no run knows."""
MORE = (
    *("date", "architecture", "size", "dataset", "datasetSize", "pretrainedModelG"),
    *("pretrainedModelD", "trainingIterations", "trainingBatchSize", "trainingHRSize"),
    *("trainingOTF", "pictures"),
)
_MODEL_ID = re.compile(r"\d+x-[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*")


def check_kinds(path: Path, values: Mapping[str, Any]) -> None:
    """A ValueError that names the first field of the author's file that breaks its rule."""
    for key, value in values.items():
        holds, about = _RULES.get(key, (_is_text, "text"))
        if not holds(value):
            about = ASKED.get(key, about)
            raise ValueError(f"--card {path}: {key} ({value}) must be {about}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_list_of(pattern: str, value: object) -> bool:
    is_list = isinstance(value, list) and bool(value)
    return is_list and all(re.fullmatch(pattern, str(each)) for each in cast(list[object], value))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_date(value: object) -> bool:
    if isinstance(value, str):
        try:
            date.fromisoformat(value)
        except ValueError:
            return False
    return isinstance(value, str | date) and not isinstance(value, datetime)


def _is_licence(value: object) -> bool:
    return value is None or (
        isinstance(value, str)
        and all(re.fullmatch(r"[A-Za-z0-9.-]+", part) for part in value.split(" OR "))
    )


def _is_model_id(value: object) -> bool:
    return isinstance(value, str) and bool(_MODEL_ID.fullmatch(value))


_COUNT = (_is_count, "a whole number of at least 1")
_RULES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "author": (lambda value: _is_text(value) or _is_list_of(".+", value), ""),
    "license": (_is_licence, ""),
    "tags": (partial(_is_list_of, r"(?:[a-z0-9]+:)?[a-z0-9]+(?:-[a-z0-9]+|\+)*"), ""),
    "url": (lambda value: str(value).startswith("http"), ""),
    "date": (_is_date, "a day, as 2026-11-27"),
    "size": (partial(_is_list_of, ".+"), "a list, as [64nf, 23nb]"),
    "trainingOTF": (lambda value: isinstance(value, bool), "true or false"),
    "pictures": (lambda value: _is_text(value) or _is_list_of(".+", value), "names of files"),
    **dict.fromkeys(("pretrainedModelG", "pretrainedModelD"), (_is_model_id, "as 4x-Mine-v2")),
    **dict.fromkeys(
        ("trainingIterations", "trainingBatchSize", "trainingHRSize", "datasetSize"), _COUNT
    ),
}
"""What the catalogue's validator asks for; what is not here is text."""
