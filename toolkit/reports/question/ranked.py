"""The segments that occur, in the order of a report's table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from toolkit.base import ReportError, check_number, did_you_mean, dumps, listed, quoted
from toolkit.columns import Mask, Positions, series
from toolkit.reports.question.breakdowns import Breakdown
from toolkit.reports.question.segments import MIDNIGHT, NOT_SET, OTHER, Level, Values, label


@dataclass(frozen=True, eq=False)
class Ranked:
    """The segments that occur, in the order of the table.

    Larger segments come first, those without a value after all others, equal ones by name,
    ``(other)`` and ``(not set)`` last; those
    with an order of their own, such as ranges of a number, in that. Of several breakdowns the
    first counts most, and within each of its segments the next.

    Attributes
    ----------
    by
        What they are segments of; None if there is one, of all.
    codes
        The code of each.
    order
        Which of those that were ranked each is.
    levels
        For each column of the table what to call each segment in it.
    arrays
        The same as values in a pandas array: numbers, truths, dates and times as such, all else
        in an ordered categorical.
    sizes
        ``float64``, how large each is, NaN without a value.
    """

    by: Breakdown | None
    codes: Positions
    order: Positions
    levels: tuple[tuple[str, ...], ...]
    arrays: tuple[Any, ...]
    sizes: Any

    @classmethod
    def whole(cls) -> Ranked:
        """Return the one segment there is without a breakdown."""
        return cls(None, np.zeros(1, np.int64), np.zeros(1, np.int64), (), (), np.ones(1))

    @classmethod
    def of(
        cls,
        by: Breakdown,
        values: Values,
        used: Positions,
        sizes: Any,
        *,
        by_size: bool = False,
    ) -> Ranked:
        """Rank the segments that occur.

        Parameters
        ----------
        by, values
            The breakdown, and what its segments are.
        used
            The codes that occur, ascending.
        sizes
            How large each of them is; NaN, no value, is less than any.
        by_size
            Whether this counts even where segments have an order of their own.
        """
        levels = values.levels(used)
        sizes = np.asarray(sizes, np.float64)
        order = _order(levels, sizes, by_size=by_size)
        labels = tuple(tuple(level.labels[at] for at in order.tolist()) for level in levels)
        arrays = [
            _categorical(level, sizes, names, by_size=by_size)
            if level.typed is None
            else level.typed.take(order)
            for level, names in zip(levels, labels, strict=True)
        ]
        return cls(by, used[order], order, labels, tuple(arrays), sizes[order])

    def __len__(self) -> int:
        return len(self.codes)

    def beyond(self, top: int) -> Positions:
        """Return the codes of all but the largest, those of which nothing is set not among them."""
        beyond: Positions = self.codes[~self.is_unset][top:]
        return beyond

    @cached_property
    def names(self) -> list[str]:
        """What to call each segment where there is one place for it, no two alike."""
        if self.by is None:
            return [""]
        if len(self.levels) == 1:
            return list(self.levels[0])
        each = list(zip(*self.levels, strict=True))
        names = [", ".join(labels) for labels in each]
        often = Counter(names)
        return [
            name if often[name] == 1 else ", ".join(map(dumps, labels))
            for name, labels in zip(names, each, strict=True)
        ]

    @cached_property
    def is_unset(self) -> Mask:
        """Whether nothing is set in a segment."""
        unset = np.zeros(len(self), np.bool_)
        if self.levels:
            columns = [np.array([name == NOT_SET for name in level]) for level in self.levels]
            unset |= np.logical_and.reduce(columns)
        return unset

    @property
    def legend(self) -> str:
        """The title of a legend of the segments; empty if there is nothing to tell apart."""
        return "" if self.by is None else self.by.label

    def places(self, codes: Any, size: int) -> Positions:
        """Return the place in the table of each code; *size* is how many codes there are."""
        places = np.full(size, -1, np.int64)
        places[self.codes] = np.arange(len(self))
        result: Positions = places[codes]
        return result

    def columns(self, rows: int | Positions) -> dict[str, Any]:
        """Return the first columns of a table: with so many rows a segment, or these segments."""
        if self.by is None:
            return {}
        places = np.arange(len(self)).repeat(rows) if isinstance(rows, int) else rows
        each = zip(self.by.columns, self.arrays, strict=True)
        return {name: values.take(places) for name, values in each}

    def largest(self, number: int) -> list[int]:
        """Return the largest segments in the order of the table, without what is not set."""
        named = np.flatnonzero(~self.is_unset)
        largest = np.argsort(-self.sizes[named], kind="stable")[:number]
        result: list[int] = named[np.sort(largest)].tolist()
        return result

    def drawn(self, top: int | None, most: int) -> tuple[list[int], str]:
        """Return which segments to draw, and the title of their legend.

        Parameters
        ----------
        top
            How many to draw, the largest, next to ``(not set)``; None is *most*.
        most
            As many as can be told apart.

        Raises
        ------
        ReportError
            If *top* is not valid.
        """
        check_number("top", top)
        shown = [*self.largest(top or most), *np.flatnonzero(self.is_unset).tolist()]
        legend = self.legend
        if len(shown) < len(self):
            legend += f" (top {len(shown)} of {len(self):,})"
        return shown, legend

    def cell(self, place: int) -> dict[str, Any]:
        """Return the argument of ``users`` that names a segment; none without a breakdown."""
        if self.by is None:
            return {}
        labels = [level[place] for level in self.levels]
        return {"segment": labels[0] if len(labels) == 1 else tuple(labels)}

    def find(self, segment: Any) -> int | None:
        """Return the place of a segment, None for None.

        Parameters
        ----------
        segment
            What the table calls it, or its value; of several breakdowns a tuple of these.
            A missing value (NA, NaT, and None in a tuple) is what is not set.

        Raises
        ------
        ReportError
            If there is none.
        """
        if segment is None:
            return None
        if self.by is None:
            raise ReportError("segment= needs a breakdown, and the report has none (by=None)")
        if len(self.levels) == 1:
            wanted = [segment]
        elif isinstance(segment, list | tuple) and len(segment) == len(self.levels):
            wanted = list(segment)
        else:
            example = f", such as {tuple(level[0] for level in self.levels)}" if len(self) else ""
            raise ReportError(
                f"segment={quoted(segment):.60}; the report has several breakdowns: give a tuple "
                f"with a value for each of {self.by.label}{example}"
            )
        names = [segment_name(each) for each in wanted]
        for at, (name, level) in enumerate(zip(names, self.levels, strict=True)):
            # A time at midnight may be written as a day, and the other way round.
            both = (name, name.removesuffix(MIDNIGHT), f"{name}{MIDNIGHT}")
            names[at] = next((each for each in both if each in level), name)
        place = self._places_by_names.get(tuple(names))
        if place is not None:
            return place
        for name, level in zip(names, self.levels, strict=True):
            in_order = list(dict.fromkeys(level))
            if name not in in_order:
                raise ReportError(
                    f'no segment "{name}"; there are {listed(in_order) or "none"}.'
                    + did_you_mean(name, in_order)
                )
        raise ReportError(f"no segment has all of {listed(map(dumps, names))}")

    @cached_property
    def _places_by_names(self) -> dict[tuple[str, ...], int]:
        return {names: at for at, names in enumerate(zip(*self.levels, strict=True))}


def _categorical(level: Level, sizes: Any, names: Sequence[str], *, by_size: bool) -> Any:
    """Return names as an ordered categorical: in the order they have where there are no others."""
    order = _order([level], sizes, by_size=by_size)
    places: dict[str, int] = {}
    for at in order.tolist():
        places.setdefault(level.labels[at], len(places))
    categories = pd.Index(list(places), dtype="str")
    return pd.Categorical.from_codes([places[name] for name in names], categories, ordered=True)


def segment_name(segment: Any) -> str:
    """Return what the table calls a segment or its value."""
    if isinstance(segment, str) and segment:
        return segment
    if isinstance(segment, pd.Timestamp) and segment.tz is None and segment == segment.normalize():
        segment = segment.date()  # as the table has a day
    read = series.cells(pd.Series([segment], dtype=object))
    if read.refused:
        raise ReportError(
            f"segment={quoted(segment):.60} is not a value of a property; give a segment as the "
            "table calls it"
        )
    return label(read.column.cell(0))


def _order(levels: list[Level], sizes: Any, *, by_size: bool) -> Positions:
    """Return the order of the segments."""
    keys: list[Any] = []
    group = np.zeros(len(sizes), np.int64)
    for level in levels:
        # Segments that are alike up to this level are one group, as large as all of them.
        group = pd.factorize(group * (int(level.codes.max(initial=0)) + 1) + level.codes)[0]
        last = {OTHER: 1, NOT_SET: 2}
        keys.append(np.array([last.get(name, 0) for name in level.labels], np.int8))
        if level.is_ordered and not by_size:
            keys.append(level.codes)
        else:
            keys += [each[group] for each in _group_keys(group, sizes)]
            keys.append(np.unique(np.array(level.labels, object), return_inverse=True)[1])
    # The last key of lexsort counts most.
    order: Positions = np.lexsort(keys[::-1]) if keys else np.arange(len(sizes))
    return order


def _group_keys(group: Positions, sizes: Any) -> tuple[Any, Any]:
    """Return of each group whether it has no value at all, and how small it is."""
    has_value = ~np.isnan(sizes)
    valued = np.bincount(group, weights=has_value, minlength=len(sizes))
    total = np.bincount(group, weights=np.where(has_value, sizes, 0.0), minlength=len(sizes))
    return valued == 0, -total
