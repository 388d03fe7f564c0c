"""What a measure is made of in each segment, so that it can be added to that of other users."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np

from toolkit.columns import Column, Positions
from toolkit.reports.question.segments import Distinct, joined

# Percentiles of up to so many cells are found cell by cell.
_FEW_CELLS: Final = 2**14
_LARGEST: Final = 2**63 - 1


class Counted(ABC):
    """Cells of some users, one row per segment, that can be added to those of others."""

    @abstractmethod
    def placed(self, rows: Positions, size: int) -> Self:
        """Return the same with each segment at another of *size* rows, the others empty."""

    @abstractmethod
    def __add__(self, other: Any) -> Self:
        """Return what both are together; they have the same shape, and no user is in both."""

    @abstractmethod
    def values(self) -> Any:
        """Return the number of each cell."""


@dataclass(frozen=True, eq=False)
class Sums(Counted):
    """Numbers that are added: counts and sums.

    Attributes
    ----------
    numbers
        ``int64``, or Python's integers where these do not hold them, or ``float64``.
    """

    numbers: Any

    def placed(self, rows: Positions, size: int) -> Sums:
        return Sums(_placed(self.numbers, rows, size, 0))

    def __add__(self, other: Sums) -> Sums:
        mine, theirs = self.numbers, other.numbers
        if mine.dtype == theirs.dtype == np.int64 and _largest(mine) + _largest(theirs) > _LARGEST:
            mine = mine.astype(object)
        if np.float64 in (mine.dtype, theirs.dtype):
            mine, theirs = mine.astype(np.float64), theirs.astype(np.float64)
        return Sums(mine + theirs)

    def values(self) -> Any:
        if self.numbers.dtype != object:
            return self.numbers
        fits = all(-_LARGEST <= each <= _LARGEST for each in self.numbers.ravel())
        return self.numbers.astype(np.int64 if fits else np.float64)

    def cumulated(self) -> Sums:
        """Return the sums of all buckets up to each."""
        return Sums(self.numbers.cumsum(axis=1))


def _largest(numbers: Any) -> int:
    return max(abs(int(numbers.min(initial=0))), abs(int(numbers.max(initial=0))))


def _placed(numbers: Any, rows: Positions, size: int, empty: float) -> Any:
    result = np.full((size, *numbers.shape[1:]), empty, numbers.dtype)
    result[rows] = numbers
    return result


@dataclass(frozen=True, eq=False)
class Quotients(Counted):
    """One sum by another, NaN where that is 0."""

    total: Sums
    number: Sums

    def placed(self, rows: Positions, size: int) -> Quotients:
        return Quotients(self.total.placed(rows, size), self.number.placed(rows, size))

    def __add__(self, other: Quotients) -> Quotients:
        return Quotients(self.total + other.total, self.number + other.number)

    def values(self) -> Any:
        return divided(self.total.values(), self.number.values())


def divided(total: Any, number: Any) -> Any:
    """Return quotients, NaN where the number is 0."""
    shape = np.broadcast_shapes(np.shape(total), np.shape(number))
    return np.divide(total, number, out=np.full(shape, np.nan), where=number > 0)


@dataclass(frozen=True, eq=False)
class Extremes(Counted):
    """The least or the largest numbers; an infinity where there are none."""

    numbers: Any
    is_least: bool

    def placed(self, rows: Positions, size: int) -> Extremes:
        empty = np.inf if self.is_least else -np.inf
        return replace(self, numbers=_placed(self.numbers, rows, size, empty))

    def __add__(self, other: Extremes) -> Extremes:
        nearer = np.minimum if self.is_least else np.maximum
        return replace(self, numbers=nearer(self.numbers, other.numbers))

    def values(self) -> Any:
        return np.where(np.isinf(self.numbers), np.nan, self.numbers)


@dataclass(frozen=True, eq=False)
class Samples(Counted):
    """All numbers of each cell, for a percentile of them.

    Attributes
    ----------
    place
        Which percentile.
    numbers, cells
        The numbers, and the cell of each.
    shape
        How many segments and buckets there are.
    cumulative
        Whether a bucket has those of all before it, too.
    """

    place: float
    numbers: Any
    cells: Positions
    shape: tuple[int, int]
    cumulative: bool = False

    def placed(self, rows: Positions, size: int) -> Samples:
        width = max(self.shape[1], 1)
        cells = rows[self.cells // width] * width + self.cells % width
        return replace(self, cells=cells, shape=(size, self.shape[1]))

    def __add__(self, other: Samples) -> Samples:
        numbers = np.concatenate([self.numbers, other.numbers])
        return replace(self, numbers=numbers, cells=np.concatenate([self.cells, other.cells]))

    def values(self) -> Any:
        segments, width = self.shape
        if not self.cumulative:
            size = segments * width
            return _percentiles(self.place, self.numbers, self.cells, size).reshape(self.shape)
        result = np.full(self.shape, np.nan)
        rows, buckets = np.divmod(self.cells, max(width, 1))
        for bucket in range(width):
            until = buckets <= bucket
            percentiles = _percentiles(self.place, self.numbers[until], rows[until], segments)
            result[:, bucket] = percentiles
        return result


@dataclass(frozen=True, eq=False)
class DistinctValues(Counted):
    """The distinct values in each cell.

    Attributes
    ----------
    column
        What the codes stand for.
    codes, cells
        Each value once in a cell.
    shape
        How many segments and buckets there are.
    cumulative
        Whether a value counts once in a segment, from its first bucket on.
    """

    column: Column
    codes: Positions
    cells: Positions
    shape: tuple[int, int]
    cumulative: bool

    def placed(self, rows: Positions, size: int) -> DistinctValues:
        width = max(self.shape[1], 1)
        cells = rows[self.cells // width] * width + self.cells % width
        return replace(self, cells=cells, shape=(size, self.shape[1]))

    def __add__(self, other: DistinctValues) -> DistinctValues:
        values, which = joined(Distinct(self.column), Distinct(other.column))
        assert isinstance(values, Distinct)
        codes = [which[self.codes], which[len(self.column) + other.codes]]
        cells = np.concatenate([self.cells, other.cells])
        size = max(self.shape[0] * self.shape[1], 1)
        keys = np.unique(np.concatenate(codes) * size + cells)
        return replace(self, column=values.cells, codes=keys // size, cells=keys % size)

    def values(self) -> Any:
        cells = self.cells
        if self.cumulative:
            # The first of a value and segment is that of the first bucket.
            order = np.lexsort((cells, self.codes))
            segments = cells[order] // max(self.shape[1], 1)
            is_first = np.diff(self.codes[order], prepend=-1) != 0
            is_first |= np.diff(segments, prepend=-1) != 0
            cells = cells[order][is_first]
        percentiles = np.bincount(cells, minlength=self.shape[0] * self.shape[1]).reshape(
            self.shape
        )
        return percentiles.cumsum(axis=1) if self.cumulative else percentiles


def _percentiles(place: float, numbers: Any, cells: Positions, size: int) -> Any:
    """Return the percentile of each cell, between two numbers in proportion; NaN of none."""
    floats = numbers.astype(np.float64)
    counts = np.bincount(cells, minlength=size)
    first = np.cumsum(counts) - counts
    exact = (counts - 1) * (place / 100)
    below = np.floor(exact)
    some = counts > 0
    # Numbers of 16 bits are sorted by counting, several times as fast as any others.
    narrow = cells.astype(np.min_scalar_type(max(size - 1, 0)))
    if size <= _FEW_CELLS:
        # One cell after the other, of which only the two numbers asked for need their place.
        floats = floats[np.argsort(narrow, kind="stable")]
        for cell in np.flatnonzero(some).tolist():
            wanted = np.unique([int(below[cell]), int(np.ceil(exact[cell]))])
            floats[first[cell] : first[cell] + counts[cell]].partition(wanted)
    else:
        order = np.argsort(floats)
        floats = floats[order][np.argsort(narrow[order], kind="stable")]
    low = floats[(first + below.astype(np.int64))[some]]
    high = floats[(first + np.ceil(exact).astype(np.int64))[some]]
    result = np.full(size, np.nan)
    result[some] = low + (high - low) * (exact - below)[some]
    return result
