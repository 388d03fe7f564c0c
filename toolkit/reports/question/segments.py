"""Segments: the values of a property that a report is broken down by."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Any, Final, Protocol, Self

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from toolkit.base import ABSENT, Json, dumps, key, texts_where
from toolkit.columns import Codes, Column, Positions

#: The segment of an absent profile, an absent property and null.
NOT_SET: Final = "(not set)"
EMPTY_TEXT: Final = "(empty string)"
EMPTY_LIST: Final = "(empty list)"
#: The segment of all that a report does not show one by one.
OTHER: Final = "(other)"

#: How the text of a time ends that may be written as a day.
MIDNIGHT: Final = "T00:00:00Z"

# One text for each day or moment: nothing is lost of what is read.
_DATE: Final = re.compile(r"[12]\d{3}-\d\d-\d\d")
_TIME: Final = re.compile(r"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(?:(?!\.0{6})\.\d{6})?Z")


@dataclass(frozen=True, eq=False, slots=True)
class Level:
    """What some segments are by one of the things a report is broken down by.

    Attributes
    ----------
    codes
        Of each segment: which value it has here.
    labels
        Of each segment: what to call that value, no two values alike.
    is_ordered
        Whether the values have an order of their own: that of the codes.
    typed
        Of each segment: the value as it is, in a pandas array; None if labels say what it is.
    """

    codes: Positions
    labels: list[str]
    is_ordered: bool = False
    typed: Any = None


class Values(Protocol):
    """What the codes of segments stand for."""

    def __len__(self) -> int:
        """Return how many there are."""

    def levels(self, chosen: Positions) -> list[Level]:
        """Return what some of them are, by each thing a report is broken down by."""

    def identities(self) -> list[Hashable]:
        """Return what each is: the same for the same segment of other users."""

    def take(self, chosen: Positions) -> Self:
        """Return some of them."""

    def followed_by(self, other: Any) -> Self:
        """Return these, then those of other users by the same breakdown."""


@dataclass(frozen=True, eq=False, slots=True)
class Distinct:
    """Each distinct value of a property once; an absent cell is "not set".

    Attributes
    ----------
    cells
        The values.
    zone
        The time zone that times are shown in.
    is_of_lists
        Whether some are elements of lists.
    """

    cells: Column
    zone: tzinfo = UTC
    is_of_lists: bool = False

    def __len__(self) -> int:
        return len(self.cells)

    def levels(self, chosen: Positions) -> list[Level]:
        cells = self.cells.take(chosen)
        typed = None if self.is_of_lists else _typed(cells, self.zone)
        labels = _labels(cells.cells())
        return [Level(chosen, as_days(labels) if self.zone is UTC else labels, typed=typed)]

    def identities(self) -> list[Hashable]:
        return [key(None if cell is ABSENT else cell) for cell in self.cells.cells()]

    def take(self, chosen: Positions) -> Distinct:
        return replace(self, cells=self.cells.take(chosen))

    def followed_by(self, other: Distinct) -> Distinct:
        is_of_lists = self.is_of_lists or other.is_of_lists
        return Distinct(self.cells.followed_by(other.cells), self.zone, is_of_lists)


@dataclass(frozen=True, eq=False, slots=True)
class Ordered:
    """Segments with names and an order of their own, such as ranges of a number.

    Attributes
    ----------
    names
        What each is called.
    places
        Where each is in their order: tuples that can be compared, of a range its number.
    """

    names: Sequence[str]
    places: Sequence[tuple[Any, ...]]

    def __len__(self) -> int:
        return len(self.names)

    def levels(self, chosen: Positions) -> list[Level]:
        names = [self.names[at] for at in chosen.tolist()]
        places = [self.places[at] for at in chosen.tolist()]
        ranks = {place: rank for rank, place in enumerate(sorted(set(places)))}
        codes = np.array([ranks[place] for place in places], np.int64)
        return [Level(codes, names, is_ordered=True)]

    def identities(self) -> list[Hashable]:
        return list(self.places)

    def take(self, chosen: Positions) -> Ordered:
        at = chosen.tolist()
        return Ordered([self.names[each] for each in at], [self.places[each] for each in at])

    def followed_by(self, other: Ordered) -> Ordered:
        return Ordered([*self.names, *other.names], [*self.places, *other.places])


@dataclass(frozen=True, eq=False, slots=True)
class WithOther:
    """Some segments, and one for all that are not shown one by one.

    Attributes
    ----------
    shown
        The segments that are shown.
    places
        Which of these each is; -1 for the one of all others.
    """

    shown: Values
    places: Positions

    def __len__(self) -> int:
        return len(self.places)

    def levels(self, chosen: Positions) -> list[Level]:
        places = self.places[chosen]
        is_shown = places >= 0
        result = []
        for level in self.shown.levels(places[is_shown]):
            codes = np.full(len(chosen), len(self.shown), np.int64)
            codes[is_shown] = level.codes
            labels = np.full(len(chosen), OTHER, object)
            labels[is_shown] = level.labels
            # A number, a truth or a time cannot be what all others are.
            typed = level.typed if is_shown.all() else None
            result.append(Level(codes, labels.tolist(), level.is_ordered, typed))
        return result

    def identities(self) -> list[Hashable]:
        shown = self.shown.identities()
        return [(shown[place],) if place >= 0 else () for place in self.places.tolist()]

    def take(self, chosen: Positions) -> WithOther:
        return WithOther(self.shown, self.places[chosen])

    def followed_by(self, other: WithOther) -> WithOther:
        places = np.where(other.places < 0, -1, other.places + len(self.shown))
        shown = self.shown.followed_by(other.shown)
        return WithOther(shown, np.concatenate([self.places, places]))


@dataclass(frozen=True, eq=False, slots=True)
class Combined:
    """The combinations of several breakdowns that occur.

    Attributes
    ----------
    parts
        What each breakdown has.
    places
        ``int64``, one row per combination: which of each there are in it.
    """

    parts: Sequence[Values]
    places: Positions

    def __len__(self) -> int:
        return len(self.places)

    def levels(self, chosen: Positions) -> list[Level]:
        result = []
        for part, places in zip(self.parts, self.places[chosen].T, strict=True):
            used, back = np.unique(places, return_inverse=True)
            for level in part.levels(used):
                labels = [level.labels[at] for at in back.tolist()]
                typed = None if level.typed is None else level.typed.take(back)
                result.append(Level(level.codes[back], labels, level.is_ordered, typed))
        return result

    def identities(self) -> list[Hashable]:
        each = [part.identities() for part in self.parts]
        columns = zip(each, self.places.T.tolist(), strict=True)
        return list(zip(*([keys[at] for at in places] for keys, places in columns), strict=True))

    def take(self, chosen: Positions) -> Combined:
        return Combined(self.parts, self.places[chosen])

    def followed_by(self, other: Combined) -> Combined:
        parts, columns = [], []
        pairs = zip(self.parts, other.parts, self.places.T, other.places.T, strict=True)
        for mine, theirs, ours, others in pairs:
            # Each value once, for values that are there twice would be told apart by quotes.
            both, which = joined(mine, theirs)
            parts.append(both)
            columns.append(np.concatenate([which[ours], which[len(mine) + others]]))
        return Combined(parts, np.column_stack(columns))


def joined(first: Values, second: Values) -> tuple[Values, Positions]:
    """Return the segments of two groups of users, each once, and which of these each is.

    Those of the first group are before those of the second among the latter.
    """
    both = first.followed_by(second)
    place_of: dict[Hashable, int] = {}
    each = [place_of.setdefault(one, len(place_of)) for one in both.identities()]
    which = np.array(each, np.int64)
    _, at = np.unique(which, return_index=True)
    return both.take(at), which


@dataclass(frozen=True, eq=False, slots=True)
class Segments:
    """The segment of each cell of a column; of a list, one for each distinct element.

    Attributes
    ----------
    codes
        ``int32``, positions in *values*.
    values
        Each distinct value once, "not set" among them.
    owners
        The cell each code belongs to, ascending; None if each cell has one code.
    length
        The number of cells.
    """

    codes: Codes
    values: Values
    owners: Positions | None
    length: int

    @classmethod
    def of(cls, column: Column, zone: tzinfo = UTC) -> Segments:
        """Return the segments of a column's cells; *zone* is where times are shown."""
        if column.kind == "json":
            return _of_json(column, zone)
        if column.kind == "text":
            encoded = pc.dictionary_encode(texts_where(column.has_value, column.values))
            codes, values = encoded.indices, Column.of_array(encoded.dictionary)
            codes = pc.fill_null(codes, len(values)).to_numpy()
        else:
            found, distinct = pd.factorize(column.values[column.has_value])
            values = Column.of_array(np.asarray(distinct, column.values.dtype))
            codes = np.full(len(column), len(values), np.int32)
            codes[column.has_value] = found
        values = values.followed_by(Column.absent(1))
        return cls(codes, Distinct(values, zone), None, len(column))

    @classmethod
    def crossed(cls, parts: Sequence[Segments]) -> Segments:
        """Return the combinations of the segments of each cell; parts have the same cells.

        Of lists that is each distinct element of one with each of the other.
        """
        owners, codes = parts[0].owners, [parts[0].codes]
        for part in parts[1:]:
            cells = np.arange(part.length) if owners is None else owners
            rows, further = part.beside(cells)
            if rows is not None:
                owners, codes = cells[rows], [each[rows] for each in codes]
            codes.append(further)
        key = codes[0].astype(np.int64)
        for part, code in zip(parts[1:], codes[1:], strict=True):
            # Made compact each time, so that no product of sizes runs over.
            key = pd.factorize(key)[0] * len(part) + code
        compact, inverse = pd.factorize(key)
        first = np.zeros(len(inverse), np.int64)
        first[compact[::-1]] = np.arange(len(compact))[::-1]
        places = np.column_stack([code[first] for code in codes]).astype(np.int64)
        values = Combined([part.values for part in parts], places)
        return cls(compact.astype(np.int32), values, owners, parts[0].length)

    def __len__(self) -> int:
        return len(self.values)

    def beside(self, cells: Positions | Codes) -> tuple[Positions | None, Codes]:
        """Return the segments of many rows, each of which belongs to a cell.

        Parameters
        ----------
        cells
            The cell of each row.

        Returns
        -------
        rows, codes
            Row ``rows[i]`` falls in segment ``codes[i]``; *rows* is None if row i does.
        """
        if self.owners is None:
            return None, self.codes[cells]
        rows, places = spread(self.owners, self.length, cells)
        return rows, self.codes[places]

    def recoded(self, codes: Any, values: Values) -> Segments:
        """Return the segments with others in the place of these; a cell has each once.

        Parameters
        ----------
        codes
            For each of these segments the other, -1 for none.
        values
            What the others are.
        """
        recoded = np.asarray(codes, np.int32)[self.codes]
        if self.owners is None and (recoded >= 0).all():
            return Segments(recoded, values, None, self.length)
        owners = np.arange(self.length) if self.owners is None else self.owners
        keys = owners[recoded >= 0] * len(values) + recoded[recoded >= 0]
        # Kept in the order of the owners.
        keys = np.unique(keys)
        owners, recoded = keys // max(len(values), 1), keys % max(len(values), 1)
        return Segments(recoded.astype(np.int32), values, owners, self.length)

    def with_other(self, others: Positions) -> Segments:
        """Return the segments, some of them as one for all that are not shown one by one."""
        codes = np.arange(len(self))
        codes[others] = len(self)
        return self.recoded(codes, WithOther(self.values, np.append(np.arange(len(self)), -1)))

    def of_rows(self, cells: Positions | Codes) -> Segments:
        """Return the segments of many rows, each of which belongs to a cell."""
        rows, codes = self.beside(cells)
        return Segments(codes, self.values, rows, len(cells))

    def of_groups(
        self, cells: Positions | Codes, owners: Positions | None, length: int
    ) -> Segments:
        """Return the segments of rows that each belong to several cells, each segment once.

        Parameters
        ----------
        cells
            Cells of these segments.
        owners
            The row each of them belongs to, ascending; None if there is one a row.
        length
            The number of rows.
        """
        of_rows = self.of_rows(cells)
        if owners is None:
            return of_rows
        rows = owners if of_rows.owners is None else owners[of_rows.owners]
        keys = np.unique(rows * len(self) + of_rows.codes)
        codes = (keys % len(self)).astype(np.int32)
        return Segments(codes, self.values, keys // len(self), length)


def occurring(codes: Any, size: int) -> tuple[Positions, Positions]:
    """Return which of *size* codes occur, ascending, and where each of *codes* is among these."""
    used = np.flatnonzero(np.bincount(codes, minlength=size))
    places = np.zeros(size, np.int64)
    places[used] = np.arange(len(used))
    return used, places[codes]


def spread(owners: Positions, length: int, cells: Any) -> tuple[Positions, Positions]:
    """Return the elements of many rows, each of which belongs to a cell with some of them.

    Parameters
    ----------
    owners
        The cell of each element, ascending.
    length
        The number of cells.
    cells
        The cell of each row.

    Returns
    -------
    rows, places
        Row ``rows[i]`` has the element at ``places[i]``.
    """
    first = np.searchsorted(owners, np.arange(length + 1))
    begins, sizes = first[:-1][cells], np.diff(first)[cells]
    rows = np.repeat(np.arange(len(cells)), sizes)
    # The n-th of a row's elements stands n places behind its first.
    nth = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rows, np.repeat(begins, sizes) + nth


def _labels(cells: list[Any]) -> list[str]:
    """Return what to call some values, no two alike.

    A text that would read like something else (the text "(not set)", or "true"
    next to the boolean) is in quotes.
    """
    taken = {NOT_SET, EMPTY_TEXT, EMPTY_LIST, OTHER}
    taken.update(label(cell) for cell in cells if not isinstance(cell, str))
    result = []
    for cell in cells:
        name = label(cell)
        if isinstance(cell, str) and cell:
            while name in taken:
                name = dumps(name)
            taken.add(name)
        result.append(name)
    return result


def as_days(labels: list[str]) -> list[str]:
    """Return labels of times as days where all of them are midnight in UTC.

    >>> as_days(["2026-01-02T00:00:00Z", "(not set)"])
    ['2026-01-02', '(not set)']
    """
    times = [each for each in labels if each != NOT_SET]
    if not all(each.endswith(MIDNIGHT) and _TIME.fullmatch(each) for each in times):
        return labels
    return [each.removesuffix(MIDNIGHT) for each in labels]


def _typed(cells: Column, zone: tzinfo) -> Any:
    """Return numbers, truths, dates or times as such in a pandas array; None for all else.

    Numbers of which a float would lose a digit are something else, too.
    """
    cells = cells.narrowed()
    if not cells.has_any_value:
        return None
    if cells.kind == "text":
        return _times(cells, zone)
    array = cells.as_array(null_is_missing=True)
    if isinstance(array, np.ndarray) and array.dtype == np.float64:
        return pd.arrays.FloatingArray(array, np.isnan(array))
    return None if isinstance(array, np.ndarray) else array


def _times(texts: Column, zone: tzinfo) -> Any:
    """Return texts that are all dates, or all times as the toolkit writes them; None of others."""
    values = texts.keep(texts.has_value).values.to_pylist()
    is_date = _DATE.fullmatch(values[0]) is not None
    form = _DATE if is_date else _TIME
    if not all(map(form.fullmatch, values)):
        return None
    moments = np.full(len(texts), np.datetime64("NaT", "us"))
    try:
        moments[texts.has_value] = np.array([value.removesuffix("Z") for value in values], "M8[us]")
    except ValueError:  # the 30th of February
        return None
    index = pd.DatetimeIndex(moments)
    return (index if is_date else index.tz_localize("UTC").tz_convert(zone)).array


def label(value: Json | Any) -> str:
    """Return how a report calls the segment of a value.

    >>> label(None), label(""), label(True), label(1.0), label(2.5), label("pro")
    ('(not set)', '(empty string)', 'true', '1', '2.5', 'pro')
    """
    if value is None or value is ABSENT:
        return NOT_SET
    if isinstance(value, str):
        return value or EMPTY_TEXT
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return dumps(value) if value != [] else EMPTY_LIST


def _of_json(column: Column, zone: tzinfo) -> Segments:
    code_of: dict[Hashable, int] = {}
    values: list[Json] = []
    codes: list[int] = []
    owners: list[int] = []

    def code(value: Json) -> int:
        number = code_of.setdefault(key(value), len(values))
        if number == len(values):
            values.append(value)
        return number

    not_set, is_of_lists = code(None), False
    for owner, cell in enumerate(column.cells()):
        if cell is ABSENT:
            mine: Iterable[int] = (not_set,)
        elif isinstance(cell, list) and cell:
            # The event counts once in each distinct element's segment.
            mine, is_of_lists = dict.fromkeys(map(code, cell)), True
        else:
            mine = (code(cell),)
        for one in mine:
            codes.append(one)
            owners.append(owner)
    narrow = np.array(codes, np.int32)
    distinct = Distinct(Column.of(values), zone, is_of_lists)
    if len(codes) == len(column):
        return Segments(narrow, distinct, None, len(column))
    return Segments(narrow, distinct, np.array(owners, np.int64), len(column))
