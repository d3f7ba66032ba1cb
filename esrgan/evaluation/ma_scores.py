"""Scores of Ma et al. (2017), which only their MATLAB code computes, from a file."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_KEYS = ("image", "method", "score")


class MaScores:
    """A score for each image and method. Rows that name a `benchmark` are for that one only."""

    def __init__(self, path: Path) -> None:
        """Reads a CSV file with the columns image, method, score, or JSON: a list of such objects.

        Raises:
            ValueError: names the file and the row that cannot be used.
        """
        self._path = path
        self._scores: dict[tuple[str, str, str], float] = {}
        for number, row in enumerate(_rows(path), start=1):
            try:
                image, method, score = (row[key] for key in _KEYS)
                value = float(score)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}, entry {number}: {_RULE}") from error
            key = (str(row.get("benchmark") or ""), str(image), str(method))
            if not 0 <= value <= 10 or key in self._scores:
                raise ValueError(
                    f"{path}, entry {number}: one score from 0 to 10 for each image and method, "
                    f"but this is {value:g} for {method} on {image}"
                )
            self._scores[key] = value

    def find(self, benchmark: str, image: str, method: str) -> float | None:
        for name in (benchmark, ""):
            if (name, image, method) in self._scores:
                return self._scores[name, image, method]
        return None

    def check(self, benchmark: str, images: Iterable[str], methods: Iterable[str]) -> None:
        """Raise a ValueError if a score is missing."""
        methods = list(methods)
        for image in images:
            for method in methods:
                if self.find(benchmark, image, method) is None:
                    raise ValueError(
                        f"{self._path} has no score of {method} on {image} ({benchmark}): add a row"
                    )


_RULE = f"needs {', '.join(_KEYS)} (a number), and may have benchmark"


def _rows(path: Path) -> Iterable[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be CSV or JSON, and is no text") from error
    if not text.lstrip().startswith(("[", "{")):
        return csv.DictReader(text.splitlines(), skipinitialspace=True)
    try:
        content: object = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} is broken: {error}") from error
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise ValueError(f"{path} must be a list of objects: each {_RULE}")
    return content
