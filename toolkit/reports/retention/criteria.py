"""What counts as coming back in a bucket: on it, on or after it, on or before it, in a streak.

Each criterion turns the returns of entries into marks: "this entry is retained in these
buckets", where the buckets are one, or all up to one, or all from one on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from toolkit.base import Json
from toolkit.columns import Column, Mask, Positions
from toolkit.reports.retention.brackets import Brackets
from toolkit.reports.retention.entries import Entries, Returns, Timing

Criteria: TypeAlias = Literal["on_or_after", "on", "on_or_before", "streak"]

#: What each criterion is called in a sentence.
CRITERIA: Final[dict[Criteria, str]] = {
    "on_or_after": "on or after",
    "on": "on",
    "on_or_before": "on or before",
    "streak": "in a streak up to",
}

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class Retaining:
    """Which entries are retained in which buckets."""

    returns: Returns
    brackets: Brackets
    criteria: Criteria

    @property
    def _timing(self) -> Timing:
        return Timing(self.returns, self.brackets)

    def count(self, entries: Entries, groups: Positions, size: int) -> Positions:
        """Return how many entries of each group are retained in each bucket.

        Parameters
        ----------
        entries
            The entries.
        groups
            The group of each.
        size
            How many groups there are.
        """
        buckets = len(self.brackets)
        if self.criteria in ("on_or_after", "on_or_before"):
            owners, marks = self._reach(entries)
            counts = _binned(groups[owners], marks, size, buckets + 1)
            spread: Positions = self._spread(counts)
            return spread
        counts = np.zeros((size, buckets), np.int64)
        for owners, marks, _ in self._visits(entries):
            counts += _binned(groups[owners], marks, size, buckets)
        return counts

    def _reach(self, entries: Entries) -> tuple[Positions, Positions]:
        """Return the entries that came back, and up to or from which bucket they are retained."""
        owners = np.flatnonzero(entries.stop > entries.begin)
        if self.criteria == "on_or_after":
            last = self._timing.units(entries, owners, entries.stop[owners] - 1)
            return owners, self.brackets.begun_by(last)
        first = self._timing.units(entries, owners, entries.begin[owners])
        return owners, self.brackets.over_before(first)

    def _spread(self, marks: Any) -> Any:
        """Return numbers a bucket from numbers a mark, of which there is one more.

        A mark m of "on or after" stands for the buckets before m, one of "on or before" for
        those from m on.
        """
        if self.criteria == "on_or_after":
            return marks[:, :0:-1].cumsum(axis=1)[:, ::-1]
        return marks[:, :-1].cumsum(axis=1)

    def _visits(self, entries: Entries) -> Iterator[tuple[Positions, Positions, Positions]]:
        """Yield the entries and buckets of "on" and "streak", each pair once.

        With them comes, as a third, how many buckets of the entry are before.
        """
        for owners, _, units in self._timing.pairs(entries):
            buckets = self.brackets.index(units)
            if len(buckets) and buckets.min() < 0:
                owners, buckets = owners[buckets >= 0], buckets[buckets >= 0]
            is_first = np.ones(len(owners), np.bool_)
            np.not_equal(buckets[1:], buckets[:-1], out=is_first[1:])
            is_first[1:] |= owners[1:] != owners[:-1]
            owners, buckets = owners[is_first], buckets[is_first]
            nth = _nth(owners)
            if self.criteria == "streak":
                unbroken = nth == buckets
                owners, buckets, nth = owners[unbroken], buckets[unbroken], nth[unbroken]
            yield owners, buckets, nth

    def is_retained(self, entries: Entries, bucket: int) -> Mask:
        """Return whether each entry is retained in a bucket."""
        retained = np.zeros(len(entries), np.bool_)
        if self.criteria in ("on_or_after", "on_or_before"):
            owners, marks = self._reach(entries)
            is_after = self.criteria == "on_or_after"
            retained[owners] = marks > bucket if is_after else marks <= bucket
            return retained
        for owners, buckets, _ in self._visits(entries):
            retained[owners[buckets == bucket]] = True
        return retained

    def visited(self, entries: Entries) -> Positions:
        """Return in how many buckets each entry came back; criteria is "on"."""
        result = np.zeros(len(entries), np.int64)
        for owners, _, nth in self._visits(entries):
            result[owners] = nth + 1  # the last of an entry is the highest
        return result

    def add_up(
        self, entries: Entries, groups: Positions, size: int, column: Column
    ) -> tuple[Floats, Positions]:
        """Return the sum of a number of the returns in each bucket, and how many have it.

        Parameters
        ----------
        entries, groups, size
            As for :meth:`count`.
        column
            The property, a cell a return.
        """
        values, has_value = numbers(column)
        buckets = len(self.brackets)
        width = buckets + (self.criteria in ("on_or_after", "on_or_before"))
        sums = np.zeros((size, width))
        counted = np.zeros((size, width), np.int64)
        for owners, at, units in self._timing.pairs(entries):
            has_number = has_value[at]
            if self.criteria == "streak":
                marks = self.brackets.index(units)
                has_number &= self._is_unbroken(owners, marks)
            elif self.criteria == "on":
                marks = self.brackets.index(units)
                has_number &= marks >= 0
            elif self.criteria == "on_or_after":
                marks = self.brackets.begun_by(units)
            else:
                marks = self.brackets.over_before(units)
            cells, marks = groups[owners[has_number]], marks[has_number]
            counted += _binned(cells, marks, size, width)
            sums += _binned(cells, marks, size, width, values[at[has_number]])
        if width > buckets:
            return self._spread(sums), self._spread(counted)
        return sums, counted

    @staticmethod
    def _is_unbroken(owners: Positions, buckets: Positions) -> Mask:
        """Return which returns lie in a bucket that the streak of their entry reaches."""
        result = np.zeros(len(owners), np.bool_)
        inside = np.flatnonzero(buckets >= 0)
        owners, buckets = owners[inside], buckets[inside]
        is_first = np.ones(len(owners), np.bool_)
        is_first[1:] = (buckets[1:] != buckets[:-1]) | (owners[1:] != owners[:-1])
        places = np.cumsum(is_first) - 1
        unbroken = _nth(owners[is_first]) == buckets[is_first]
        result[inside] = unbroken[places]
        return result


def _nth(owners: Positions) -> Positions:
    """Return how many cells of the same owner are before each; equal ones are together."""
    starts = np.flatnonzero(np.append(True, owners[1:] != owners[:-1])) if len(owners) else owners
    sizes = np.diff(np.append(starts, len(owners)))
    return np.arange(len(owners)) - np.repeat(starts, sizes)


def _binned(
    groups: Positions, marks: Positions, size: int, width: int, weights: Floats | None = None
) -> Any:
    cells = groups * width + marks
    return np.bincount(cells, weights, minlength=size * width).reshape(size, width)


def numbers(column: Column) -> tuple[Floats, Mask]:
    """Return the cells that are numbers, and which are; booleans and text are not."""
    has_number = np.zeros(len(column), np.bool_)
    values = np.zeros(len(column))
    if column.kind in ("int", "float"):
        has_number = column.has_value.copy()
        values[has_number] = column.values[has_number]
    elif column.kind == "json":
        cells: list[Json] = column.cells()
        for position, cell in enumerate(cells):
            # Integers past the range of floats cannot be added up with others.
            if isinstance(cell, int | float) and not isinstance(cell, bool) and abs(cell) < 1e308:
                values[position], has_number[position] = float(cell), True
    return values, has_number
