"""Conditions as a person puts them together: a property, an operator, a value typed in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias

import pandas as pd

from toolkit.base import ArgumentError, InvalidTimeError, Json, dumps, listed, loads, parse_time
from toolkit.expressions import Expression, Members, Property, literal
from toolkit.reports.form.choices import Suggestions, Type

#: How many values an operator takes.
Takes: TypeAlias = Literal["none", "one", "several"]


@dataclass(frozen=True)
class ConditionOperator:
    """A comparison a person may choose.

    Attributes
    ----------
    name
        What it reads as between the property and the value; the operator goes by it.
    takes
        How many values it needs.
    build
        Returns the condition on a property (or cohort) and its value, or the list of its values.
    """

    name: str
    takes: Takes
    build: Callable[[Any, Any], Expression]


def _until(prop: Property, value: Any) -> Expression:
    """Return the condition that a time is not after another; of a day, not after its end."""
    text, moment = value
    return prop < _time(_next_day(moment)) if _is_day(text) else prop <= _time(text)


def _on(prop: Property, value: Any) -> Expression:
    """Return the condition that a time is another; of a day, that it is within it."""
    text, moment = value
    if not _is_day(text):
        return prop == _time(text)
    return (prop >= _time(text)) & (prop < _time(_next_day(moment)))


def _after(prop: Property, value: Any) -> Expression:
    """Return the condition that a time is after another; of a day, after its end."""
    text, moment = value
    return prop >= _time(_next_day(moment)) if _is_day(text) else prop > _time(text)


def _is_day(text: str) -> bool:
    return ":" not in text and "T" not in text.upper()


def _next_day(moment: int) -> str:
    return f"{pd.Timestamp(moment, unit='us') + timedelta(days=1):%Y-%m-%d}"


def _time(text: str) -> Expression:
    return literal(text).as_datetime()


_SET: Final = (
    ConditionOperator("is set", "none", lambda prop, _: prop.is_set()),
    ConditionOperator("is not set", "none", lambda prop, _: prop.is_not_set()),
)
# What is not set is in neither of two opposites, as with != (EXPR-3).
_EQUAL: Final = (
    ConditionOperator("is", "one", lambda prop, value: prop == value),
    ConditionOperator("is not", "one", lambda prop, value: prop != value),
    ConditionOperator("is one of", "several", lambda prop, values: prop.isin(values)),
    ConditionOperator(
        "is none of", "several", lambda prop, values: prop.is_set() & ~prop.isin(values)
    ),
)
_ORDER: Final = (
    ConditionOperator("<", "one", lambda prop, value: prop < value),
    ConditionOperator("≤", "one", lambda prop, value: prop <= value),
    ConditionOperator(">", "one", lambda prop, value: prop > value),
    ConditionOperator("≥", "one", lambda prop, value: prop >= value),
)
_CONTAINS: Final = (
    ConditionOperator("contains", "one", lambda prop, value: prop.contains(value)),
    ConditionOperator(
        "does not contain", "one", lambda prop, value: prop.is_set() & ~prop.contains(value)
    ),
)
_TIMES: Final = (
    ConditionOperator("is on or after", "one", lambda prop, value: prop >= _time(value[0])),
    ConditionOperator("is before", "one", lambda prop, value: prop < _time(value[0])),
    ConditionOperator("is on or before", "one", _until),
    ConditionOperator("is after", "one", _after),
    ConditionOperator("is on", "one", _on),
)
_FOR_TIMES: Final = frozenset(each.name for each in _TIMES)
_LISTS: Final = (
    ConditionOperator("has", "one", lambda prop, value: prop.any() == value),
    ConditionOperator(
        "does not have", "one", lambda prop, value: prop.is_set() & ~(prop.any() == value)
    ),
    ConditionOperator("has one of", "several", lambda prop, values: prop.any().isin(values)),
    ConditionOperator("has only", "one", lambda prop, value: prop.all() == value),
)
_BOOLEANS: Final = (
    ConditionOperator("is true", "none", lambda prop, _: prop == True),  # noqa: E712
    ConditionOperator("is false", "none", lambda prop, _: prop == False),  # noqa: E712
)

_COHORTS: Final = (
    ConditionOperator("includes the user", "none", lambda cohort, _: cohort),
    ConditionOperator("does not include the user", "none", lambda cohort, _: ~cohort),
)

_OPERATORS: Final[dict[Type, tuple[ConditionOperator, ...]]] = {
    "text": (*_EQUAL, *_CONTAINS, *_SET),
    "number": (*_EQUAL, *_ORDER, *_SET),
    "boolean": (*_BOOLEANS, *_SET),
    "time": (*_TIMES, *_SET),
    "list": (*_LISTS, *_SET),
    "object": _SET,
    "mixed": (*_EQUAL, *_ORDER, *_CONTAINS, *_SET),
    "none": (*_EQUAL, *_CONTAINS, *_SET),
    "cohort": _COHORTS,
}


def operators(known: Suggestions) -> tuple[ConditionOperator, ...]:
    """Return the operators that fit a property, the most usual first.

    Where some of its text is dates and some is not, both can be asked for.

    >>> some_dates = Suggestions("text", "none", (), has_dates=True)
    >>> "is before" in [each.name for each in operators(some_dates)]
    True
    """
    fitting = _OPERATORS[known.type]
    if not known.has_dates or known.type not in ("text", "mixed"):
        return fitting
    return (*fitting[: -len(_SET)], *_TIMES, *_SET)


def condition(
    prop: Property | Members, operator: str, typed: str, known: Suggestions
) -> Expression:
    """Return the condition that a person chose.

    Text is taken without the white space around it; in straight double quotes it is
    taken as it is there, so ``""`` is the empty text. Several values are side by
    side with commas between.

    Parameters
    ----------
    prop
        The property, or the cohort.
    operator
        The name of an operator that fits its type.
    typed
        The value, as typed.
    known
        What is known of the property.

    Raises
    ------
    ArgumentError
        If the operator does not fit, or the value is none of the type.

    Examples
    --------
    >>> from toolkit import event, user
    >>> numbers = Suggestions("number", "none", ())
    >>> condition(event["amount"], "≥", " 10 ", numbers)
    event["amount"] >= 10
    >>> texts = Suggestions("text", "none", ())
    >>> condition(user["plan"], "is one of", 'pro, "team, large"', texts)
    user["plan"] in ["pro", "team, large"]
    """
    fitting = {each.name: each for each in operators(known)}
    if operator not in fitting:
        raise ArgumentError(f'"{operator}" does not fit {_A[known.type]}; choose {listed(fitting)}')
    chosen = fitting[operator]
    type_ = known.type
    if type_ == "list":  # dates in lists are compared as the text they are
        type_ = "text" if known.element == "time" else known.element
    if operator in _FOR_TIMES:
        type_ = "time"
    if chosen.takes == "none":
        return chosen.build(prop, None)
    if chosen.takes == "one":
        return chosen.build(prop, _read(typed, type_))
    return chosen.build(prop, [_read(each, type_) for each in _split(typed)])


_A: Final[dict[Type, str]] = {
    "text": "text",
    "number": "a number",
    "boolean": "a boolean",
    "time": "a time",
    "list": "a list",
    "object": "an object",
    "mixed": "values of several types",
    "none": "a property without values",
    "cohort": "a cohort",
}


def _read(typed: str, type_: Type) -> Any:
    text = typed.strip()
    if not text:
        raise ArgumentError('give a value; write "" for the empty text')
    if type_ == "number":
        return _number(text)
    if type_ == "boolean":
        if text.lower() not in ("true", "false"):
            raise ArgumentError(f"{_quoted(text)} is neither true nor false")
        return text.lower() == "true"
    if type_ == "time":
        try:
            return text, parse_time(text)
        except InvalidTimeError:
            raise ArgumentError(
                f"{_quoted(text)} is not a date; write 2026-01-31 or 2026-01-31T12:00"
            ) from None
    if type_ == "mixed":
        value = _json(text)
        return text if value is None or isinstance(value, list | dict) else value
    if len(text) > 1 and text[0] == text[-1] == '"':
        value = _json(text)
        return value if isinstance(value, str) else text
    return text


def _number(text: str) -> Json:
    value = _json(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ArgumentError(f"{_quoted(text)} is not a number; write 12 or 2.5")
    return value


def _json(text: str) -> Json:
    """Return the JSON value that a text writes, None if it is not one."""
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return None


_PART: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*")\s*(?:,|\Z)|([^,]*)(?:,|\Z)', re.DOTALL)


def _split(typed: str) -> list[str]:
    """Return the parts between commas, those in quotes with their quotes."""
    parts, at = [], 0
    while at <= len(typed):
        match = _PART.match(typed, at)
        assert match is not None  # its second half matches anything
        quoted, plain = match.groups()
        if plain is not None and plain.lstrip().startswith('"'):
            raise ArgumentError('the quotes are not closed; write a, b, "c, d"')
        parts.append(plain if quoted is None else quoted)
        if not match.group().endswith(",") or match.end() == at:
            break
        at = match.end()
    # A comma at the end is one that somebody was about to go on after.
    return parts if len(parts) == 1 or parts[-1].strip() else parts[:-1]


def _quoted(text: str) -> str:
    return f'"{text[:40]}"'


def spelled(value: Json, type_: Type, *, among_several: bool = False) -> str:
    """Return what to type for a value of a property of some type.

    >>> spelled("pro", "text"), spelled("", "text"), spelled("7", "text"), spelled("7", "mixed")
    ('pro', '""', '7', '"7"')
    >>> spelled("a, b", "text", among_several=True)
    '"a, b"'
    """
    if not isinstance(value, str):
        return dumps(value)
    is_plain = value and value.strip() == value and value[0] != '"'
    reads_as_another = type_ == "mixed" and _json(value) is not None
    if not is_plain or reads_as_another or (among_several and set(value) & {",", '"'}):
        return dumps(value)
    return value
