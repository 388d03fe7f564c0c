"""Measures: from what happened to a number a cell, a cell being a segment in a bucket."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from toolkit.base import ReportError, did_you_mean, listed, quoted
from toolkit.columns import Codes, Positions
from toolkit.reports.numbers.amounts import Amounts
from toolkit.reports.numbers.counted import (
    Counted,
    DistinctValues,
    Extremes,
    Quotients,
    Samples,
    Sums,
    divided,
)

#: The days that end with a bucket's last in which a user has to have been there.
WINDOWS: Final = {"dau": 1, "wau": 7, "mau": 30}
#: The measures of a property.
OF_PROPERTY: Final = ("sum", "average", "median", "min", "max", "distinct")
_COUNTS: Final = ("total", "unique", "sessions", *WINDOWS, "per_user")
_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d{1,6})?|100)")

# Up to this many (user, cell) pairs are ticked off in memory, a byte each: three
# times as fast as sorting.
_TICKED: Final = 2**28

_NOUNS: Final = {
    **{"total": "events", "unique": "users", "sessions": "sessions", "per_user": "events per user"},
    **{"dau": "daily users", "wau": "weekly users", "mau": "monthly users", "count": "profiles"},
}


def percentile(measure: str) -> float | None:
    """Return which percentile a measure is, None if none.

    >>> percentile("p90"), percentile("median"), percentile("sum")
    (90.0, 50.0, None)
    """
    if measure == "median":
        return 50.0
    match = _PERCENTILE.fullmatch(measure)
    return float(match[1]) if match else None


def needs_property(measure: str) -> bool:
    """Whether a measure is one of a property."""
    return measure in OF_PROPERTY or percentile(measure) is not None


def is_count(measure: str) -> bool:
    """Whether a measure is a number of events, users, sessions or profiles."""
    return measure in (*_COUNTS, "count") and measure != "per_user"


#: What funnels and flows count; segmentation has further measures.
Count: TypeAlias = Literal["total", "unique", "sessions"]


# What other tools call a measure, where its letters are not close.
_MEANT: Final = {"mean": "average", "avg": "average"}


def as_measure(measure: object, counts: tuple[str, ...] = _COUNTS) -> str:
    """Return a measure.

    Raises
    ------
    ReportError
        If there is no such one.
    """
    if isinstance(measure, str) and (measure in counts or needs_property(measure)):
        return measure
    words = (*counts, *OF_PROPERTY)
    meant = did_you_mean(_MEANT.get(measure, measure), words) if isinstance(measure, str) else ""
    message = (
        f"measure={quoted(measure):.40} is unknown; allowed are {listed(words, 20)}, "
        'and a percentile such as "p90"'
    )
    raise ReportError(f"{message}.{meant}" if meant else message)


def noun(measure: str, of: str | None) -> str:
    """Return what a measure counts, in words.

    >>> noun("total", None), noun("p90", "event.amount")
    ('events', '90th percentile of event.amount')
    """
    if measure in _NOUNS:
        return _NOUNS[measure]
    if measure == "distinct":
        return f"distinct values of {of}"
    place = percentile(measure)
    if place is not None and measure != "median":
        return f"{_ordinal(place)} percentile of {of}"
    return f"{measure} of {of}"


def _ordinal(number: float) -> str:
    text = f"{number:g}"
    ending = {"1": "st", "2": "nd", "3": "rd"}.get(text[-1], "th")
    return text + ("th" if text in ("11", "12", "13") or "." in text else ending)


@dataclass(frozen=True, eq=False)
class Happened:
    """What is counted: each event (or user) once in each of its segments.

    Attributes
    ----------
    ids
        Whose it is, -1 for nobody's.
    buckets
        The bucket of each.
    segments
        The segment of each; None if there is one.
    rows
        Which of the selected events each is; None if in the same order.
    shape
        How many segments and buckets there are.
    people
        How many distinct IDs there are.
    once
        Whether each user is there once a cell already.
    """

    ids: Codes | Positions
    buckets: Any
    segments: Any
    rows: Positions | None
    shape: tuple[int, int]
    people: int
    once: bool = False

    @cached_property
    def cells(self) -> Positions:
        """The cell of each."""
        if self.segments is None:
            cells: Positions = self.buckets
            return cells
        numbers: Positions = self.segments.astype(np.int64) * self.shape[1] + self.buckets
        return numbers

    @property
    def size(self) -> int:
        """How many cells there are."""
        return self.shape[0] * self.shape[1]

    def as_a_whole(self) -> Happened:
        """Return the same in one bucket."""
        buckets = np.zeros(len(self.buckets), np.int64)
        return replace(self, buckets=buckets, shape=(self.shape[0], 1), once=False)

    def kept(self, mask: Any) -> Happened:
        """Return those where *mask* is true."""
        return replace(
            self,
            ids=self.ids[mask],
            buckets=self.buckets[mask],
            segments=None if self.segments is None else self.segments[mask],
            rows=np.flatnonzero(mask) if self.rows is None else self.rows[mask],
        )

    def pairs(self, *, cumulative: bool = False) -> tuple[Positions, Positions]:
        """Return each user once in each cell: users and cells.

        If *cumulative*, each user once in each segment, in its first bucket.
        """
        if self.once and not cumulative:
            return self.ids.astype(np.int64), self.cells
        size = max(self.size, 1)
        if size == 1:
            ids = distinct(self.ids, self.people)
            return ids, np.zeros(len(ids), np.int64)
        keys = distinct(self.ids.astype(np.int64) * size + self.cells, self.people * size)
        if cumulative:
            # Ascending, so that the first of a user and segment is that of the first bucket.
            runs = keys // max(self.shape[1], 1)
            keys = keys[np.diff(runs, prepend=-1) != 0]
        return keys // size, keys % size


def distinct(keys: Codes | Positions, size: int) -> Positions:
    """Return each key once, ascending; all are less than *size*."""
    if size <= _TICKED:
        ticked = np.zeros(size, np.bool_)
        ticked[keys] = True
        return np.flatnonzero(ticked)
    # np.unique would hash them first, ten times slower.
    keys = np.sort(keys).astype(np.int64, copy=False)
    is_first = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    return keys[is_first]


def counted(
    measure: str,
    happened: Happened,
    amounts: Amounts | None = None,
    *,
    of_users: bool = False,
    cumulative: bool = False,
) -> Counted:
    """Return what the number of each cell is made of, one row per segment.

    Parameters
    ----------
    measure
        Which; of ``"sessions"`` the *ids* are those of sessions.
    happened
        What is counted.
    amounts
        The values of the property, of the selected events.
    of_users
        They are of the distinct IDs: each user counts once in a cell.
    cumulative
        In each bucket what happened from the first one on; each user once from there on.
    """
    if measure in ("total", "count"):
        return _counts(happened.cells, happened, cumulative)
    if measure in ("unique", "sessions"):
        return _counts(happened.pairs(cumulative=cumulative)[1], happened, cumulative)
    if measure == "per_user":
        users = happened.pairs(cumulative=cumulative)[1]
        return Quotients(
            _counts(happened.cells, happened, cumulative), _counts(users, happened, cumulative)
        )
    assert amounts is not None
    if of_users:
        ids, cells = happened.pairs(cumulative=cumulative)
        rows, numbers = amounts.beside(ids)
    else:
        cells = happened.cells
        rows, numbers = amounts.beside(happened.rows)
    cells = cells if rows is None else cells[rows]
    if measure == "distinct":
        assert amounts.column is not None
        # Each value takes the place of a user.
        size = max(happened.size, 1)
        keys = distinct(numbers * size + cells, (int(numbers.max(initial=0)) + 1) * size)
        codes, cells = keys // size, keys % size
        return DistinctValues(amounts.column, codes, cells, happened.shape, cumulative)
    if measure in ("sum", "average"):
        total = _added(_sums(numbers, cells, happened.size), happened, cumulative)
        if measure == "sum":
            return total
        return Quotients(total, _counts(cells, happened, cumulative))
    if measure in ("min", "max"):
        return _extremes(measure == "min", numbers, cells, happened, cumulative)
    place = percentile(measure)
    assert place is not None
    return Samples(place, numbers, cells, happened.shape, cumulative)


def is_size(measure: str, *, of_users: bool) -> bool:
    """Whether the numbers of all buckets add up to how large a segment is; *of_users* as there."""
    return measure in ("total", "unique", "sessions") or (measure == "sum" and not of_users)


def sizes(measure: str, happened: Happened, amounts: Amounts | None, *, of_users: bool) -> Counted:
    """Return how large each segment is, to be added up over the buckets there are.

    Counts and sums have those of the report, another measure that of the range as a whole.
    """
    if not is_size(measure, of_users=of_users):
        happened = happened.as_a_whole()
    measure = "unique" if measure in WINDOWS else measure
    return counted(measure, happened, amounts, of_users=of_users)


def _counts(cells: Positions, happened: Happened, cumulative: bool) -> Sums:
    return _added(np.bincount(cells, minlength=happened.size), happened, cumulative)


def _added(flat: Any, happened: Happened, cumulative: bool) -> Sums:
    sums = Sums(flat.reshape(happened.shape))
    return sums.cumulated() if cumulative else sums


def _extremes(
    is_least: bool, numbers: Any, cells: Positions, happened: Happened, cumulative: bool
) -> Extremes:
    nearer = np.minimum if is_least else np.maximum
    result = np.full(happened.size, np.inf if is_least else -np.inf)
    nearer.at(result, cells, numbers.astype(np.float64))
    result = result.reshape(happened.shape)
    return Extremes(nearer.accumulate(result, axis=1) if cumulative else result, is_least)


def _sums(numbers: Any, cells: Positions, size: int) -> Any:
    """Return the sum of each cell: of integers exact, ``int64`` if that holds them."""
    if numbers.dtype != np.int64:
        return np.bincount(cells, weights=numbers, minlength=size)
    largest = max(abs(int(numbers.min(initial=0))), abs(int(numbers.max(initial=0))))
    if largest * len(numbers) < 2**53:  # each float on the way is a whole number
        return np.bincount(cells, weights=numbers, minlength=size).astype(np.int64)
    # Halves of which even a billion add up within 53 bits… taken in 21 bits each.
    whole = np.zeros(size, object)
    rest = numbers
    for shift in (0, 21, 42):
        part = rest & (2**21 - 1) if shift < 42 else rest
        added = np.bincount(cells, weights=part, minlength=size)
        whole = whole + np.array([int(each) << shift for each in added.tolist()], object)
        rest = rest >> 21
    fits = all(-(2**63) <= each < 2**63 for each in whole)
    return whole.astype(np.int64) if fits else whole


def in_window(days: int, happened: Happened, ends: Positions) -> Any:
    """Return the users of each segment in so many days up to some of them.

    Parameters
    ----------
    days
        How many.
    happened
        Its buckets are days.
    ends
        The last day of each window.
    """
    width = happened.shape[1]
    ids, cells = happened.pairs()
    runs, day = ids * happened.shape[0] + cells // width, cells % width
    # A user is there from a day on until the window has left it, or the user comes again.
    order = np.lexsort((day, runs)) if happened.once else None
    if order is not None:
        runs, day, cells = runs[order], day[order], cells[order]
    until = day + days
    follows = np.flatnonzero(runs[1:] == runs[:-1])
    until[follows] = np.minimum(until[follows], day[1:][follows])
    wide = width + days + 1
    segments = cells // width
    size = happened.shape[0] * wide
    change = np.bincount(segments * wide + day, minlength=size) - np.bincount(
        segments * wide + until, minlength=size
    )
    there = change.reshape(happened.shape[0], wide).cumsum(axis=1)
    return there[:, ends]


def rolled(buckets: Any, last: int) -> Any:
    """Return the mean of the last *last* buckets that have a value; NaN in the first ones.

    >>> rolled(np.array([[1, 2, 6]]), 2).tolist()
    [[nan, 1.5, 4.0]]
    """
    result = np.full(buckets.shape, np.nan)
    if buckets.shape[1] < last:
        return result
    views = np.lib.stride_tricks.sliding_window_view(buckets.astype(np.float64), last, axis=1)
    has_value = ~np.isnan(views)
    added = np.where(has_value, views, 0).sum(axis=2)
    result[:, last - 1 :] = divided(added, has_value.sum(axis=2))
    return result
