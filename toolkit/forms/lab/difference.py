"""How two profiles differ, property by property, and lists element by element."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple

from toolkit.base import ABSENT, HIDDEN, Json, equal, key
from toolkit.forms.parts.json_text import same_text
from toolkit.updates import Profile

# Comparing two lists element by element takes the product of their lengths.
_COMPARED: Final = 160_000


class Part(NamedTuple):
    """An element of a list: kept, added or removed."""

    change: str
    value: Json


class Difference(NamedTuple):
    """One property of two profiles.

    Attributes
    ----------
    change
        ``"kept"``, ``"added"``, ``"changed"``, ``"removed"``, or ``"rewritten"`` where
        the values are equal but not written the same, as 1 and 1.0 are.
    property
        Its name.
    old, new
        The values; ABSENT where there is none.
    parts
        What became of the elements, where both values are lists and differ.
    """

    change: str
    property: str
    old: Any
    new: Any
    parts: tuple[Part, ...] = ()


def differences(before: Profile | None, after: Profile | None) -> list[Difference]:
    """Return every property of two profiles that is not hidden, in the order of *after*.

    What is gone is where it was.

    >>> [each.change for each in differences({"a": 1, "b": 2}, {"b": 3, "c": 4})]
    ['removed', 'changed', 'added']
    """
    left, right = before or {}, after or {}
    differences: list[Difference] = []
    gone = [name for name in left if name not in right]
    places = {name: place for place, name in enumerate(left)}
    for name, new in right.items():
        while gone and name in places and places[gone[0]] < places[name]:
            differences.append(_difference(gone[0], left[gone.pop(0)], ABSENT))
        differences.append(_difference(name, left.get(name, ABSENT), new))
    differences += [_difference(name, left[name], ABSENT) for name in gone]
    return [each for each in differences if each.property not in HIDDEN]


def hidden_in(*profiles: Profile | None) -> bool:
    """Return whether a profile holds a property that is never shown."""
    return any(name in (profile or {}) for profile in profiles for name in HIDDEN)


def _difference(name: str, old: Any, new: Any) -> Difference:
    if old is ABSENT:
        return Difference("added", name, old, new)
    if new is ABSENT:
        return Difference("removed", name, old, new)
    if equal(old, new):
        return Difference("kept" if same_text(old, new) else "rewritten", name, old, new)
    parts: tuple[Part, ...] = ()
    if isinstance(old, list) and isinstance(new, list):
        parts = tuple(_parts(old, new))
    return Difference("changed", name, old, new, parts)


def _parts(old: list[Json], new: list[Json]) -> Iterator[Part]:
    """Yield the elements of two lists in order; nothing if that would take too long."""
    left, right = [*map(key, old)], [*map(key, new)]
    start = _same(left, right)
    end = _same(left[start:][::-1], right[start:][::-1])
    middle, new_middle = left[start : len(left) - end], right[start : len(right) - end]
    if len(middle) * len(new_middle) > _COMPARED:
        return
    for value in new[:start]:
        yield Part("kept", value)
    matcher = SequenceMatcher(None, middle, new_middle, autojunk=False)
    for tag, *places in matcher.get_opcodes():
        old_start, old_end, new_start, new_end = (place + start for place in places)
        if tag == "equal":
            for value in new[new_start:new_end]:
                yield Part("kept", value)
            continue
        for value in old[old_start:old_end]:
            yield Part("removed", value)
        for value in new[new_start:new_end]:
            yield Part("added", value)
    for value in new[len(new) - end :]:
        yield Part("kept", value)


def _same(left: list[Hashable], right: list[Hashable]) -> int:
    """Return how many elements two lists begin with alike."""
    pairs = zip(left, right, strict=False)
    return next(
        (place for place, (one, other) in enumerate(pairs) if one != other),
        min(len(left), len(right)),
    )
