"""The eight operators, each a pure function on one profile's properties.

This is the reference: what the table does to whole columns must agree with it
on every input. Each function takes the properties of one profile (``{}`` where
there is no profile yet) and the operator's argument, and returns the properties
afterwards. It never changes what it is given, and it returns *properties itself*
when it wrote nothing, which is how a caller knows that an update had no effect.

Arguments are taken as :mod:`toolkit.updates.messages` leaves them: checked JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from math import isfinite
from operator import is_
from typing import Any, Final, TypeAlias

from toolkit.base import MAX_DIGITS, TOO_LARGE, Json, equal as _equal, key

Profile: TypeAlias = Mapping[str, Json]
#: Collects what an operator refused: (property, reason).
Refused: TypeAlias = list[tuple[str, str]]


def set(
    properties: Profile, argument: Mapping[str, Json], refused: Refused | None = None
) -> Profile:
    """Return the profile with every property of *argument* written (SET-1, SET-2).

    >>> set({"plan": "free", "age": 7}, {"plan": "pro", "city": None})
    {'plan': 'pro', 'age': 7, 'city': None}
    """
    return {**properties, **argument} if argument else properties


def set_once(
    properties: Profile, argument: Mapping[str, Json], refused: Refused | None = None
) -> Profile:
    """Return the profile with the absent properties of *argument* added.

    A stored null, "", 0 or [] is present and stays (ONCE-1).

    >>> set_once({"plan": None}, {"plan": "free", "city": "Oslo"})
    {'plan': None, 'city': 'Oslo'}
    """
    new = {name: value for name, value in argument.items() if name not in properties}
    return {**properties, **new} if new else properties


def add(
    properties: Profile, argument: Mapping[str, Json], refused: Refused | None = None
) -> Profile:
    """Return the profile with numbers added to its number properties.

    Absent counts as 0 (ADD-1). Where the increment or the stored value is not a
    number, the stored value stays, and the property is refused (ADD-2).
    Integers stay exact at any size.

    >>> add({"orders": 2, "plan": "pro"}, {"orders": 1, "points": -5, "plan": 1})
    {'orders': 3, 'plan': 'pro', 'points': -5}
    """
    sums: dict[str, Json] = {}
    for name, increment in argument.items():
        stored = properties.get(name, 0)
        reason = refuse_increment(increment) or refuse_sum(stored, increment)
        if reason is None:
            sums[name] = stored + increment  # type: ignore[operator]
        else:
            _refuse(refused, name, reason)
    return {**properties, **sums} if sums else properties


def union(
    properties: Profile, argument: Mapping[str, Json], refused: Refused | None = None
) -> Profile:
    """Return the profile with values added to its lists, with no duplicates (UNION-1).

    >>> union({"tags": ["a", "b"]}, {"tags": ["b", "c", "c"], "seen": "x"})
    {'tags': ['a', 'b', 'c'], 'seen': ['x']}
    """
    lists: dict[str, Json] = {}
    for name, values in argument.items():
        stored = properties.get(name, [])
        if not isinstance(stored, list):  # LIST-1
            _refuse(refused, name, _not_a_list(stored))
            continue
        together = _distinct([*stored, *(values if isinstance(values, list) else [values])])
        as_before = len(together) == len(stored) and all(map(is_, together, stored))
        if name not in properties or not as_before:
            lists[name] = together
    return {**properties, **lists} if lists else properties


def append(
    properties: Profile, argument: Mapping[str, Json], refused: Refused | None = None
) -> Profile:
    """Return the profile with one element added at the end of its lists (APPEND-1).

    >>> append({"seen": ["x"]}, {"seen": "x", "pairs": [1, 2]})
    {'seen': ['x', 'x'], 'pairs': [[1, 2]]}
    """
    lists: dict[str, Json] = {}
    for name, element in argument.items():
        stored = properties.get(name, [])
        if isinstance(stored, list):
            lists[name] = [*stored, element]
        else:  # LIST-1
            _refuse(refused, name, _not_a_list(stored))
    return {**properties, **lists} if lists else properties


def remove(
    properties: Profile, argument: Mapping[str, Json], refused: Refused | None = None
) -> Profile:
    """Return the profile with every element equal to a value taken out of its lists.

    Where there is no such property or element, nothing is written (REMOVE-1).

    >>> remove({"tags": ["a", "b", "a"]}, {"tags": "a", "other": 1})
    {'tags': ['b']}
    """
    lists: dict[str, Json] = {}
    for name, unwanted in argument.items():
        stored = properties.get(name, [])
        if not isinstance(stored, list):  # LIST-1
            _refuse(refused, name, _not_a_list(stored))
            continue
        left = [element for element in stored if not _equal(element, unwanted)]
        if len(left) != len(stored):
            lists[name] = left
    return {**properties, **lists} if lists else properties


def unset(
    properties: Profile, argument: str | Iterable[str], refused: Refused | None = None
) -> Profile:
    """Return the profile without the named properties; unknown names are ignored (UNSET-1).

    >>> unset({"plan": "pro", "age": 7}, ["plan", "nobody has this"])
    {'age': 7}
    """
    names = [argument] if isinstance(argument, str) else list(argument)
    if not any(name in properties for name in names):
        return properties
    return {name: value for name, value in properties.items() if name not in names}


def delete(properties: Profile, argument: object = None, refused: Refused | None = None) -> Profile:
    """Return no properties: the profile is gone, whatever the argument (DELETE-1).

    That the profile itself is gone too, not merely empty, is :func:`apply`'s to say.

    >>> delete({"plan": "pro"}, "")
    {}
    """
    return {}


Operator: TypeAlias = Callable[[Profile, Any, Refused | None], Profile]

#: Each operator by its name in a message.
OPERATORS: Final[Mapping[str, Operator]] = {
    "$set": set,
    "$set_once": set_once,
    "$add": add,
    "$union": union,
    "$append": append,
    "$remove": remove,
    "$unset": unset,
    "$delete": delete,
}

#: The operators that create a profile where there is none.
CREATING: Final = frozenset({"$set", "$set_once", "$add", "$union", "$append"})


def apply(
    profile: Profile | None,
    operations: Iterable[tuple[str, Any]],
    refused: list[tuple[str, str, str]] | None = None,
) -> tuple[Profile | None, bool]:
    """Return one profile after the operators of one message, and whether anything was written.

    Parameters
    ----------
    profile
        The properties, or None where there is no profile.
    operations
        (operator, argument) in the order written (MSG-1).
    refused
        Collects (operator, property, reason) of what was refused.

    Examples
    --------
    >>> apply(None, [("$set", {}), ("$append", {"seen": 1})])
    ({'seen': [1]}, True)
    >>> apply(None, [("$remove", {"seen": 1})])
    (None, False)
    >>> apply({"plan": "pro"}, [("$delete", "")])
    (None, True)
    """
    wrote = False
    for operator, argument in operations:
        if operator == "$delete":
            wrote = wrote or profile is not None
            profile = None
            continue
        before: Profile = {} if profile is None else profile
        kept_back: Refused = []
        after = OPERATORS[operator](before, argument, kept_back)
        if refused is not None:
            refused.extend((operator, name, reason) for name, reason in kept_back)
        if after is not before:
            wrote = True
            profile = after
        elif profile is None and operator in CREATING:
            wrote = True  # SET-2: `$set {}` makes an empty profile
            profile = {}
    return profile, wrote


def is_number(value: Json) -> bool:
    """Return whether a value counts as a number for ``$add``: a bool does not (ADD-2)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def refuse_increment(increment: Json) -> str | None:
    """Return why ``$add`` cannot take this increment, None if it can."""
    if is_number(increment):
        return None
    return f"the increment is {_described(increment)}, not a number"


def refuse_sum(stored: Json, increment: Json) -> str | None:
    """Return why ``$add`` cannot add to the stored value, None if it can (ADD-2)."""
    if not is_number(stored):
        return f"the stored value is {_described(stored)}, not a number"
    try:
        total: Any = stored + increment  # type: ignore[operator]
    except OverflowError:
        return "the sum is too large for a floating-point number"
    if isinstance(total, int):
        return f"the sum has more than {MAX_DIGITS:,} digits" if abs(total) >= TOO_LARGE else None
    return None if isfinite(total) else "the sum is too large for a floating-point number"


def _not_a_list(stored: Json) -> str:
    return f"the stored value is {_described(stored)}, not a list"


def _described(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    shown = repr(value)
    if len(shown) > 40:
        shown = shown[:39] + "…"
    return {bool: "the boolean ", str: "the text "}.get(type(value), "") + shown


def _refuse(refused: Refused | None, name: str, reason: str) -> None:
    if refused is not None:
        refused.append((name, reason))


def _distinct(values: list[Json]) -> list[Json]:
    seen: dict[Hashable, Json] = {}
    for value in values:
        seen.setdefault(key(value), value)
    return list(seen.values())
