"""The period that a report compares its own with: as many buckets, earlier."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np
import pandas as pd

from toolkit.base import ReportError, check_choice
from toolkit.reports.question.periods import Periods, edges_from, shown_by_clock, when_shown

Compare: TypeAlias = Literal["previous", "previous month", "previous year"]

COMPARISONS: Final = ("previous", "previous month", "previous year")
_OFFSETS: Final = {
    "day": pd.DateOffset(days=1),
    "week": pd.DateOffset(days=7),
    "month": pd.DateOffset(months=1),
    "quarter": pd.DateOffset(months=3),
    "year": pd.DateOffset(years=1),
}


def as_compare(compare: object) -> Compare | None:
    """Return what to compare with.

    Raises
    ------
    ReportError
        If it is nothing known.
    """
    return check_choice("compare", compare, (*COMPARISONS, None))  # type: ignore[arg-type]


def earlier(range_: Periods, compare: Compare) -> Periods:
    """Return the period to compare with: the n-th bucket of it is next to the n-th.

    ``"previous"`` is that of the same length right before: as many buckets of the calendar, or
    without buckets as many days if the range is of whole days, else the same time.
    ``"previous month"`` and ``"previous year"`` begin one month or year earlier; with weeks, 4
    or 52 weeks. A first or last bucket that the range cuts is cut in the same place.

    Raises
    ------
    ReportError
        If the buckets are longer than what to go back.
    """
    if not len(range_) or range_.start >= range_.end:
        return range_
    unit, zone = range_.unit, range_.zone
    if compare == "previous month" and unit in ("quarter", "year"):
        raise ReportError(f'compare="previous month" is shorter than a {unit}; use "previous"')
    back = _offset(range_, compare)
    first, last = int(range_.edges[0]), int(range_.edges[-1])
    if back is None:
        first, last = first - (last - first), first
    else:
        first, last = (when_shown(shown_by_clock(at, zone) - back, zone) for at in (first, last))
    if unit is None:
        return Periods(first, last, np.array([first, last]), None, zone)
    edges = edges_from(first, len(range_), unit, zone)
    start = int(edges[0]) + range_.start - int(range_.edges[0])
    end = int(edges[-1])
    if range_.end < range_.edges[-1]:  # cut like with like
        end = min(int(edges[-2]) + range_.end - int(range_.edges[-2]), end)
    return Periods(max(start, int(edges[0])), end, edges, unit, zone)


def _offset(range_: Periods, compare: Compare) -> pd.DateOffset | None:
    """Return how far back on the calendar, None for as long as the buckets are."""
    unit = range_.unit
    if compare != "previous":
        months = 1 if compare == "previous month" else 12
        if unit == "week":
            return pd.DateOffset(days=28 if months == 1 else 364)
        return pd.DateOffset(months=months)
    if unit == "hour":
        return None
    if unit is not None:
        return _OFFSETS[unit] * len(range_)
    first, last = (shown_by_clock(at, range_.zone) for at in (range_.start, range_.end))
    if first == first.normalize() and last == last.normalize():
        return pd.DateOffset(days=(last - first).days)
    return None
