"""Lengths of time as a person writes them: "7d", "90 minutes"."""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction
from typing import Final, TypeAlias

import numpy as np
import pandas as pd

from toolkit.base.errors import ReportError
from toolkit.base.values import quoted

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
    "millisecond": 1_000,
    "microsecond": 1,
}
_SHORT: Final = {
    **{"w": "week", "wk": "week", "d": "day", "h": "hour", "hr": "hour"},
    **{"m": "minute", "min": "minute", "s": "second", "sec": "second"},
    **{"ms": "millisecond", "us": "microsecond"},
}
_PART: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.IGNORECASE | re.ASCII)
_WRITTEN: Final = re.compile(f"(?:{_PART.pattern})+", re.IGNORECASE | re.ASCII)
_MONTHS: Final = re.compile(r"\d\s*(M|[Mm]o|[Mm]onths?|[Yy]|[Yy]rs?|[Yy]ears?)\b", re.ASCII)
# Of more, a time and the length after it would leave the calendar.
_MOST: Final = 10_000 * 366 * _UNITS["day"]


def as_duration(duration: object, role: str) -> int:
    """Return a length of time in microseconds.

    Parameters
    ----------
    duration
        What :func:`length` reads.
    role
        What it is called in an error.

    Raises
    ------
    ReportError
        If it is not a length of time, negative, or of more than 10,000 years.

    Examples
    --------
    >>> as_duration("90min", "window") == as_duration("1.5 hours", "window") == 5_400_000_000
    True
    """
    microseconds = length(duration)
    if microseconds is None:
        raise ReportError(f"{role}={quoted(duration)} is not a length of time; {advice(duration)}")
    if not 0 <= microseconds <= _MOST:
        raise ReportError(f"{role}={duration!s}; give one from 0 to 10,000 years")
    return microseconds


def length(duration: object) -> int | None:
    """Return a length of time in microseconds, None if it is not one.

    The one place that reads them (DURATION), whether as ``window=``, ``gap=``, ``grace=``,
    ``within=`` or ``keep=``.

    Parameters
    ----------
    duration
        Numbers and units such as ``"7d"``, ``"12 hours"``, ``"90min"``, ``"1h 30m"`` or
        ``"2w"``; or a ``timedelta``. A day has 24 hours.

    Examples
    --------
    >>> length("2 weeks") == length("14d"), length("90ms"), length("1 month")
    (True, 90000, None)
    """
    if isinstance(duration, str) and _WRITTEN.fullmatch(duration) and not _MONTHS.search(duration):
        parts = [_part(number, unit) for number, unit in _PART.findall(duration)]
        whole = None if None in parts else sum(filter(None, parts), Fraction())
        return int(whole) if whole is not None and whole.denominator == 1 else None
    if isinstance(duration, np.timedelta64) and not pd.isna(duration):
        try:
            duration = pd.Timedelta(duration)
        except ValueError:  # without a unit, or beyond what pandas holds
            return None
    if isinstance(duration, timedelta):
        microseconds, rest = divmod(duration, timedelta(microseconds=1))
        return None if rest else int(microseconds)
    return None


def _part(number: str, unit: str) -> Fraction | None:
    unit = unit.lower()
    unit = unit if unit in _SHORT else unit.removesuffix("s")
    unit = _SHORT.get(unit, unit)
    return Fraction(number) * _UNITS[unit] if unit in _UNITS else None


def advice(duration: object) -> str:
    """Return what to write in place of what is not a length of time."""
    if isinstance(duration, str) and _MONTHS.search(duration):
        return 'months and years differ in length, so give days, such as "30d" or "365d"'
    return 'give "7d", "12h", "30min", "45s", "2w" or a timedelta'


def in_words(microseconds: int) -> str:
    """Return a length of time in the largest unit that it is a whole number of.

    >>> in_words(7 * 86_400_000_000), in_words(5_400_000_000), in_words(1_500_000)
    ('7 days', '90 minutes', '1.5 seconds')
    """
    for unit in ("day", "hour", "minute", "second"):  # two weeks are called 14 days
        if microseconds and microseconds % _UNITS[unit] == 0:
            number = microseconds // _UNITS[unit]
            return f"{number:,} {unit}{'' if number == 1 else 's'}"
    return f"{microseconds / 1_000_000:g} seconds"
