"""Python objects as the JSON values and times that may be in an expression."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from toolkit.base import (
    ExpressionError,
    InvalidTimeError,
    InvalidValueError,
    Json,
    as_json,
    quoted,
    times,
)


def as_literal(value: object) -> Json:
    """Return *value* as JSON.

    Raises
    ------
    ExpressionError
        If it is not one.
    """
    try:
        return as_json(value)
    except InvalidValueError as error:
        hint = "; text, finite numbers, True, False, None, lists, dicts and times are"
        if isinstance(value, float | np.floating):
            hint = "; use .is_set() or .is_not_set()"
        elif isinstance(value, str) or value is pd.NA:
            hint = ""
        raise ExpressionError(f"{error}{hint}") from None


def is_time(value: object) -> bool:
    """Return whether *value* is a date or time of Python, numpy or pandas."""
    return isinstance(value, date | np.datetime64)  # Timestamp and NaT are dates, too


def time_text(value: object) -> str:
    """Return a date or time as ISO 8601 text in UTC.

    >>> time_text(date(2026, 1, 31))
    '2026-01-31T00:00:00Z'
    """
    try:
        if pd.isna(value):  # type: ignore[call-overload]
            raise ExpressionError("NaT is not a time; use .is_set() or .is_not_set()")
        return times.iso(times.parse_time(value))
    except (InvalidTimeError, OverflowError):
        raise ExpressionError(f"{shown(value)} is not between the years 1 and 9999") from None


def check_time(value: Json) -> None:
    """Raise ExpressionError if *value* is a text or a number that is not a time."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return
    try:
        times.parse_time(value)
    except InvalidTimeError as error:
        if not isinstance(value, str):
            raise ExpressionError(str(error)) from None
        raise ExpressionError(
            f"{shortened(repr(value))} is not a time; ISO 8601 text is, such as "
            '"2026-01-31" or "2026-01-31T12:00:00Z"'
        ) from None


def nesting(value: Json) -> int:
    """Return how deep lists and objects are nested.

    >>> nesting(1), nesting([]), nesting([{"a": 1}])
    (0, 1, 2)
    """
    if isinstance(value, list):
        return 1 + max(map(nesting, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(nesting, value.values()), default=0)
    return 0


def shown(value: object) -> str:
    """Return a value and its type for an error message."""
    return f"{shortened(quoted(value))} ({type(value).__name__})"


def shortened(text: str) -> str:
    """Return the beginning of a long text."""
    return text if len(text) <= 60 else f"{text[:59]}…"
