"""Lengths of time as a person writes them: "7d", "90 minutes"."""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction
from typing import Final, TypeAlias

import numpy as np
import pandas as pd

from toolkit.errors import ReportError

#: What a report takes as a length of time.
Duration: TypeAlias = str | timedelta

#: A day, in microseconds.
DAY: Final = 86_400_000_000

_UNITS: Final[dict[str, int]] = {
    "week": 604_800_000_000,
    "day": DAY,
    "hour": 3_600_000_000,
    "minute": 60_000_000,
    "second": 1_000_000,
}
_SHORT: Final = {
    "w": "week",
    "d": "day",
    "h": "hour",
    "m": "minute",
    "min": "minute",
    "s": "second",
}
_WRITTEN: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.IGNORECASE | re.ASCII)
# Of more, a time and the length after it would leave the calendar.
_MOST: Final = 10_000 * 366 * _UNITS["day"]


def as_duration(given: object, role: str) -> int:
    """Return a length of time in microseconds.

    Parameters
    ----------
    given
        A number and a unit such as ``"7d"``, ``"12 hours"``, ``"90min"`` or ``"2w"``; or a
        ``timedelta``. A day has 24 hours.
    role
        What it is called in an error.

    Raises
    ------
    ReportError
        If it is neither, or negative.

    Examples
    --------
    >>> as_duration("90min", "window") == as_duration("1.5 hours", "window") == 5_400_000_000
    True
    """
    length: int | None = None
    if isinstance(given, str) and (found := _WRITTEN.fullmatch(given)):
        unit = found[2].lower()
        unit = _SHORT.get(unit, unit.removesuffix("s"))
        if unit in _UNITS:
            length = int(Fraction(found[1]) * _UNITS[unit])
    elif isinstance(given, timedelta | np.timedelta64) and not pd.isna(given):
        length = pd.Timedelta(given) // pd.Timedelta(1, "us")
    if length is None:
        raise ReportError(
            f"{role}={given!r} is no length of time; "
            'give "7d", "12h", "30min", "45s", "2w" or a timedelta'
        )
    if not 0 <= length <= _MOST:
        raise ReportError(f"{role}={given!s}; give one from 0 to 10,000 years")
    return length


def in_words(microseconds: int) -> str:
    """Return a length of time in the largest unit that it is a whole number of.

    >>> in_words(7 * 86_400_000_000), in_words(5_400_000_000), in_words(1_500_000)
    ('7 days', '90 minutes', '1.5 seconds')
    """
    for unit, length in _UNITS.items():
        # Two weeks are called 14 days.
        if unit != "week" and microseconds and microseconds % length == 0:
            number = microseconds // length
            return f"{number:,} {unit}{'' if number == 1 else 's'}"
    return f"{microseconds / 1_000_000:g} seconds"
