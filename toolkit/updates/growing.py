"""Long lists under many operators of one batch, without going over them again for each.

The operators of :mod:`toolkit.operators` never change what they are given: each makes
the list again. For a list of 100,000 elements that takes milliseconds per message. A
:class:`GrowingList` takes the place of the list while a batch is worked out, is changed
in place, and gives the list at the end.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final

from toolkit.base import ABSENT, Json, key
from toolkit.updates.operators import OPERATORS, Profile, Rejections

# Shorter lists are made again faster.
_LONG: Final = 64
# What a growing list can do itself.
_LISTS: Final = frozenset({"$union", "$append", "$remove"})


class GrowingList:
    """A list that a batch works on: what it holds, and where equal elements are."""

    __slots__ = ("_elements", "_next", "_places", "_repeated")

    def __init__(self, elements: list[Json]) -> None:
        # By a number that only grows; so removing leaves the others where they are.
        self._elements: dict[int, Json] = dict(enumerate(elements))
        self._next = len(elements)
        # Found out when an operator first asks which elements are equal.
        self._places: dict[Hashable, list[int]] | None = None
        self._repeated: set[Hashable] = set()

    def elements(self) -> list[Json]:
        """Return the list."""
        return list(self._elements.values())

    def apply(self, operator: str, value: Json) -> bool:
        """Do what an operator does to the list; return whether it wrote anything."""
        if operator == "$append":
            self._append(value)
            return True
        if operator == "$remove":
            return self._remove(value)
        return self._union(value if isinstance(value, list) else [value])

    def _append(self, value: Json) -> None:
        self._elements[self._next] = value
        if self._places is not None:
            self._note(key(value), self._next)
        self._next += 1

    def _remove(self, value: Json) -> bool:
        same = key(value)
        gone = self._places_of().pop(same, [])
        self._repeated.discard(same)
        for place in gone:
            del self._elements[place]
        return bool(gone)

    def _union(self, values: list[Json]) -> bool:
        places = self._places_of()
        before = len(self._elements)
        for same in self._repeated:
            first, *others = places[same]
            places[same] = [first]
            for place in others:
                del self._elements[place]
        self._repeated.clear()
        wrote = len(self._elements) != before
        for value in values:
            if key(value) not in places:
                self._append(value)
                wrote = True
        return wrote

    def _places_of(self) -> dict[Hashable, list[int]]:
        if self._places is None:
            self._places = {}
            for place, element in self._elements.items():
                self._note(key(element), place)
        return self._places

    def _note(self, same: Hashable, place: int) -> None:
        assert self._places is not None
        places = self._places.setdefault(same, [])
        places.append(place)
        if len(places) > 1:
            self._repeated.add(same)


def apply_to(
    operator: str, properties: Mapping[str, Any], argument: Any, refused: Rejections | None = None
) -> tuple[Profile, bool]:
    """Do what an operator does to a profile that growing lists may be in.

    Returns
    -------
    The profile afterwards, and whether anything was written. :func:`settled` has the
    lists in it.
    """
    if operator not in _LISTS:
        before = settled(properties, argument) if OPERATORS[operator].reads else properties
        after = OPERATORS[operator](before, argument, refused)
        return after, after is not before
    # Where nothing is written, a growing list takes the place of the list all the same.
    long = {name: each for name in argument if (each := _growing(properties.get(name, ABSENT)))}
    if not long:
        after = OPERATORS[operator](properties, argument, refused)
        return after, after is not properties
    rest = {name: value for name, value in argument.items() if name not in long}
    after = OPERATORS[operator](properties, rest, refused) if rest else properties
    wrote = after is not properties
    grown: dict[str, Any] = {}
    for name, each in long.items():
        wrote |= each.apply(operator, argument[name])
        if each is not properties[name]:
            grown[name] = each
    return {**after, **grown} if grown else after, wrote


def settled(properties: Mapping[str, Any], names: Iterable[str] | None = None) -> Profile:
    """Return a profile with lists for growing ones: of some properties, or of all."""
    lists = {
        name: value.elements()
        for name in (properties if names is None else names)
        if isinstance(value := properties.get(name), GrowingList)
    }
    return {**properties, **lists} if lists else properties


def _growing(value: Any) -> GrowingList | None:
    if isinstance(value, GrowingList):
        return value
    return GrowingList(value) if isinstance(value, list) and len(value) >= _LONG else None
