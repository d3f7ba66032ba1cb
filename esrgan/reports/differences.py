"""In which settings runs differ, in as few words as say it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from esrgan.runs import flatten, say_of

ABSENT: Final = object()
"""The value of a setting that a run does not have."""

_SHORT_LIST = 4  # is shown whole

Columns = Mapping[str, Sequence[object]]
"""For each setting by its full key, the value in each run."""


class _Target(str):
    """The import path of what a part of the settings builds."""


@dataclass(frozen=True)
class Difference:
    """A setting by its full key and the shortest ending that no other has; a value for each run."""

    key: str
    label: str
    values: Sequence[object]

    def texts(self) -> list[str]:
        """The values in words; of paths and of long lists without what all have in common."""
        words = iter(_in_words([v for v in self.values if v is not None and v is not ABSENT]))
        return [
            "-" if value is ABSENT else "none" if value is None else next(words)
            for value in self.values
        ]


def find_differences(settings: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """The settings, in their order, in which the runs do not all agree.

    Left out are those that have no say in a comparison, copies that Hydra made of another setting
    (`${...}`), and what belongs to a part that only some runs have, unless those differ in it.
    """
    flat = [_by_key(one) for one in settings]
    keys = dict.fromkeys(key for one in flat for key in one if say_of(key).comparison)
    columns = {key: [one.get(key, ABSENT) for one in flat] for key in keys}
    different = {key: values for key, values in columns.items() if not _agree(values)}
    originals = {key: values for key, values in columns.items() if not _is_copy(key, columns)}
    return [
        Difference(key, _shortest_ending(key, originals), values)
        for key, values in different.items()
        if key in originals and not _follows_from_its_part(key, different)
    ]


def _by_key(settings: Mapping[str, Any]) -> dict[str, object]:
    """`{"optimizer": {"_target_": "torch.optim.Adam", "lr": 1}}` as optimizer and optimizer.lr."""
    values: dict[str, object] = {}
    for key, value in flatten(settings):
        part, _, name = key.rpartition(".")
        if name == "_target_":
            values[part] = _Target(value)
        elif not (name.startswith("_") and name.endswith("_")):
            values[key] = value
    return values


def _agree(values: Sequence[object]) -> bool:
    return all(value == values[0] for value in values)


def _is_copy(key: str, columns: Columns) -> bool:
    """Of a setting whose key ends this one's, or of a text at the top level (`${train_set}`)."""
    values = columns[key]
    return any(
        (key.endswith(f".{other}") and values == others)
        or ("." in key and "." not in other and _is_continued(others, values))
        for other, others in columns.items()
    )


def _is_continued(texts: Sequence[object], values: Sequence[object]) -> bool:
    """Whether the values are the texts, all with the same ending (`${train_set}/gt`)."""
    endings = set()
    for text, value in zip(texts, values, strict=True):
        if isinstance(text, str) and isinstance(value, str) and value.startswith(text):
            endings.add(value.removeprefix(text))
        elif text is not value:
            return False
    return len(endings) == 1


def _follows_from_its_part(key: str, different: Columns) -> bool:
    values = different[key]
    parts = key.split(".")
    above = {".".join(parts[:count]) for count in range(1, len(parts))}
    given = [value for value in values if value is not ABSENT]
    return len(given) < len(values) and _agree(given) and not above.isdisjoint(different)


def _shortest_ending(key: str, columns: Columns) -> str:
    parts = key.split(".")
    endings = (".".join(parts[-count:]) for count in range(1, len(parts)))
    others = [f".{other}" for other in columns if other != key]
    return next((e for e in endings if not any(o.endswith(f".{e}") for o in others)), key)


def _in_words(values: Sequence[object]) -> list[str]:
    if len(values) < 2 or _agree(values):
        return [_text(value) for value in values]
    for kind, separator in ((_Target, "."), (str, "/")):
        if all(isinstance(value, kind) for value in values):
            return _distinct_endings([str(value).split(separator) for value in values], separator)
    lists = [value for value in values if isinstance(value, list)]
    if len(lists) == len(values) and max(map(len, lists)) > _SHORT_LIST:
        return _where_they_differ(lists)
    return [_text(value) for value in values]


def _distinct_endings(names: Sequence[list[str]], separator: str) -> list[str]:
    """Equally long ones, as short as tells different names apart."""
    whole = [separator.join(name) for name in names]
    for length in range(1, max(map(len, names))):
        endings = [separator.join(name[-length:]) for name in names]
        if len(set(endings)) == len(set(whole)):
            return endings
    return whole


def _where_they_differ(lists: Sequence[list[object]]) -> list[str]:
    start = _common_start(lists)
    end = _common_start([one[start:][::-1] for one in lists])
    before, after = ["…"] * bool(start), ["…"] * bool(end)
    middles = [_items(one[start : len(one) - end]) for one in lists]
    return [", ".join([*before, *middle, *after]) for middle in middles]


def _common_start(lists: Sequence[Sequence[object]]) -> int:
    """How many items they begin with in common; something is left of each."""
    length = 0
    while length < min(map(len, lists)) - 1 and _agree([one[length] for one in lists]):
        length += 1
    return length


def _items(values: Sequence[object]) -> list[str]:
    return [value if isinstance(value, str) else json.dumps(value) for value in values]


def _text(value: object) -> str:
    if isinstance(value, _Target):
        return value.rpartition(".")[2]
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(_items(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return json.dumps(value)
