"""How two profiles differ, property by property, and lists element by element."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from difflib import SequenceMatcher
from typing import Final

from toolkit.base import ABSENT, HIDDEN, Json, key
from toolkit.columns import Difference, differences
from toolkit.updates import Profile

# Comparing two lists element by element takes the product of their lengths.
_COMPARED: Final = 160_000


def shown_differences(before: Profile | None, after: Profile | None) -> list[Difference]:
    """Return every property of two profiles that is not hidden."""
    return [each for each in differences(before, after) if each.property not in HIDDEN]


def hidden_in(*profiles: Profile | None) -> bool:
    """Return whether a profile holds a property that is never shown."""
    return any(name in (profile or {}) for profile in profiles for name in HIDDEN)


def elements(old: list[Json], new: list[Json]) -> Iterator[Difference]:
    """Yield what became of the elements of two lists, in order; nothing if it takes too long."""
    left, right = [*map(key, old)], [*map(key, new)]
    start = _same(left, right)
    end = _same(left[start:][::-1], right[start:][::-1])
    middle, new_middle = left[start : len(left) - end], right[start : len(right) - end]
    if len(middle) * len(new_middle) > _COMPARED:
        return
    for value in new[:start]:
        yield Difference("", "", value, value)
    matcher = SequenceMatcher(None, middle, new_middle, autojunk=False)
    for tag, *places in matcher.get_opcodes():
        old_start, old_end, new_start, new_end = (place + start for place in places)
        if tag == "equal":
            for value in new[new_start:new_end]:
                yield Difference("", "", value, value)
            continue
        for value in old[old_start:old_end]:
            yield Difference("", "", value, ABSENT)
        for value in new[new_start:new_end]:
            yield Difference("", "", ABSENT, value)
    for value in new[len(new) - end :]:
        yield Difference("", "", value, value)


def _same(left: list[Hashable], right: list[Hashable]) -> int:
    """Return how many elements two lists begin with alike."""
    pairs = zip(left, right, strict=False)
    return next(
        (place for place, (one, other) in enumerate(pairs) if one != other),
        min(len(left), len(right)),
    )
