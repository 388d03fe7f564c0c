"""The eight operators, each a pure function on one profile's properties.

This is the reference: what the table does to whole columns must agree with it
on every input. Each function takes the properties of one profile (``{}`` where
there is no profile yet) and the operator's argument, and returns the properties
afterwards. It never changes what it is given, and it returns *properties itself*
when it wrote nothing, which is how a caller knows that an update had no effect.

Arguments are taken as :mod:`toolkit.updates.messages` leaves them: checked JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from operator import is_
from typing import Any, Final, Literal, TypeAlias

from toolkit.base import MAX_DIGITS, TOO_LARGE, Json, equal as _equal, key
from toolkit.updates.rejection import Rejection

Profile: TypeAlias = Mapping[str, Json]
#: Collects what an operator refused.
Rejections: TypeAlias = list[Rejection]


def set(
    properties: Profile, argument: Mapping[str, Json], refused: Rejections | None = None
) -> Profile:
    """Return the profile with every property of *argument* written (SET-1, SET-2).

    >>> set({"plan": "free", "age": 7}, {"plan": "pro", "city": None})
    {'plan': 'pro', 'age': 7, 'city': None}
    """
    return {**properties, **argument} if argument else properties


def set_once(
    properties: Profile, argument: Mapping[str, Json], refused: Rejections | None = None
) -> Profile:
    """Return the profile with the absent properties of *argument* added.

    A stored null, "", 0 or [] is present and stays (ONCE-1).

    >>> set_once({"plan": None}, {"plan": "free", "city": "Oslo"})
    {'plan': None, 'city': 'Oslo'}
    """
    new = {name: value for name, value in argument.items() if name not in properties}
    return {**properties, **new} if new else properties


def add(
    properties: Profile, argument: Mapping[str, Json], refused: Rejections | None = None
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
    properties: Profile, argument: Mapping[str, Json], refused: Rejections | None = None
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
    properties: Profile, argument: Mapping[str, Json], refused: Rejections | None = None
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
    properties: Profile, argument: Mapping[str, Json], refused: Rejections | None = None
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
    properties: Profile, argument: str | Iterable[str], refused: Rejections | None = None
) -> Profile:
    """Return the profile without the named properties; unknown names are ignored (UNSET-1).

    >>> unset({"plan": "pro", "age": 7}, ["plan", "nobody has this"])
    {'age': 7}
    """
    names = [argument] if isinstance(argument, str) else list(argument)
    if not any(name in properties for name in names):
        return properties
    return {name: value for name, value in properties.items() if name not in names}


def delete(
    properties: Profile, argument: object = None, refused: Rejections | None = None
) -> Profile:
    """Return no properties: the profile is gone, whatever the argument (DELETE-1).

    That the profile itself is gone too, not merely empty, is decided by :func:`apply`.

    >>> delete({"plan": "pro"}, "")
    {}
    """
    return {}


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of messages: all there is to know about it.

    It can be called as its function: ``OPERATORS["$add"]({}, {"orders": 1})``.

    Attributes
    ----------
    name
        Its name in a message.
    apply
        The function: properties, argument, a list for what it refuses;
        it returns the properties after.
    rule
        The rule that describes it, as in ``docs/rules.md``; empty for one that has none.
    refusal
        The rule by which it leaves a property as it is; empty for none.
    argument
        ``"values"``: an object of properties and values. ``"names"``: a list of properties.
        ``"none"``: nothing, as of ``$delete``.
    creates
        Whether it creates a profile where there is none.
    groups
        Whether profiles of groups take it, too (GROUP-1).
    deletes
        Whether it deletes the profile, so that no other operator may be in its message (MSG-1).
    resets
        Whether the value afterwards is the same whatever it was before.
    reads
        Whether it looks at the value that is stored, not only at whether there is one.
    grows
        Whether a value may be larger afterwards than what was sent, so that a limit counts.
    refuse
        Returns why a value cannot be part of its argument, None if it can.
    hint
        An example of a value, for those who write one.

    Examples
    --------
    >>> def largest(properties, argument, refused=None):
    ...     new = {name: max(n, properties.get(name, n)) for name, n in argument.items()}
    ...     return {**properties, **new}
    >>> Operator("$max", largest, hint="12")({"score": 3}, {"score": 7})
    {'score': 7}
    """

    name: str
    apply: Callable[[Profile, Any, Rejections | None], Profile]
    rule: str = ""
    refusal: str = ""
    argument: Literal["values", "names", "none"] = "values"
    creates: bool = True
    groups: bool = True
    deletes: bool = False
    resets: bool = False
    reads: bool = True
    grows: bool = False
    refuse: Callable[[Json], str | None] | None = None
    hint: str = '12, "a" or another JSON value'

    def __call__(
        self, properties: Profile, argument: Any, refused: Rejections | None = None
    ) -> Profile:
        """Return the properties afterwards."""
        return self.apply(properties, argument, refused)

    def one(self, name: str, value: Any) -> Any:
        """Return the argument that names one property.

        >>> OPERATORS["$set"].one("plan", "pro"), OPERATORS["$unset"].one("plan", None)
        ({'plan': 'pro'}, ['plan'])
        """
        return {name: value} if self.argument == "values" else [name]

    def pairs(self, argument: Any) -> Iterable[tuple[str, Any]]:
        """Return each property of an argument with its value, None where it takes none."""
        return (
            argument.items() if self.argument == "values" else ((name, None) for name in argument)
        )

    def without(self, argument: Any, names: Container[Any]) -> Any:
        """Return an argument without some of its properties."""
        if self.argument == "values":
            return {name: value for name, value in argument.items() if name not in names}
        return [name for name in argument if name not in names]


def refuse_increment(increment: Json) -> str | None:
    """Return why ``$add`` cannot take this increment, None if it can."""
    if is_number(increment):
        return None
    return f"the increment is {_described(increment)}, not a number"


#: Each operator by its name in a message.
OPERATORS: Final[dict[str, Operator]] = {
    row.name: row
    for row in (
        Operator("$set", set, "SET-1", resets=True, reads=False, hint='"pro", 12, null, ["a"] …'),
        Operator("$set_once", set_once, "ONCE-1", reads=False, hint='"pro", 12, null, ["a"] …'),
        Operator(
            *("$add", add, "ADD-1", "ADD-2"),
            groups=False,
            refuse=refuse_increment,
            hint="1 or -2.5",
        ),
        Operator("$union", union, "UNION-1", "LIST-1", grows=True, hint='["a", "b"] or "a"'),
        Operator(
            *("$append", append, "APPEND-1", "LIST-1"),
            groups=False,
            grows=True,
            hint='"a": one element',
        ),
        Operator("$remove", remove, "REMOVE-1", "LIST-1", creates=False, hint='"a": one value'),
        Operator(
            *("$unset", unset, "UNSET-1"),
            argument="names",
            creates=False,
            resets=True,
            reads=False,
            hint="",
        ),
        Operator(
            *("$delete", delete, "DELETE-1"),
            argument="none",
            creates=False,
            deletes=True,
            resets=True,
            hint="",
        ),
    )
}


def apply(
    profile: Profile | None,
    operations: Iterable[tuple[str, Any]],
    refused: Rejections | None = None,
) -> tuple[Profile | None, bool]:
    """Return one profile after the operators of one message, and whether anything was written.

    Parameters
    ----------
    profile
        The properties, or None where there is no profile.
    operations
        (operator, argument) in the order written (MSG-1).
    refused
        Collects what was refused, without its place in a batch.

    Examples
    --------
    >>> apply(None, [("$set", {}), ("$append", {"seen": 1})])
    ({'seen': [1]}, True)
    >>> apply(None, [("$remove", {"seen": 1})])
    (None, False)
    >>> apply({"plan": "pro"}, [("$delete", "")])
    (None, True)
    """
    return apply_by(None, profile, operations, refused)


#: Does what an operator does: its name, properties, argument, what it refused; returns the
#: properties after, and whether it wrote anything.
Doing: TypeAlias = Callable[[str, Profile, Any, Rejections], tuple[Profile, bool]]


def apply_by(
    doing: Doing | None,
    profile: Profile | None,
    operations: Iterable[tuple[str, Any]],
    refused: Rejections | None,
) -> tuple[Profile | None, bool]:
    """Return what :func:`apply` does, with a function for operators that read what is stored."""
    wrote = False
    for name, argument in operations:
        operator = OPERATORS[name]
        if operator.deletes:
            wrote = wrote or profile is not None
            profile = None
            continue
        kept_back: Rejections = []
        before: Profile = {} if profile is None else profile
        if doing is None or not operator.reads:
            after = operator.apply(before, argument, kept_back)
            has_written = after is not before
        else:
            after, has_written = doing(name, before, argument, kept_back)
        if refused is not None:
            rule = operator.refusal
            refused += [
                Rejection(-1, None, name, each.property, each.reason, rule) for each in kept_back
            ]
        # SET-2: `$set {}` makes an empty profile
        wrote = wrote or has_written or (profile is None and operator.creates)
        if has_written or profile is not None or operator.creates:
            profile = after
    return profile, wrote


def is_number(value: Json) -> bool:
    """Return whether a value counts as a number for ``$add``: a bool does not (ADD-2)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


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


def _refuse(refused: Rejections | None, name: str, reason: str) -> None:
    if refused is not None:
        refused.append(Rejection(property=name, reason=reason))


def _distinct(values: list[Json]) -> list[Json]:
    seen: dict[Hashable, Json] = {}
    for value in values:
        seen.setdefault(key(value), value)
    return list(seen.values())
