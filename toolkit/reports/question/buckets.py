"""Breakdowns by ranges of a number, by the calendar of a time, by some elements of a list."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from toolkit.base import ReportError, listed, quoted
from toolkit.columns import Column, Instants, Mask, Positions
from toolkit.expressions import (
    Cells,
    Expression,
    Property,
    Scope,
    Side,
    as_datetime,
    as_expression,
    mask_of,
)
from toolkit.reports.question.breakdowns import Breakdown, ByProperty, shown_property
from toolkit.reports.question.segments import (
    EMPTY_LIST,
    NOT_SET,
    Distinct,
    Ordered,
    Segments,
    label,
)

#: The segments of what can be in no bucket.
NOT_A_NUMBER: Final = "(not a number)"
NOT_A_DATE: Final = "(not a date)"

_CALENDARS: Final = (
    *("hour", "day", "week", "month", "quarter", "year"),
    *("hour of day", "day of week"),
)
_WEEKDAYS: Final = (
    *("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
)
_HOUR: Final = 3_600_000_000
# The texts of TIME-2 that name a day, and neither a time nor a zone.
_DAY: Final = r"^\s*(\d{4}-\d\d-\d\d|\d{8}|\d{4}-?[Ww]\d\d(-?\d)?)\s*$"


def bucket(of: str | Property, by: float | Sequence[float] | str) -> Breakdown:
    """Return a breakdown by ranges of a number, or by the calendar of a time.

    Parameters
    ----------
    of
        The property: ``user["age"]``, ``event["amount"]``, or text, which is a property of
        the event. Its times are dates in ISO 8601, unix seconds or milliseconds; the time
        of the event is a property too.
    by
        A width, such as 10: ranges from 0 up and down. Or edges, such as ``[18, 30,
        50]``: a range between each two, one below the first and one from the last on. A
        range has its lower end and not its upper one. Or for times ``"hour"``, ``"day"``,
        ``"week"`` (from Monday), ``"month"``, ``"quarter"``, ``"year"``, ``"hour of day"``,
        ``"day of week"``, in the time zone of the report. A day, such as ``2026-05-01``, has
        no time zone: it is the same day in all of them.

    Returns
    -------
    Breakdown
        To be given to a report as ``by``. The segments are in their own order. What is set
        and no number (or no time) is in ``(not a number)`` (``(not a date)``).

    Raises
    ------
    ReportError
        If *by* is none of the above, or the property hidden.

    Examples
    --------
    >>> from toolkit import ProfileTable, user
    >>> from toolkit.reports import profile_report
    >>> profiles = ProfileTable()
    >>> messages = [{"$distinct_id": str(n), "$set": {"age": n}} for n in (17, 18, 29, 30)]
    >>> profiles.apply(messages)
    <ApplyResult: 4 applied, 4 created>
    >>> profile_report(profiles, by=bucket(user["age"], [18, 30])).table
        user.age  count
    0        <18      1
    1  18 to <30      2
    2        ≥30      1
    """
    prop = shown_property(of)
    if isinstance(by, str):
        if by not in _CALENDARS:
            raise ReportError(
                f'bucket(…, "{by:.40}") is unknown; give a width, edges, or one of '
                f"{listed(_CALENDARS)}"
            )
        return ByCalendar(prop, by)
    if isinstance(by, list | tuple | np.ndarray):
        edges = tuple(_number(each) for each in by)
        if not edges or any(low >= high for low, high in pairwise(edges)):
            raise ReportError(
                f"bucket(…, {list(by)!r:.60}); give edges that rise, such as [18, 30, 50]"
            )
        return ByRange(prop, edges=edges)
    width = _number(by)
    if width <= 0:
        raise ReportError(f"bucket(…, {width!r}); a width is more than 0")
    return ByRange(prop, width=width)


def _number(number: Any) -> float:
    if isinstance(number, np.number):
        number = number.item()
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    if not is_number or not abs(number) < 2.0**53:
        raise ReportError(
            f"bucket(…, {quoted(number):.40}); give a width such as 10, edges such as "
            f"[18, 30, 50], or a part of the calendar: {listed(_CALENDARS)}"
        )
    return int(number) if number == int(number) else float(number)


@dataclass(frozen=True, eq=False)
class _Cut(Breakdown):
    """A property whose values fall in buckets that have an order."""

    prop: Property

    #: What to call the segment of what can be in no bucket.
    odd = ""

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.prop.label,)

    @property
    def properties(self) -> tuple[Property, ...]:
        return (self.prop,)

    def segments(self, scope: Scope) -> Segments:
        column = scope.column(self.prop.side, self.prop.name)
        if isinstance(column, Column) and column.kind in ("json", "text"):
            # Each distinct value, and of lists each distinct element, once.
            whole = Segments.of(column)
            assert isinstance(whole.values, Distinct)
            codes, values = self._cut(Cells.of(whole.values.cells))
            return whole.recoded(codes, values)
        codes, values = self._cut(Cells.of(column))
        return Segments(codes, values, None, len(codes))

    def _cut(self, cells: Cells) -> tuple[Any, Ordered]:
        """Return the bucket of each cell, and what the buckets are called."""
        at, keys, names_of = self._keys(cells)
        used, inverse = np.unique(keys, return_inverse=True)
        names = [*names_of(used), EMPTY_LIST, self.odd, NOT_SET]
        codes = np.full(cells.length, len(names) - 1, np.int32)
        codes[cells.has_value] = len(names) - 2
        if "list" in cells.parts:
            is_list, lists = cells.parts["list"]
            empty = np.flatnonzero(is_list)[[not each for each in lists[is_list]]]
            codes[empty] = len(names) - 3
        codes[at] = inverse
        # What can be in no bucket comes after all buckets.
        places = [*((0, key) for key in used.tolist()), (1,), (2,), (3,)]
        return codes, Ordered(names, places)

    @abstractmethod
    def _keys(self, cells: Cells) -> tuple[Mask, Any, Callable[[Any], list[str]]]:
        """Return which cells fall in a bucket, a sortable key of the bucket of each, and
        what returns the names of keys.
        """


@dataclass(frozen=True, eq=False)
class ByRange(_Cut):
    """The ranges of a number: of one width, or between edges."""

    width: float = 0
    edges: tuple[float, ...] = ()

    odd = NOT_A_NUMBER

    @property
    def label(self) -> str:
        if self.edges:
            return f"{self.prop.label} in ranges"
        return f"{self.prop.label} in steps of {self.width:g}"

    @property
    def python(self) -> str:
        by = list(self.edges) if self.edges else self.width
        return f"tk.bucket({self.prop.python}, {by!r})"

    def _keys(self, cells: Cells) -> tuple[Mask, Any, Callable[[Any], list[str]]]:
        at = cells.where("int") | cells.where("float") | cells.where("big")
        is_whole = "float" not in cells.parts and "big" not in cells.parts
        numbers: Any = np.zeros(cells.length, np.int64 if is_whole else np.float64)
        for _, where, values in cells.only("int", "float"):
            numbers[where] = values[where]
        for _, where, values in cells.only("big"):
            numbers[where] = [_bounded(each) for each in values[where]]
        numbers = numbers[at]
        if self.edges:
            edges = np.array(self.edges)
            return at, np.searchsorted(edges, numbers, side="right"), self._between
        if is_whole and isinstance(self.width, int):
            return at, numbers // self.width, self._steps
        steps = np.floor(numbers / self.width)
        # A quotient is rounded; which step it is, the edges say.
        used, places = np.unique(steps, return_inverse=True)
        low, high = (np.array([self._edge(step + n) for step in used]) for n in (0, 1))
        steps = steps - (numbers < low[places]) + (numbers >= high[places])
        return at, steps, self._steps

    def _edge(self, step: float) -> float:
        return float(Decimal(repr(self.width)) * int(step))

    def _steps(self, steps: Any) -> list[str]:
        return [
            f"{_edge(self._edge(step))} to <{_edge(self._edge(step + 1))}"
            for step in steps.tolist()
        ]

    def _between(self, places: Any) -> list[str]:
        edges = [_edge(float(edge)) for edge in self.edges]
        names = [f"<{edges[0]}"]
        names += [f"{low} to <{high}" for low, high in pairwise(edges)]
        names.append(f"≥{edges[-1]}")
        return [names[place] for place in places.tolist()]


def _edge(number: float) -> str:
    """Return an end of a range, with a comma for thousands as on the axes."""
    return f"{int(number):,}" if number.is_integer() else label(number)


def _bounded(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return float(np.finfo(np.float64).max) * (1 if number > 0 else -1)


@dataclass(frozen=True, eq=False)
class ByCalendar(_Cut):
    """The hours, days … years that times lie in, or their hour of the day, day of the week."""

    by: str = "day"
    zone: tzinfo = UTC

    odd = NOT_A_DATE

    @property
    def label(self) -> str:
        return f"{self.prop.label} by {self.by}"

    @property
    def python(self) -> str:
        return f'tk.bucket({self.prop.python}, "{self.by}")'

    def in_zone(self, zone: tzinfo) -> Breakdown:
        return replace(self, zone=zone)

    def _keys(self, cells: Cells) -> tuple[Mask, Any, Callable[[Any], list[str]]]:
        times = as_datetime(cells)
        at = times.where("time")
        moments = times.parts["time"].values[at] if "time" in times.parts else np.zeros(0, np.int64)
        if self.zone is not UTC:
            index = pd.DatetimeIndex(moments.view("M8[us]")).tz_localize("UTC")
            local = index.tz_convert(self.zone).tz_localize(None).as_unit("us").asi8
            moments = np.where(_is_day(cells)[at], moments, local)
        return at, self._places(moments), self._names

    def _places(self, local: Positions) -> Any:
        if self.by == "hour":
            return local // _HOUR
        if self.by == "hour of day":
            return local // _HOUR % 24
        days = local // (24 * _HOUR)
        if self.by == "day":
            return days
        if self.by in ("week", "day of week"):
            # The first of January 1970 was a Thursday.
            weekday = (days + 3) % 7
            return weekday if self.by == "day of week" else days - weekday
        months = days.view("M8[D]").astype("M8[M]").view(np.int64)
        return months // {"month": 1, "quarter": 3, "year": 12}[self.by]

    def _names(self, places: Any) -> list[str]:
        if self.by == "day of week":
            return [_WEEKDAYS[place] for place in places.tolist()]
        if self.by == "hour of day":
            return [f"{place:02}:00" for place in places.tolist()]
        if self.by == "hour":
            texts = np.datetime_as_string(places.view("M8[h]").astype("M8[m]"))
            return [text.replace("T", " ") for text in texts.tolist()]
        if self.by in ("day", "week"):
            return np.datetime_as_string(places.view("M8[D]")).tolist()  # type: ignore[no-any-return]
        if self.by == "month":
            return np.datetime_as_string(places.view("M8[M]")).tolist()  # type: ignore[no-any-return]
        if self.by == "quarter":
            return [f"{1970 + place // 4:04} Q{place % 4 + 1}" for place in places.tolist()]
        return [f"{1970 + place:04}" for place in places.tolist()]


def _is_day(cells: Cells) -> Mask:
    """Return where cells are days, such as 2026-05-01, which have no time zone."""
    days = np.zeros(cells.length, np.bool_)
    for _, at, values in cells.only("text"):
        matches = pc.fill_null(pc.match_substring_regex(values, _DAY), fill_value=False)
        days |= at & matches.to_numpy(zero_copy_only=False)
    return days


def items(of: str | Property, matching: str | Expression) -> Breakdown:
    """Return a breakdown by those elements of a list for which a condition is true.

    Parameters
    ----------
    of
        The property.
    matching
        An expression (or its text form) on that property alone; it is asked of each
        element for itself.

    Returns
    -------
    Breakdown
        To be given to a report as ``by``. Elements that do not match have no segment, and an
        event (or a user) without any that does is in none: it is left out.

    Raises
    ------
    ReportError
        If the condition looks at another property.
    ExpressionError
        If it cannot be read.

    Examples
    --------
    >>> from toolkit import event
    >>> from toolkit.reports import segmentation
    >>> df = pd.DataFrame(
    ...     {
    ...         "event": "Buy",
    ...         "distinct_id": "ann",
    ...         "time": "2026-05-01T10:00Z",
    ...         "products": [["P1", "P2"], ["P2", "P3"], ["P3"]],
    ...     }
    ... )
    >>> wanted = event["products"].any() == "P2"
    >>> segmentation(df, None, "Buy", by=items("products", wanted), unit=None).table
      event.products  count
    0             P2      2
    """
    prop = shown_property(of)
    condition = as_expression(matching)
    asked = [each for each in condition.properties if each.label != prop.label]
    if asked:
        raise ReportError(
            f"items({prop.text}, …) asks each element for itself, and so can look at "
            f"{prop.text} alone, not at {asked[0].text}; filter events with where="
        )
    return Matching(prop, condition)


@dataclass(frozen=True, eq=False)
class Matching(ByProperty):
    """The distinct elements of a list for which a condition is true."""

    condition: Expression

    @property
    def label(self) -> str:
        return f"{self.prop.label} with {self.condition.text}"

    @property
    def python(self) -> str:
        return f"tk.items({self.prop.python}, {self.condition.python})"

    def segments(self, scope: Scope) -> Segments:
        whole = super().segments(scope)
        assert isinstance(whole.values, Distinct)
        matches = mask_of(self.condition, _Alone(self.prop, whole.values.cells))
        return whole.recoded(np.where(matches, np.arange(len(whole)), -1), whole.values)


@dataclass(frozen=True, eq=False)
class _Alone(Scope):
    """The distinct values of one property, as the rows of a condition."""

    prop: Property
    cells: Column

    def __len__(self) -> int:
        return len(self.cells)

    def column(self, side: Side, name: str) -> Column | Instants:
        return self.cells
