"""Filters people build from a property, an operator and a value: expressions in the end."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from math import isfinite
from operator import and_, or_
from typing import Any, Final, Literal, TypeAlias

import pandas as pd

from toolkit import times
from toolkit.errors import ExpressionError, InvalidTimeError
from toolkit.expressions import Expression, Instants, user
from toolkit.expressions.cells import NUMBERS, Family, families_of
from toolkit.reserved import HIDDEN, LAST_SEEN, display_name
from toolkit.widgets.users_rows import Rows

#: Whether all filters are to be met or one of them.
Match: TypeAlias = Literal["all", "any"]

_MANY: Final[dict[Family, str]] = {
    **{"bool": "true and false", "int": "numbers", "float": "numbers", "big": "numbers"},
    **{"text": "text", "time": "times", "list": "lists", "object": "objects"},
}


@dataclass(frozen=True)
class Filter:
    """One filter as a person wrote it.

    Attributes
    ----------
    property
        Its name; empty for a filter not yet filled in.
    operator
        One of :data:`OPERATORS`.
    value
        What was typed; some operators take none, and ``"is one of"`` several with
        commas between. Text in quotes is text, whatever it reads as.
    """

    property: str = ""
    operator: str = "is"
    value: str = ""


def is_filled_in(given: Filter) -> bool:
    """Return whether a filter says anything yet."""
    return bool(given.property and (given.operator in VALUELESS or given.value.strip()))


def as_expression(
    filters: Iterable[Filter], match: Match, rows: Rows
) -> tuple[Expression | None, dict[int, str]]:
    """Return what the filters say together, None if nothing, and what is wrong with which.

    Filters not yet filled in say nothing.
    """
    problems: dict[int, str] = {}
    found: list[Expression] = []
    for place, each in enumerate(filters):
        if not is_filled_in(each):
            continue
        try:
            found.append(_expression(each, rows))
        except ExpressionError as error:
            problems[place] = str(error)
    if not found:
        return None, problems
    return reduce(and_ if match == "all" else or_, found), problems


def _expression(given: Filter, rows: Rows) -> Expression:
    if given.property in HIDDEN:
        raise ExpressionError(f'"{given.property}" is hidden from every form; choose another')
    build = OPERATORS.get(given.operator)
    if build is None:
        raise ExpressionError(f'"{given.operator}" is none of {", ".join(OPERATORS)}')
    column = rows.column("user", given.property)
    return build(_Given(given, families_of(column), isinstance(column, Instants)))


@dataclass(frozen=True)
class _Given:
    """A filter, and what types its property holds."""

    filter: Filter
    families: frozenset[Family]
    is_time: bool

    @property
    def cell(self) -> Expression:
        return user[self.filter.property]

    @property
    def what(self) -> str:
        return f'"{display_name(self.filter.property)}"'

    def value(self, text: str | None = None) -> list[Any]:
        """Return what the text may stand for, given the types of the property."""
        text = (self.filter.value if text is None else text).strip()
        read = _read_json(text)
        if isinstance(read, str):
            return [read]
        readings = [] if self.families and "text" not in self.families else [text]
        if read is not None and (_family(read) in self.families or not self.families):
            readings.append(read)
        if not readings:
            raise ExpressionError(f"{self.what} holds {self.kinds}; {text!r} is none")
        return readings

    def element(self) -> list[Any]:
        """Return what the text may stand for as an element of a list."""
        text = self.filter.value.strip()
        read = _read_json(text)
        return [text] if read is None else [read] if isinstance(read, str) else [text, read]

    def number(self) -> float:
        read = _read_json(self.filter.value)
        if read is None or isinstance(read, bool) or not isinstance(read, int | float):
            raise ExpressionError(f"{self.filter.value.strip()!r} is no number, such as 12 or 1.5")
        if self.families and not self.families & NUMBERS:
            raise ExpressionError(
                f'{self.what} holds {self.kinds}, and "{self.filter.operator}" compares numbers. '
                'Use "is", "contains", or "is after" for dates.'
            )
        return read

    def moment(self) -> pd.Timestamp:
        try:
            at = times.timestamp(times.parse_time(self.filter.value.strip()))
        except InvalidTimeError:
            raise ExpressionError(
                f"{self.filter.value.strip()!r} is no date; write 2026-01-31 "
                "or 2026-01-31T12:00 (UTC)"
            ) from None
        assert at is not None
        return at

    @property
    def time(self) -> Expression:
        """The property as a time, whatever it is kept as."""
        return self.cell if self.is_time else self.cell.as_datetime()

    @property
    def kinds(self) -> str:
        named = dict.fromkeys(_MANY[family] for family in _MANY if family in self.families)
        return " and ".join(named)


def _read_json(text: str) -> Any:
    """Return the JSON value that text stands for, None if it is none, or null."""
    try:
        read = json.loads(text.strip())
    except (ValueError, RecursionError):
        return None
    return None if isinstance(read, float) and not isfinite(read) else read


def _family(value: Any) -> Family:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "int"
    return "list" if isinstance(value, list) else "object"


def _is(given: _Given) -> Expression:
    if given.is_time:
        raise ExpressionError(f'{given.what} is a time; use "is on", "is before" or "is after"')
    readings = given.value()
    return given.cell == readings[0] if len(readings) == 1 else given.cell.isin(readings)


def _is_one_of(given: _Given) -> Expression:
    if given.is_time:
        raise ExpressionError(f'{given.what} is a time; use "is on", "is before" or "is after"')
    (texts,) = csv.reader([given.filter.value.replace("\n", " ")], skipinitialspace=True)
    texts = [text for text in texts if text.strip()]
    return given.cell.isin([reading for text in texts for reading in given.value(text)])


def _contains(given: _Given) -> Expression:
    if given.families and not given.families & {"text", "list"}:
        raise ExpressionError(
            f'{given.what} holds {given.kinds}; "contains" looks into text and lists'
        )
    if "list" not in given.families:
        read = _read_json(given.filter.value)
        return given.cell.contains(read if isinstance(read, str) else given.filter.value.strip())
    return reduce(or_, [given.cell.contains(each) for each in given.element()])


def _is_on(given: _Given) -> Expression:
    day = given.moment().normalize()
    following = day + timedelta(days=1)
    return (given.time >= day) & (given.time < following)


#: What a filter can say, each by the words a person chooses it by.
OPERATORS: Final[dict[str, Callable[[_Given], Expression]]] = {
    "is": _is,
    "is not": lambda given: ~_is(given),
    "is one of": _is_one_of,
    "contains": _contains,
    "does not contain": lambda given: ~_contains(given),
    "is set": lambda given: given.cell.is_set(),
    "is not set": lambda given: given.cell.is_not_set(),
    "is more than": lambda given: given.cell > given.number(),
    "is at least": lambda given: given.cell >= given.number(),
    "is less than": lambda given: given.cell < given.number(),
    "is at most": lambda given: given.cell <= given.number(),
    "is on": _is_on,
    "is before": lambda given: given.time < given.moment(),
    "is after": lambda given: given.time > given.moment(),
}

#: Those that need no value.
VALUELESS: Final = frozenset({"is set", "is not set"})

_FOR_NUMBERS: Final = ("is more than", "is at least", "is less than", "is at most")
_FOR_TIMES: Final = ("is on", "is before", "is after")


def operators_for(name: str, rows: Rows) -> list[str]:
    """Return the operators that make sense for a property, given what it holds."""
    try:
        column = rows.column("user", name)
    except ExpressionError:
        return list(OPERATORS)
    if name == LAST_SEEN or isinstance(column, Instants):
        return [*_FOR_TIMES, *sorted(VALUELESS, reverse=True)]
    families = families_of(column)
    if not families:
        return list(OPERATORS)
    left_out: set[str] = set()
    if not families & NUMBERS:
        left_out.update(_FOR_NUMBERS)
    if not families & {"text", "list"}:
        left_out.update(("contains", "does not contain"))
    if "text" not in families:
        left_out.update(_FOR_TIMES)
    if families == {"list"}:
        left_out.add("is one of")
    return [operator for operator in OPERATORS if operator not in left_out]
