"""The buckets of retention: which days, weeks or months after the birth belong together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from toolkit.base import ReportError, quoted
from toolkit.columns import Mask, Positions
from toolkit.reports.question.periods import Periods

#: The units that retention counts in.
RetentionUnit: TypeAlias = Literal["day", "week", "month"]
#: How the time after the birth is cut into units.
Mode: TypeAlias = Literal["rolling", "calendar"]

_DAY: Final = 86_400_000_000
#: How long a unit of rolling retention is, in microseconds.
LENGTHS: Final[dict[RetentionUnit, int]] = {"day": _DAY, "week": 7 * _DAY, "month": 30 * _DAY}
# A lookup table of so many units is small beside the events.
_FURTHEST: Final = 100_000


@dataclass(frozen=True, eq=False)
class Brackets:
    """The buckets after a birth, and when each of them is.

    Attributes
    ----------
    firsts, lasts
        ``int64``: the first and the last unit of each bucket, 0 being the unit of the
        birth. Ascending, and no unit is in two buckets; some may be in none.
    unit, mode
        Rolling units are of one length and begin with the birth. Calendar units are
        those of *range*.
    range
        The range of the report; its buckets are the cohorts.
    """

    firsts: Positions
    lasts: Positions
    unit: RetentionUnit
    mode: Mode
    range: Periods

    def __len__(self) -> int:
        return len(self.firsts)

    @cached_property
    def labels(self) -> list[str]:
        """What each bucket is called: "day 0", "days 1 to 3"."""
        return [
            f"{self.unit} {first}" if first == last else f"{self.unit}s {first} to {last}"
            for first, last in zip(self.firsts.tolist(), self.lasts.tolist(), strict=True)
        ]

    @cached_property
    def names(self) -> list[str]:
        """The same without the unit: "0", "1 to 3"."""
        return [label.split(" ", 1)[1] for label in self.labels]

    @cached_property
    def _are_units(self) -> bool:
        """Whether bucket n is unit n, and no unit of the range comes after them."""
        return bool(
            (self.firsts == np.arange(len(self))).all() and (self.lasts == self.firsts).all()
        )

    @cached_property
    def _table(self) -> Positions:
        """The bucket of each unit, -1 for none, and of all units after the last bucket."""
        table = np.full(int(self.lasts[-1]) + 2, -1, np.int64)
        for bucket, (first, last) in enumerate(zip(self.firsts, self.lasts, strict=True)):
            table[first : last + 1] = bucket
        return table

    def index(self, units: Positions) -> Positions:
        """Return the bucket that each unit is in, -1 for none."""
        if self._are_units:
            return np.where(units < len(self), units, -1)
        return self._table[np.minimum(units, len(self._table) - 1)]

    def begun_by(self, units: Positions) -> Positions:
        """Return how many buckets begin in each unit or before."""
        if self._are_units:
            return np.minimum(units + 1, len(self))
        return np.searchsorted(self.firsts, units, side="right")

    def over_before(self, units: Positions) -> Positions:
        """Return how many buckets are over before each unit."""
        if self._are_units:
            return np.minimum(units, len(self))
        return np.searchsorted(self.lasts, units, side="left")

    @cached_property
    def has_begun(self) -> Mask:
        """Whether the time of each cell, one row per cohort, has begun at the end of the range."""
        if self.mode == "calendar":
            cohorts = np.arange(len(self.range))[:, None]
            return cohorts + self.firsts < len(self.range)
        starts = np.maximum(self.range.edges[:-1], self.range.start)[:, None]
        return starts + self.firsts * LENGTHS[self.unit] < self.range.end

    @cached_property
    def is_over(self) -> Mask:
        """Whether the time of each cell, one row per cohort, is over at the end of the range.

        Of rolling units it is over when it is for somebody born in the last moment of
        the cohort.
        """
        edges = self.range.edges
        if self.mode == "calendar":
            after = np.arange(len(self.range))[:, None] + self.lasts + 1
            ends = edges[np.minimum(after, len(edges) - 1)]
            return (after < len(edges)) & (ends <= self.range.end)
        return edges[1:, None] + (self.lasts + 1) * LENGTHS[self.unit] <= self.range.end


def brackets(buckets: Any, unit: RetentionUnit, mode: Mode, range_: Periods) -> Brackets:
    """Return the buckets that a report was given as ``buckets=``.

    Parameters
    ----------
    buckets
        How many units, each a bucket; or the units that buckets begin in, and last the
        unit after the last bucket, ``[0, 1, 4, 8]``; or the first and the last unit of
        each, ``[(0, 0), (1, 3), (4, 7)]``. None is each unit that begins in the range.

    Raises
    ------
    ReportError
        If it is none of these.
    """
    if buckets is None:
        units = np.arange(_units_of(range_, unit, mode))
        return Brackets(units, units, unit, mode, range_)
    if isinstance(buckets, int | np.integer) and not isinstance(buckets, bool):
        if not 1 <= buckets <= _FURTHEST:
            raise ReportError(f"buckets={quoted(buckets)}; there can be 1 to {_FURTHEST:,} of them")
        units = np.arange(int(buckets))
        return Brackets(units, units, unit, mode, range_)
    pairs = _pairs(buckets)
    firsts = np.array([first for first, _ in pairs], np.int64)
    lasts = np.array([last for _, last in pairs], np.int64)
    return Brackets(firsts, lasts, unit, mode, range_)


def _units_of(range_: Periods, unit: RetentionUnit, mode: Mode) -> int:
    if mode == "calendar" or not len(range_):
        return len(range_)
    start = max(int(range_.edges[0]), range_.start)
    return -((start - range_.end) // LENGTHS[unit])


def _pairs(buckets: Any) -> list[tuple[int, int]]:
    """Return the first and the last unit of each bucket."""
    allowed = (
        "give a number of buckets, such as 8; where buckets begin and the last one ends, such as "
        "[0, 1, 4, 8]; or the first and last unit of each, such as [(0, 0), (1, 3), (4, 7)]"
    )
    wrong = ReportError(f"buckets={quoted(buckets):.80}; {allowed}")
    if isinstance(buckets, str) or not isinstance(buckets, Iterable):
        raise wrong
    listed = list(buckets)
    if listed and all(map(_is_whole, listed)):
        pairs = [(first, after - 1) for first, after in pairwise(listed)]
    elif all(isinstance(each, list | tuple) and len(each) == 2 for each in listed):
        pairs = [(first, last) for first, last in listed]
    else:
        raise wrong
    if not pairs or not all(_is_whole(end) for pair in pairs for end in pair):
        raise wrong
    reached = -1
    for first, last in pairs:
        if not reached < first <= last:
            raise ReportError(
                f"buckets={quoted(buckets):.80}; each begins after the one before, at 0 or later: "
                f"{allowed}"
            )
        reached = last
    if reached >= _FURTHEST:
        raise ReportError(
            f"buckets={quoted(buckets):.80} reach unit {reached:,}; the last is {_FURTHEST:,}"
        )
    return [(int(first), int(last)) for first, last in pairs]


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
