"""What makes a condition true of no row: properties nobody has, types that never meet."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from toolkit.base import (
    HIDDEN,
    Json,
    UnknownPropertyWarning,
    did_you_mean,
    dumps,
)
from toolkit.columns import COMPUTED, Column, Instants, ProfileRows, Snapshot
from toolkit.expressions.casting import as_datetime
from toolkit.expressions.cells import NUMBERS, Cells, Family, families_of
from toolkit.expressions.comparing import can_compare
from toolkit.expressions.functions import ONE, TYPES
from toolkit.expressions.nearness import Look, nearly
from toolkit.expressions.tree import (
    Comparison,
    Contains,
    Expression,
    In,
    Literal,
    Property,
    Quantified,
)

_MANY: Final[dict[Family, str]] = {
    **{"bool": "booleans", "int": "numbers", "float": "numbers", "big": "numbers"},
    **{"text": "text", "time": "times", "list": "lists", "object": "objects"},
}
_LONGEST: Final = 60


def is_known(name: str, snapshot: Snapshot) -> bool:
    """Return whether a profile ever had the property, or the toolkit computes it."""
    return name in snapshot.columns or name in COMPUTED


def unknown(name: str, snapshot: Snapshot, group_key: str | None = None) -> str:
    """Return a sentence saying that no profile, of the groups of a key, has the property."""
    hint = did_you_mean(name, (each for each in snapshot.names if each not in HIDDEN))
    whose = "" if group_key is None else f" of a {group_key}"
    return f'No profile{whose} has a property "{name}".{hint}'


def warn_of_profiles(condition: Expression, snapshot: Snapshot, *, stacklevel: int) -> None:
    """Warn if a condition on profiles names what none has, or compares what never meets.

    Warns
    -----
    UnknownPropertyWarning
        For each property that no profile ever had.
    UserWarning
        For each comparison that no profile's value can make true.
    """
    if not len(snapshot):
        return  # of no profiles every condition is true of none
    for node in condition.properties:
        if node.side != "event" and not is_known(node.name, snapshot):
            text = unknown(node.name, snapshot)
            warnings.warn(text, UnknownPropertyWarning, stacklevel=stacklevel + 1)
    for sentence in never_true(condition, lambda node: user_property(node, snapshot)):
        warnings.warn(sentence, UserWarning, stacklevel=stacklevel + 1)


def user_property(node: Property, snapshot: Snapshot) -> Column | Instants | None:
    """Return a property of all profiles, None if it is calculated from events."""
    computed = COMPUTED.get(node.name)
    if node.side == "event" or (computed is not None and computed.needs_events):
        return None
    return ProfileRows(snapshot).column(node.name)


def never_true(condition: Expression, look: Look) -> list[str]:
    """Return a sentence for each comparison of a property that its values do not meet.

    Looked at are comparisons of a property with a value written out: a column of
    numbers is never equal to, or greater than, a text (EXPR-2 to EXPR-4). A property
    without any value gives no sentence. Comparisons that nearly ask for what is there
    give one, too: :func:`toolkit.expressions.nearness.nearly`.

    Parameters
    ----------
    condition
        The condition.
    look
        Returns a property, all its cells.
    """
    sentences: dict[str, None] = {}
    families: dict[tuple[str, str], frozenset[Family]] = {}
    for node, operand, values, can_meet in _comparisons(condition):
        key = (operand.side, operand.name)
        if key not in families:
            column = look(operand)
            families[key] = frozenset() if column is None else families_of(column)
        if families[key] and not any(can_meet(families[key], value) for value in values):
            sentences[_sentence(node, operand, families[key], values)] = None
    return list(dict.fromkeys([*sentences, *nearly(condition, look)]))


_CanMeet: TypeAlias = Callable[[frozenset[Family], Json], bool]


def _comparisons(
    condition: Expression,
) -> Iterator[tuple[Expression, Property, list[Json], _CanMeet]]:
    """Yield comparisons of a property with literals, and what decides if they can meet."""
    for node in condition._walked():
        match node:
            case Comparison(operator, Property() as operand, Literal() as other):
                if not other.is_null:
                    yield node, operand, [other.value], _comparable(operator)
            case Comparison(operator, Literal() as other, Property() as operand):
                if not other.is_null:
                    yield node, operand, [other.value], _comparable(operator)
            case In(Property() as operand, Literal() as options):
                values = options.value
                if isinstance(values, list) and values and None not in values:
                    yield node, operand, values, _comparable("==")
            case Contains(Property() as operand, Literal() as element):
                yield node, operand, [element.value], _can_contain


def _comparable(operator: str) -> _CanMeet:
    def can_meet(families: frozenset[Family], value: Json) -> bool:
        cells = Cells.constant(value)
        if "time" in families:  # EXPR-12
            return bool(as_datetime(cells).parts)
        return any(can_compare(operator, mine, its) for mine in families for its in cells.parts)

    return can_meet


def _can_contain(families: frozenset[Family], value: Json) -> bool:
    return "list" in families or ("text" in families and isinstance(value, str))


def _sentence(
    node: Expression, operand: Property, families: frozenset[Family], values: list[Json]
) -> str:
    kinds = sorted({_MANY[family] for family in families})
    holds = f"{operand.text} holds {' and '.join(kinds)}"
    never = f"so {_cut(node.text)} is never true."
    if isinstance(node, Contains):
        return f"{holds}, and contains looks into lists and for text in text, {never}"
    if isinstance(node, In):
        ones = {ONE[TYPES[family]] for value in values for family in Cells.constant(value).parts}
        which = (
            f"are of another type ({', '.join(sorted(ones))})" if ones else "are of another type"
        )
        return f"{holds} and the values after in {which}, {never}{_advice(node, families)}"
    (its,) = Cells.constant(values[0]).parts
    if its in families or (its in NUMBERS and families & NUMBERS):
        return f"{holds}, which have no order, {never}"
    value = _cut(dumps(values[0]))
    if families == {"time"}:
        return f"{holds} and {value} is not one, {never}"
    return f"{holds} and {value} is {ONE[TYPES[its]]}, {never}{_advice(node, families)}"


def _advice(node: Expression, families: frozenset[Family]) -> str:
    """Return what may have been meant where a list is compared as a whole."""
    if families != {"list"}:
        return ""
    match node:
        case Comparison(operator, Property() as operand, other):
            meant: Expression = Comparison(operator, Quantified("any", operand), other)
        case In(operand, options):
            meant = In(Quantified("any", operand), options)
        case _:
            return ""
    return f" To look at the elements write {_cut(meant.text)}, in Python {_cut(meant.python)}."


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
