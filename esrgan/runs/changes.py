"""In which settings a run would be continued otherwise than it was begun, and what comes of it.

What each setting may do stands in one table, `settings.SAYS`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from esrgan.runs.settings import Change, flatten, say_of

CONTENT = "content"
"""The key under which a run keeps what is behind its settings, by their keys.

Digests of the data and files that they name, and the number format that `precision` is on the
device.
"""

_PRECISION = "precision"
_ABSENT: Final = object()


@dataclass(frozen=True)
class Composition:
    """How settings came to be, as far as their values do not show it.

    Args:
        copies: from the key of a setting that repeats another, `data.train.seed`, to the key of
            that other, `seed`; also for all that is below them.
        defaults: what the settings would be if nobody had said anything.
    """

    copies: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def sources(self, key: str) -> Iterator[str]:
        """The key whose value the setting repeats, the one which that repeats, and so on."""
        for above in _above(key):
            if above in self.copies:
                source = self.copies[above] + key[len(above) :]
                yield source
                yield from self.sources(source)
                return


@dataclass(frozen=True)
class Changed:
    """A setting that is another than it was; as text, for people."""

    key: str
    before: Any
    now: Any
    change: Change
    note: str = ""

    def __str__(self) -> str:
        return f"{self.key}: {_text(self.before)} then, {_text(self.now)} now{self.note}"

    def entry(self) -> list[Any]:
        """The values, as a history keeps them."""
        return [None if value is _ABSENT else value for value in (self.before, self.now)]


def find_changes(
    before: Mapping[str, Any], now: Mapping[str, Any], composition: Composition | None = None
) -> list[Changed]:
    """The settings that differ, in their order; those that only repeat another are left out.

    A setting that the run did not have, because its version of esrgan did not know it, has its
    default. Data and files are compared by their content, where both are known, else by their
    paths.
    """
    composition = composition or Composition()
    found = {c.key: c for c in _differences(before, now, composition.defaults)}
    severest = dict(found)
    for key, changed in found.items():
        sources = [source for source in composition.sources(key) if source in found]
        if not sources:
            continue
        del severest[key]
        first = sources[-1]
        if changed.change is Change.NEVER and severest[first].change is not Change.NEVER:
            note = f", and with it {key}"
            severest[first] = Changed(first, *_values(found[first]), Change.NEVER, note)
    return list(_judge_contents(severest, before, now))


def _differences(
    before: Mapping[str, Any], now: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Iterator[Changed]:
    old, new, default = dict(flatten(before)), dict(flatten(now)), dict(flatten(defaults))
    for key in [*new, *(key for key in old if key not in new)]:
        one, other = old.get(key, _ABSENT), new.get(key, _ABSENT)
        is_new = one is _ABSENT and key in default and default[key] == other
        if one == other or is_new or key.split(".")[0] == CONTENT:
            continue
        if _is_inside(key, new if other is _ABSENT else old):
            continue  # the whole part came or went, and stands in the list itself
        change = say_of(key).change
        if change is Change.LONGER and not _has_grown(one, other):
            change = Change.FROM_HERE
        one = _part(key, old) if one is _ABSENT else one
        other = _part(key, new) if other is _ABSENT else other
        yield Changed(key, one, other, change)


def _judge_contents(
    found: Mapping[str, Changed], before: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[Changed]:
    """Take content for what a path says, and see another content behind the same path."""
    old, new = before.get(CONTENT) or {}, now.get(CONTENT) or {}
    paths = {key: dict(flatten(now)).get(key) for key in new if key in old}
    for key in dict.fromkeys([*found, *paths]):
        changed = found.get(key)
        if key in paths and old[key] != new[key]:
            one, other = _values(changed) if changed else (paths[key], paths[key])
            if key == _PRECISION:
                one, other = _with_format(one, old[key]), _with_format(other, new[key])
                yield Changed(key, one, other, say_of(key).change)
                continue
            one, other = f"{one} ({old[key][:8]})", f"{other} ({new[key][:8]})"
            yield Changed(key, one, other, say_of(key).change, ", of another content")
        elif key in paths and changed:
            what = "number format" if key == _PRECISION else "content"
            yield Changed(key, *_values(changed), Change.FREE, f" (of the same {what})")
        elif changed:
            yield changed


def _with_format(value: object, number_format: str) -> str:
    """`auto (32-true)`; `32-true` says it itself."""
    return number_format if value == number_format else f"{value} ({number_format})"


def refusal(changes: Sequence[Changed], *, allowed: bool) -> str:
    """Why a run cannot be continued with other settings, and what can be done; "" if it can."""
    never = [changed for changed in changes if changed.change is Change.NEVER]
    from_here = [changed for changed in changes if changed.change is Change.FROM_HERE]
    if not never and (allowed or not from_here):
        return ""
    lines = "\n  ".join(map(str, [*never, *from_here]))
    another = "start another from its weights with name=ANOTHER_NAME init_from=WEIGHTS"
    if never:
        keys = ", ".join(changed.key for changed in never)
        fix = f"its networks and optimizers cannot have another {keys}: keep what it was, or"
    else:
        fix = (
            "continue it with the settings it had; or, from here on, with these, which its "
            "history will tell, by allow_changes=true; or"
        )
    return f"had other settings:\n  {lines}\n{fix} {another}"


def _values(changed: Changed) -> tuple[Any, Any]:
    return changed.before, changed.now


def _has_grown(before: object, now: object) -> bool:
    return isinstance(before, int) and isinstance(now, int) and now > before


def _part(key: str, values: Mapping[str, Any]) -> object:
    """What stands where a value stood: the target of a part with settings of its own."""
    return values.get(f"{key}._target_", _ABSENT)


def _above(key: str) -> Iterator[str]:
    """A key itself, and those of the parts it is in, the nearest first."""
    parts = key.split(".")
    return (".".join(parts[:count]) for count in range(len(parts), 0, -1))


def _is_inside(key: str, values: Mapping[str, Any]) -> bool:
    """Whether a part that the key is in is itself a value, as `null` is."""
    return any(above in values for above in _above(key) if above != key)


def _text(value: object) -> str:
    if value is _ABSENT:
        return "not set"
    return "null" if value is None else str(value)
