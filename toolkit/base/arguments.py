"""Checks of arguments that are one word of several, or yes or no."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, TypeVar

import numpy as np
import pandas as pd

from toolkit.base.errors import ArgumentError, ReportError, SwappedError, ToolkitError
from toolkit.base.values import dumps, glimpse, quoted
from toolkit.base.wording import did_you_mean, listed

_Choice = TypeVar("_Choice")

_MOST: Final = 10**9


def check_choice(
    name: str,
    value: _Choice,
    allowed: Collection[Any],
    error: type[ToolkitError] = ReportError,
) -> _Choice:
    """Return an argument that is one of the words allowed, or None if that is one of them.

    Raises
    ------
    ToolkitError
        An *error*, if it is anything else: of whatever type, a DataFrame or a list too.

    Examples
    --------
    >>> check_choice("unit", "day", ("day", "week"))
    'day'
    >>> check_choice("unit", "dya", ("day", "week"))
    Traceback (most recent call last):
    ...
    toolkit.errors.ReportError: unit='dya' is unknown; allowed are day, week. Did you mean "day"?
    """
    if (value is None or isinstance(value, str)) and value in allowed:
        return value
    words = [each for each in allowed if isinstance(each, str)]
    meant = did_you_mean(glimpse(value), words) if isinstance(value, str) else ""
    message = f"{name}={quoted(value)} is unknown; allowed are {listed(map(str, allowed))}"
    raise error(f"{message}.{meant}" if meant else message)


def check_not_swapped(name: str, value: object) -> None:
    """See that the argument *name*, ``"events"`` or ``"profiles"``, is not the other of both.

    Raises
    ------
    SwappedError
        If it is.
    ArgumentError
        If the profiles are text: an event, or the name of a file.
    """
    # The rooms that know both are above: events have columns, and profiles a snapshot.
    is_events = isinstance(value, pd.DataFrame) or hasattr(value, "event_column")
    if name == "profiles" and isinstance(value, pd.DataFrame) and value.index.name == "distinct_id":
        raise SwappedError("profiles is a DataFrame of profiles; give the ProfileTable itself")
    if name == "profiles" and isinstance(value, str):
        is_file = value.endswith((".db", ".sqlite"))
        raise ArgumentError(
            f"profiles={quoted(value)} is text; "
            + (
                f"give tk.ProfileTable({dumps(value)})"
                if is_file
                else "after the events comes a ProfileTable, or None for a report without profiles"
            )
        )
    if hasattr(value, "snapshot") if name == "events" else is_events:
        needed = {"events": "Events or a DataFrame are", "profiles": "a ProfileTable is"}[name]
        raise SwappedError(
            f"{name} is of type {type(value).__name__}; {needed} needed. "
            "Did you swap events and profiles?"
        )


def check_flag(name: str, value: object, error: type[ToolkitError] = ReportError) -> bool:
    """Return an argument that is yes or no.

    Raises
    ------
    ToolkitError
        An *error*, if it is neither True nor False.

    Examples
    --------
    >>> check_flag("collapse", True)
    True
    >>> check_flag("collapse", "no")
    Traceback (most recent call last):
    ...
    toolkit.errors.ReportError: collapse='no'; True or False is needed
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise error(f"{name}={quoted(value)}; True or False is needed")


def is_whole(number: object) -> bool:
    """Whether something is an integer, of Python or NumPy, and no boolean."""
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def check_number(name: str, value: int | None) -> int | None:
    """Return how many of something are wanted, None for as many as are usual.

    Raises
    ------
    ReportError
        If it is not a whole number from 1 to a billion.

    Examples
    --------
    >>> check_number("top", "5")
    Traceback (most recent call last):
    ...
    toolkit.errors.ReportError: top='5'; give a whole number from 1 to 1,000,000,000, or None
    """
    if value is None or (is_whole(value) and 1 <= value <= _MOST):
        return value
    raise ReportError(
        f"{name}={quoted(value):.40}; give a whole number from 1 to 1,000,000,000, or None"
    )
