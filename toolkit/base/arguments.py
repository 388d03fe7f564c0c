"""Checks of arguments that are one word of several, or yes or no."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, TypeVar

import numpy as np

from toolkit.base.errors import ReportError, ToolkitError
from toolkit.base.values import quoted
from toolkit.base.wording import listed

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
    toolkit.errors.ReportError: unit='dya' is unknown; allowed are day, week
    """
    if (value is None or isinstance(value, str)) and value in allowed:
        return value
    raise error(f"{name}={quoted(value)} is unknown; allowed are {listed(map(str, allowed))}")


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
