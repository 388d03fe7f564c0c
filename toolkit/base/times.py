"""Times: read as unix seconds, unix milliseconds or ISO 8601, kept as microseconds UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base.errors import InvalidTimeError
from toolkit.base.values import glimpse

Microseconds: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

#: Marks "no time" in an array of microseconds (the value numpy uses for NaT).
NO_TIME: Final = int(np.iinfo(np.int64).min)

# A number is a time if it is one from 1980 until before 2100 (TIME-1): a factor to
# microseconds, and the first and the last number of the unit. No two units overlap.
_UNITS: Final = tuple(
    (factor, 315_532_800 * 1_000_000 // factor, 4_102_444_800 * 1_000_000 // factor)
    for factor in (1_000_000, 1_000)
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NUMBERS: Final = (int, float, np.integer, np.floating)
#: How a time is written.
EXAMPLE: Final = "2026-05-01T12:00:00Z"
_ALLOWED: Final = f'unix seconds, unix milliseconds or ISO 8601 text are, such as "{EXAMPLE}"'

# A date, and a time after it. Python itself would read 2026-05-01-0500 as five o'clock.
_ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d|\d{8}|\d{4}-?W\d\d(?:-?\d)?)(?:[T ]\d.*)?", re.ASCII | re.IGNORECASE
)
# "Fri, 05 Jan 2024 12:00:00+00:00", for Python and for pyarrow.
_OF_HTTP: Final = (
    r"(?i)^[A-Z]{3}, (?P<day>[0-9]{1,2}) (?P<month>[A-Z]{3}) (?P<year>[0-9]{4}) "
    r"(?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2}) ?(?P<zone>[+-][0-9]{2}:?[0-9]{2})$"
)
_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
#: Patterns and replacements that bring the zone of a time into the one form that all
#: readers know; for Python and for pyarrow (TIME-2).
ZONE_FORMS: Final = (
    (r"(?i)\s*(?:[+-]00:?00)?\s*(?:UTC|GMT|Z)$", "+00:00"),
    (r"\s+([+-]\d\d:?\d\d)$", r"\1"),
    (r"^(\d{4}-\d\d-\d\d)([+-]\d\d:?\d\d)$", r"\1T00:00:00\2"),
)


def now() -> int:
    """Return the time of this moment, in microseconds since 1970 UTC."""
    return (datetime.now(UTC) - _EPOCH) // _MICROSECOND


def parse_time(value: object) -> int:
    """Return a time in microseconds since 1970 UTC.

    Parameters
    ----------
    value
        A number of seconds or milliseconds that is a time from 1980 until before 2100
        (TIME-1); ISO 8601 text; a ``datetime``, ``date`` or ``pandas.Timestamp``.
        Without a time zone it is UTC (TIME-2).

    Raises
    ------
    InvalidTimeError
        If it is none of these, or not between the years 1 and 9999.

    Examples
    --------
    >>> parse_time("1970-01-01T00:00:01Z"), parse_time("1970-01-01 00:00:01 UTC")
    (1000000, 1000000)
    >>> parse_time(1_700_000_000) == parse_time(1_700_000_000_000)
    True
    >>> parse_time(45292)
    Traceback (most recent call last):
    ...
    toolkit.errors.InvalidTimeError: 45292 is not a unix time from 1980 to 2100. It looks like the \
Excel date 2024-01-01; give "2024-01-01", as text
    """
    try:
        if isinstance(value, str):
            return _microseconds(parse_text(value))
        if isinstance(value, bool | np.bool_) or value is None or value is pd.NaT:
            raise InvalidTimeError(f"{value!r} is not a time; {_ALLOWED}")
        if isinstance(value, _NUMBERS) and not isinstance(value, np.timedelta64):
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
    raise InvalidTimeError(f"{glimpse(value)!r} is not a time; {_ALLOWED}")


def parse_text(text: str) -> datetime:
    """Return the time that a text names, without a zone if it names none (TIME-2).

    Raises
    ------
    ValueError
        If it names none.

    Examples
    --------
    >>> parse_text("2026-05-01 12:00:00 UTC").isoformat(), parse_text("2026-05-01").isoformat()
    ('2026-05-01T12:00:00+00:00', '2026-05-01T00:00:00')
    """
    bare = text.strip()
    if bare.isdigit() and len(bare) > len("20260131"):
        # ISO 8601 would read the seconds of 2026 as a day of the year 1767.
        raise InvalidTimeError(f"{glimpse(bare)!r} is text; send unix time as a number")
    for pattern, replacement in ZONE_FORMS:
        bare = re.sub(pattern, replacement, bare, flags=re.ASCII)
    if (http := re.match(_OF_HTTP, bare, re.ASCII)) and http["month"].lower() in _MONTHS:
        month = _MONTHS.index(http["month"].lower()) + 1
        bare = f"{http['year']}-{month:02}-{http['day']:0>2}T{http['time']}{http['zone']}"
    if not _ISO.fullmatch(bare):
        raise ValueError(f"{glimpse(text)!r} is not a time")
    return datetime.fromisoformat(bare)


def http_as_iso(texts: pa.Array) -> pa.Array:
    """Return texts in which a date of HTTP is ISO 8601, with a zone such as ``+00:00``.

    >>> http_as_iso(pa.array(["Fri, 5 Jan 2024 12:00:00+00:00", "x"])).to_pylist()
    ['2024-01-05T12:00:00+00:00', 'x']
    """
    parts = pc.extract_regex(texts, pattern=_OF_HTTP)
    if parts.null_count == len(parts):
        return texts
    day, month, year, time, zone = parts.flatten()
    numbers = pa.array([f"{at:02}" for at in range(1, 13)], texts.type)
    at = pc.index_in(pc.utf8_lower(month), value_set=pa.array(_MONTHS, texts.type))
    date = pc.binary_join_element_wise(
        year, numbers.take(at), pc.utf8_lpad(day, 2, padding="0"), pa.scalar("-", texts.type)
    )
    joined = pc.binary_join_element_wise(date, time, pa.scalar("T", texts.type))
    return pc.coalesce(pc.binary_join_element_wise(joined, zone, pa.scalar("", texts.type)), texts)


def of_numbers(numbers: Any) -> Microseconds:
    """Return a column of numbers as times, NO_TIME where one is not a time (TIME-1).

    As :func:`parse_time` reads one of them.

    Parameters
    ----------
    numbers
        An array of integers or floats.

    Examples
    --------
    >>> of_numbers(np.array([1_700_000_000, 20240105])) == [parse_time(1_700_000_000), NO_TIME]
    array([ True,  True])
    """
    is_float = numbers.dtype.kind == "f"
    # What is beyond int64 becomes negative, and is as little a time as before.
    numbers = numbers.astype(np.float64 if is_float else np.int64, copy=False)
    moments: Microseconds | None = None
    for factor, first, end in _UNITS:
        fits = (numbers >= first) & (numbers < end)  # false of NaN
        is_whole = bool(fits.all())
        some = numbers if is_whole else numbers[fits]
        exact: Microseconds = some * factor
        if is_float:
            exact = np.rint(exact).astype(np.int64)
        if is_whole:
            return exact
        if moments is None:
            moments = np.full(len(numbers), NO_TIME, np.int64)
        moments[fits] = exact
    assert moments is not None
    return moments


def _from_number(value: float | np.integer | np.floating) -> int:
    for factor, first, end in _UNITS:
        if first <= value < end:
            is_whole = isinstance(value, int | np.integer)
            return int(value) * factor if is_whole else round(float(value) * factor)
    raise InvalidTimeError(no_time(value))


def no_time(number: object, column: str | None = None) -> str:
    """Return why a number is not a time, and what was probably meant (TIME-1).

    Parameters
    ----------
    number
        What was given.
    column
        Where it is in a DataFrame, in Python; None if it is alone.

    Examples
    --------
    >>> no_time(20240105, 'df["time"]')
    '20240105 is not a unix time from 1980 to 2100. It looks like the date 2024-01-05; \
give pd.to_datetime(df["time"].astype("Int64").astype("string"), format="%Y%m%d")'
    """
    said = f"{glimpse(number)} is not a unix time from 1980 to 2100"
    meant = _meant(number)
    if meant is None:
        return f"{said}, neither in seconds nor in milliseconds"
    looks, text, how = meant
    advice = f'give "{text}", as text' if column is None else f"give pd.to_datetime({column}{how})"
    return f"{said}. It looks like {looks} {text}; {advice}"


# What dates are written as without a separator, and what they are then called.
_DIGITS: Final = (
    ("%Y%m%d", 8, "the date", "%Y-%m-%d"),
    ("%d%m%Y", 8, "the date", "%Y-%m-%d"),
    ("%Y%m%d%H%M", 12, "the time", "%Y-%m-%dT%H:%M"),
    ("%Y%m%d%H%M%S", 14, "the time", "%Y-%m-%dT%H:%M:%S"),
    ("%Y%m", 6, "the month of", "%Y-%m-%d"),
    ("%Y", 4, "the year of", "%Y-%m-%d"),
)


def _meant(number: Any) -> tuple[str, str, str] | None:
    """Return what a number looks like, as text, and how pandas reads a column of them."""
    if not 0 <= number <= _LARGEST:  # nor NaN
        return None
    is_whole = number == int(number)
    for form, length, looks, written in _DIGITS if is_whole else ():
        try:
            moment = datetime.strptime(str(int(number)).zfill(length), form)
        except ValueError:
            continue
        if len(str(int(number))) == length and 1900 <= moment.year < 2100:
            return (
                looks,
                moment.strftime(written),
                f'.astype("Int64").astype("string"), format="{form}"',
            )
    if 29_221 <= number < 73_051:  # days of Excel, from 1980 until before 2100
        moment = datetime(1899, 12, 30) + timedelta(days=float(number))
        text = moment.strftime("%Y-%m-%d" if is_whole else "%Y-%m-%dT%H:%M:%S")
        return "the Excel date", text, ', unit="D", origin="1899-12-30"'
    for unit, name, divisor in (("us", "microseconds", 1), ("ns", "nanoseconds", 1_000)):
        microseconds = int(number) // divisor
        if _UNITS[0][1] * 1_000_000 <= microseconds < _UNITS[0][2] * 1_000_000:
            return f"the unix {name} of", iso(microseconds), f', unit="{unit}", utc=True'
    return None


# Nanoseconds of the year 2100.
_LARGEST: Final = 4_102_444_800 * 10**9


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
