"""Times: read as unix seconds, unix milliseconds or ISO 8601, kept as microseconds UTC."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from toolkit.errors import InvalidTimeError
from toolkit.values import glimpse

#: Marks "no time" in an array of microseconds (the value numpy uses for NaT).
NO_TIME: Final = int(np.iinfo(np.int64).min)

# A number this large is milliseconds: as seconds it would be the year 5138,
# as milliseconds it is March 1973.
_MILLISECONDS_FROM: Final = 100_000_000_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ALLOWED: Final = "unix seconds, unix milliseconds or ISO 8601 text are"


def now() -> int:
    """Return the time of this moment, in microseconds since 1970 UTC."""
    return (datetime.now(UTC) - _EPOCH) // _MICROSECOND


def parse_time(value: object) -> int:
    """Return a time in microseconds since 1970 UTC.

    Parameters
    ----------
    value
        A number of seconds, or of milliseconds from 100,000,000,000 on; ISO 8601
        text; a ``datetime``, ``date`` or ``pandas.Timestamp``. Without a time zone
        it is UTC.

    Raises
    ------
    InvalidTimeError
        If it is none of these, or not between the years 1 and 9999.

    Examples
    --------
    >>> parse_time(1) == parse_time("1970-01-01T00:00:01Z") == 1_000_000
    True
    >>> parse_time(1_700_000_000) == parse_time(1_700_000_000_000)
    True
    """
    try:
        if isinstance(value, str):
            text = value.strip()
            if text.isdigit() and len(text) > len("20260131"):
                # ISO 8601 would read the seconds of 2026 as a day of the year 1767.
                raise InvalidTimeError(f"{text!r} is text; send unix time as a number")
            return _microseconds(datetime.fromisoformat(text))
        if isinstance(value, bool | np.bool_) or value is None or value is pd.NaT:
            raise InvalidTimeError(f"{value!r} is no time; {_ALLOWED}")
        if isinstance(value, int | float | np.integer | np.floating):
            return _from_number(value)
        if isinstance(value, pd.Timestamp):
            return _microseconds(value.to_pydatetime(warn=False))
        if isinstance(value, datetime):
            return _microseconds(value)
        if isinstance(value, date):
            return _microseconds(datetime(value.year, value.month, value.day))
        if isinstance(value, np.datetime64):
            return _microseconds(pd.Timestamp(value).to_pydatetime(warn=False))
    except (ValueError, OverflowError) as error:
        if isinstance(error, InvalidTimeError):
            raise
    raise InvalidTimeError(f"{glimpse(value)!r} is no time; {_ALLOWED}")


def _from_number(value: float | np.integer | np.floating) -> int:
    number = float(value)
    if not math.isfinite(number):
        raise InvalidTimeError(f"{value!r} is no time; {_ALLOWED}")
    unit = 1_000 if abs(number) >= _MILLISECONDS_FROM else 1_000_000
    if isinstance(value, int | np.integer):
        microseconds = int(value) * unit
    else:
        microseconds = round(number * unit)
    _EPOCH + timedelta(microseconds=microseconds)  # refuses years past 9999
    return microseconds


def _microseconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    microseconds = (moment - _EPOCH) // _MICROSECOND
    _EPOCH + timedelta(microseconds=microseconds)  # a zone may lead out of the calendar
    return microseconds


def iso(microseconds: int) -> str:
    """Return microseconds since 1970 UTC as ISO 8601 text.

    >>> iso(0), iso(1_500_000)
    ('1970-01-01T00:00:00Z', '1970-01-01T00:00:01.500000Z')
    """
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.isoformat().replace("+00:00", "Z")


def timestamp(microseconds: int) -> pd.Timestamp | None:
    """Return microseconds since 1970 UTC as a Timestamp in UTC, NO_TIME as None."""
    if microseconds == NO_TIME:
        return None
    return pd.Timestamp(_EPOCH + timedelta(microseconds=microseconds)).as_unit("us")
