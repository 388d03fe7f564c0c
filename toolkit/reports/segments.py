"""Segments: the values of a property that a report is broken down by."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from toolkit.columns import Column, Positions
from toolkit.series import Codes
from toolkit.values import ABSENT, Json, dumps, key, texts_where

#: The segment of an absent profile, an absent property and null.
NOT_SET: Final = "(not set)"
EMPTY_TEXT: Final = "(empty string)"
EMPTY_LIST: Final = "(empty list)"


@dataclass(frozen=True, eq=False, slots=True)
class Segments:
    """The segment of each cell of a column; of a list, one for each distinct element.

    Attributes
    ----------
    codes
        ``int32``, positions in *values*.
    values
        Each distinct value once, and an absent cell for "not set".
    owners
        The cell each code belongs to, ascending; None if each cell has one code.
    length
        The number of cells.
    """

    codes: Codes
    values: Column
    owners: Positions | None
    length: int

    @classmethod
    def of(cls, column: Column) -> Segments:
        """Return the segments of a column's cells."""
        if column.kind == "json":
            return _of_json(column)
        if column.kind == "text":
            encoded = pc.dictionary_encode(texts_where(column.has_value, column.values))
            codes, values = encoded.indices, Column.of_array(encoded.dictionary)
            codes = pc.fill_null(codes, len(values)).to_numpy()
        else:
            found, distinct = pd.factorize(column.values[column.has_value])
            values = Column.of_array(np.asarray(distinct, column.values.dtype))
            codes = np.full(len(column), len(values), np.int32)
            codes[column.has_value] = found
        return cls(codes, values.followed_by(Column.absent(1)), None, len(column))

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
        first = np.searchsorted(self.owners, np.arange(self.length + 1))
        begins, sizes = first[:-1][cells], np.diff(first)[cells]
        rows = np.repeat(np.arange(len(cells)), sizes)
        # The n-th of a row's elements stands n places behind its first.
        nth = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return rows, self.codes[np.repeat(begins, sizes) + nth]

    def labels(self, chosen: Positions) -> list[str]:
        """Return what to call some segments, no two alike.

        A text that would read like something else (the text "(not set)", or "true"
        beside the boolean) stands in quotes.
        """
        cells = self.values.take(chosen).cells()
        taken = {NOT_SET, EMPTY_TEXT, EMPTY_LIST}
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


def _of_json(column: Column) -> Segments:
    known: dict[Hashable, int] = {}
    values: list[Json] = []
    codes: list[int] = []
    owners: list[int] = []

    def code(value: Json) -> int:
        found = known.setdefault(key(value), len(values))
        if found == len(values):
            values.append(value)
        return found

    not_set = code(None)
    for owner, cell in enumerate(column.cells()):
        if cell is ABSENT:
            mine: Iterable[int] = (not_set,)
        elif isinstance(cell, list) and cell:
            # The event counts once in each distinct element's segment.
            mine = dict.fromkeys(map(code, cell))
        else:
            mine = (code(cell),)
        for one in mine:
            codes.append(one)
            owners.append(owner)
    narrow = np.array(codes, np.int32)
    distinct = Column.of(values)
    if len(codes) == len(column):
        return Segments(narrow, distinct, None, len(column))
    return Segments(narrow, distinct, np.array(owners, np.int64), len(column))
