"""The time range of a report and its buckets: hours to years of the local calendar."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias, get_args
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from toolkit.base import InvalidTimeError, ReportError, check_choice, glimpse, quoted, times
from toolkit.columns import Positions, series

Unit: TypeAlias = Literal["hour", "day", "week", "month", "quarter", "year"]
#: What a report takes as the start or the end of its range.
Moment: TypeAlias = str | date | datetime | int | float

#: A report has no more buckets, and its table no more rows.
MOST_ROWS: Final = 2_000_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = 86_400_000_000
_STEPS: Final[dict[Unit, str]] = {
    "hour": "h",
    "day": "D",
    "week": "W-MON",
    "month": "MS",
    "quarter": "QS",
    "year": "YS",
}
_SHORTEST: Final[dict[Unit, timedelta]] = {
    "hour": timedelta(hours=1),
    "day": timedelta(hours=23),
    "week": timedelta(days=6),
    "month": timedelta(days=27),
    "quarter": timedelta(days=89),
    "year": timedelta(days=364),
}
# A lookup table of this many entries still fits beside ten million events.
_FINEST: Final = 2**24


def as_zone(tz: str | tzinfo | None) -> tzinfo:
    """Return a time zone; None is UTC.

    Raises
    ------
    ReportError
        If *tz* names none.
    """
    if tz is None:
        return UTC
    if isinstance(tz, tzinfo):
        return tz
    if isinstance(tz, str):
        with suppress(KeyError, ValueError, OSError):
            return UTC if tz == "UTC" else ZoneInfo(tz)
    raise ReportError(
        f'tz={quoted(tz)} is not a time zone; give a name such as "Europe/Oslo" or "UTC"'
    )


def as_unit(unit: str | None) -> Unit | None:
    """Return the unit.

    Raises
    ------
    ReportError
        If there is no such unit.
    """
    return check_choice("unit", unit, (*get_args(Unit), None))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Periods:
    """A time range, cut into buckets.

    Attributes
    ----------
    start, end
        The range in microseconds since 1970 UTC; *end* is no longer part of it.
    edges
        ``int64``, ascending: where each bucket starts, and last where the last one
        ends. The first and the last bucket may reach beyond the range.
    unit
        None for one bucket: the range.
    zone
        Whose calendar it is.
    """

    start: int
    end: int
    edges: Positions
    unit: Unit | None
    zone: tzinfo

    def __len__(self) -> int:
        return len(self.edges) - 1

    @cached_property
    def starts(self) -> pd.DatetimeIndex:
        """The start of each bucket, in its time zone."""
        moments = pd.DatetimeIndex(self.edges[:-1].view("M8[us]"), name="time")
        return moments.tz_localize("UTC").tz_convert(self.zone)

    def index(self, microseconds: Positions) -> Positions:
        """Return the bucket of each time, all of which lie in the range."""
        if len(self) <= 1:
            return np.zeros(len(microseconds), np.int64)
        grain, buckets = self._grains
        if not grain:
            return np.searchsorted(self.edges[1:], microseconds, side="right")
        grains: Positions = (microseconds - self.edges[0]) // grain
        return grains if buckets is None else buckets[grains]

    @cached_property
    def _grains(self) -> tuple[int, Positions | None]:
        """The length that all buckets are multiples of, and the bucket of each such piece.

        None if that is the bucket itself; a length of 0 is not one.
        """
        widths = np.diff(self.edges)
        grain = int(np.gcd.reduce(widths))
        cells = widths // grain
        if cells.sum() > _FINEST:  # a zone whose clock was once set by odd seconds
            return 0, None
        return grain, np.repeat(np.arange(len(self)), cells) if cells.max() > 1 else None

    def find(self, moment: Moment) -> int:
        """Return the bucket that *moment* lies in.

        Raises
        ------
        ReportError
            If it lies in none.
        """
        at = _as_microseconds(moment, self.zone, "time")
        if not len(self) or not self.edges[0] <= at < self.edges[-1]:
            raise ReportError(f"time={moment!s} is not in the report, which covers {self.span}")
        return int(np.searchsorted(self.edges, at, side="right")) - 1

    @property
    def span(self) -> str:
        """The range in words; an end at midnight is called by the day before it."""
        if self.start >= self.end:
            return "no time at all"
        end = _wall(self.end, self.zone)
        if end == end.normalize():
            end -= pd.Timedelta(days=1)
        return f"{_written(_wall(self.start, self.zone))} to {_written(end)} ({self.zone})"

    @property
    def incomplete(self) -> list[int]:
        """The buckets that the range begins or ends inside of: the first, the last, both."""
        if not len(self):
            return []
        cut = {0: self.start > self.edges[0], len(self) - 1: self.end < self.edges[-1]}
        if len(self) == 1:
            cut = {0: self.start > self.edges[0] or self.end < self.edges[-1]}
        return [bucket for bucket, is_cut in cut.items() if is_cut]

    def notes(self) -> list[str]:
        """Return a sentence if there are incomplete buckets."""
        if self.unit is None or not self.incomplete:
            return []
        places = {0: "first", len(self) - 1: "last"} if len(self) > 1 else {0: "only"}
        form = "%Y-%m-%d %H:%M" if self.unit == "hour" else "%Y-%m-%d"
        named = [
            f"the {places[bucket]} {self.unit} ({self.starts[bucket]:{form}})"
            for bucket in self.incomplete
        ]
        which = " and ".join(named)
        verb = "is" if len(named) == 1 else "are"
        return [f"{which[0].upper()}{which[1:]} {verb} incomplete: the range is {self.span}."]


def periods(
    unit: str | None,
    start: Moment | None,
    end: Moment | None,
    tz: str | tzinfo | None,
    observed: tuple[int, int] | None,
) -> Periods:
    """Return the range of a report, cut into buckets.

    Parameters
    ----------
    unit
        The length of a bucket; None for one bucket.
    start, end
        A date is a day of *tz*; as the end it is part of the range. A time
        without a zone is one of *tz*; as the end it is no longer part of the range.
    tz
        The time zone whose calendar is meant; None is UTC.
    observed
        The first and the last time there is; None if there is none. A start or an end
        not given is that of its hour, or of its day for weeks and longer buckets.

    Raises
    ------
    ReportError
        If the range ends before it starts, or has too many buckets.
    """
    zone, unit = as_zone(tz), as_unit(unit)
    first = last = None
    if start is not None:
        first = _as_microseconds(start, zone, "start")
    if end is not None:
        last = _as_microseconds(end, zone, "end", is_end=True)
    if first is not None and last is not None and first >= last:
        raise ReportError(f"start={start!s} is not before end={end!s}")
    try:
        if observed is not None:
            grain: Unit = "hour" if unit in (None, "hour", "day") else "day"
            first = _around(observed[0], grain, zone)[0] if first is None else first
            last = _around(observed[1], grain, zone)[1] if last is None else last
        if first is None or last is None or first >= last:
            # No time at all: no bucket, but of the range as a whole there is always one.
            edges = np.zeros(2 if unit is None else 1, np.int64)
            return Periods(times.NO_TIME, times.NO_TIME, edges, unit, zone)
        edges = np.array([first, last]) if unit is None else _edges(first, last, unit, zone)
    except (OverflowError, InvalidTimeError, pd.errors.OutOfBoundsDatetime):
        raise ReportError(
            "the range touches an end of the calendar, the years 1 and 9999; give start= and end="
        ) from None
    return Periods(first, last, edges, unit, zone)


def as_moment(moment: Moment, tz: str | tzinfo | None, role: str) -> int:
    """Return a time in microseconds since 1970 UTC; of a date its last microsecond.

    Raises
    ------
    ReportError
        If it is neither.
    """
    zone = as_zone(tz)
    start = _as_microseconds(moment, zone, role)
    end = _as_microseconds(moment, zone, role, is_end=True)
    return start if start == end else end - 1


def edges_from(first: int, number: int, unit: Unit, zone: tzinfo) -> Positions:
    """Return where so many buckets start, from that of a moment on, and where the last ends."""
    last = _wall(first, zone) + (number + 2) * to_offset(_STEPS[unit])
    return _edges(first, when_shown(last, zone), unit, zone)[: number + 1]


def shown_by_clock(microseconds: int, zone: tzinfo) -> pd.Timestamp:
    """Return what a clock shows at a moment, as a time without a zone."""
    return _wall(microseconds, zone)


def when_shown(wall: pd.Timestamp, zone: tzinfo) -> int:
    """Return when a clock shows a time, in microseconds since 1970 UTC."""
    return int(_instants(pd.DatetimeIndex([wall]).as_unit("us"), zone)[0])


def _around(moment: int, unit: Unit, zone: tzinfo) -> tuple[int, int]:
    """Return where the bucket that a moment lies in starts and ends."""
    start, end = _edges(moment, moment + 1, unit, zone)
    return int(start), int(end)


def _edges(first: int, last: int, unit: Unit, zone: tzinfo) -> Positions:
    """Return where the buckets of the local calendar start, and where the last one ends."""
    most = (last - first) // (_SHORTEST[unit] // timedelta(microseconds=1))
    if most > MOST_ROWS:
        raise ReportError(
            f"the range has about {most:,} {unit}s; give start= and end=, or a longer unit="
        )
    walls = _walls(first, last, unit, zone)
    # An hour the clock goes through twice is two hours. A day of which it goes
    # through the first hour twice starts with the first of them.
    edges = _instants(walls, zone)
    if unit == "hour":
        edges = np.union1d(edges, _instants(walls, zone, first_pass=False))
    edges = np.unique(edges)
    begins = max(int(np.searchsorted(edges, first, side="right")) - 1, 0)
    ends = int(np.searchsorted(edges, last, side="left"))
    return edges[begins : ends + 1]


def _walls(first: int, last: int, unit: Unit, zone: tzinfo) -> pd.DatetimeIndex:
    """Return what the clock shows at the start of each bucket, and of one or two more."""
    begin = _wall(first, zone).normalize()
    if unit == "week":
        begin -= pd.Timedelta(days=begin.weekday())
    elif unit not in ("hour", "day"):
        months = {"month": 1, "quarter": 3, "year": 12}[unit]
        begin = begin.replace(day=1, month=(begin.month - 1) // months * months + 1)
    # A shift of the clock moves the last edge by up to a day.
    stop = _wall(last - 1, zone) + 2 * to_offset(_STEPS[unit])
    return pd.date_range(begin, stop, freq=_STEPS[unit], unit="us")


def _instants(walls: pd.DatetimeIndex, zone: tzinfo, *, first_pass: bool = True) -> Positions:
    """Return when a clock shows each time, in microseconds since 1970 UTC.

    Of a time it shows twice the first or the second, of one it leaps over the first
    moment after the leap.
    """
    ambiguous = np.full(len(walls), first_pass)
    local = walls.tz_localize(zone, ambiguous=ambiguous, nonexistent="NaT")
    instants: Positions = local.tz_convert("UTC").as_unit("us").asi8.copy()
    for position in np.flatnonzero(local.isna()).tolist():
        instants[position] = _after_leap(walls[position], zone)
    return instants


def _after_leap(wall: pd.Timestamp, zone: tzinfo) -> int:
    # pandas would shift to the next full hour, which is wrong for leaps of half an hour.
    as_utc = times.parse_time(wall)
    low, high = as_utc - _DAY, as_utc + _DAY
    while low < high:
        middle = (low + high) // 2
        if _wall(middle, zone) < wall:
            low = middle + 1
        else:
            high = middle
    return low


def _wall(microseconds: int, zone: tzinfo) -> pd.Timestamp:
    """Return what a clock in *zone* shows, as a time without a zone."""
    moment = pd.Timestamp(_EPOCH + timedelta(microseconds=microseconds)).as_unit("us")
    return moment.tz_convert(zone).tz_localize(None)


def _as_microseconds(moment: Any, zone: tzinfo, role: str, *, is_end: bool = False) -> int:
    """Return a time in microseconds since 1970 UTC; of a date the start, or the end."""
    if series.is_number(moment):
        try:
            return times.parse_time(moment)
        except InvalidTimeError as error:
            raise ReportError(f"{role}={glimpse(moment)}: {error}") from None
    try:
        if isinstance(moment, str):
            is_date, moment = _is_date(moment), times.parse_text(moment)
        else:
            is_date = isinstance(moment, date) and not isinstance(moment, datetime)
        if is_date and is_end:
            moment += timedelta(days=1)
        if isinstance(moment, np.datetime64):
            moment = pd.Timestamp(moment)
        if isinstance(moment, date) and getattr(moment, "tzinfo", None) is None:
            return int(_instants(pd.DatetimeIndex([moment]).as_unit("us"), zone)[0])
        return times.parse_time(moment)
    except (ValueError, OverflowError, InvalidTimeError) as error:
        raise ReportError(
            f"{role}={quoted(moment)} is not a date or time; "
            'give "2026-05-01", "2026-05-01T12:00", a datetime, or unix seconds'
        ) from error


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text.strip())
    except ValueError:
        return False
    return True


def _written(wall: pd.Timestamp) -> str:
    if wall == wall.normalize():
        return wall.strftime("%Y-%m-%d")
    return wall.strftime("%Y-%m-%d %H:%M" if wall.second == 0 else "%Y-%m-%d %H:%M:%S")
