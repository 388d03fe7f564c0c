"""What a property adds to a measure: its numbers, or its distinct values."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from toolkit.base import ABSENT
from toolkit.columns import Column, Instants, Mask, Positions
from toolkit.expressions import Cells
from toolkit.reports.question.breakdowns import as_column
from toolkit.reports.question.segments import Distinct, Segments, spread


@dataclass(frozen=True, eq=False)
class Amounts:
    """The values of a property that count, of each cell none, one or several.

    Attributes
    ----------
    values
        ``int64`` where all are integers of 64 bits, else ``float64``.
    owners
        The cell of each, ascending; None if each cell has one.
    length
        The number of cells.
    refused
        Which cells hold something that does not count.
    column
        Of distinct values: what each number stands for.
    """

    values: Any
    owners: Positions | None
    length: int
    refused: Mask
    column: Column | None = None

    @classmethod
    def numbers(cls, column: Column | Instants) -> Amounts:
        """Return the numbers of a column; of a list the numbers among its elements."""
        cells = Cells.of(column)
        at, values, refused = _numbers(cells)
        if "list" not in cells.parts:
            if at.all():
                return cls(values, None, len(at), refused)
            return cls(values[at], np.flatnonzero(at), len(at), refused)
        is_list, lists = cells.parts["list"]
        sizes = np.fromiter(map(len, lists[is_list]), np.int64, int(is_list.sum()))
        rows = np.repeat(np.flatnonzero(is_list), sizes)
        elements = Cells.of(Column.of(list(chain.from_iterable(lists[is_list]))))
        inner_at, inner, inner_refused = _numbers(elements, lists_too=True)
        refused = refused & ~is_list
        refused[rows[inner_refused]] = True
        owners = np.concatenate([np.flatnonzero(at), rows[inner_at]])
        if values.dtype != inner.dtype:  # no number at all fits with any
            is_int = not at.any() or not inner_at.any()
            kept = inner.dtype if not at.any() else values.dtype
            kept = kept if is_int else np.dtype(np.float64)
            values, inner = values.astype(kept), inner.astype(kept)
        amounts = np.concatenate([values[at], inner[inner_at]])
        order = np.argsort(owners, kind="stable")
        return cls(amounts[order], owners[order], len(at), refused)

    @classmethod
    def distinct(cls, column: Column | Instants) -> Amounts:
        """Return a number for each distinct value; of a list for each distinct element."""
        segments = Segments.of(as_column(column))
        assert isinstance(segments.values, Distinct)
        cells = segments.values.cells
        counts = (
            np.array(
                [cell is not ABSENT and cell is not None and cell != [] for cell in cells.cells()]
            )
            if cells.kind == "json"
            else cells.has_value
        )
        at = counts[segments.codes]
        owners = np.arange(segments.length) if segments.owners is None else segments.owners
        refused = np.zeros(segments.length, np.bool_)
        codes = segments.codes[at].astype(np.int64)
        return cls(codes, owners[at], segments.length, refused, cells)

    def beside(self, cells: Any) -> tuple[Positions | None, Any]:
        """Return the values next to many rows, each of which belongs to a cell.

        Parameters
        ----------
        cells
            The cell of each row; None if row i is that of cell i.

        Returns
        -------
        rows, values
            Row ``rows[i]`` has the value ``values[i]``; *rows* is None if row i does.
        """
        if cells is None:
            return self.owners, self.values
        if self.owners is None:
            return None, self.values[cells]
        rows, places = spread(self.owners, self.length, cells)
        return rows, self.values[places]


def _numbers(cells: Cells, *, lists_too: bool = False) -> tuple[Mask, Any, Mask]:
    """Return where there is a number, the numbers, and where there is something else."""
    at = np.zeros(cells.length, np.bool_)
    refused = np.zeros(cells.length, np.bool_)
    is_whole = "float" not in cells.parts and "big" not in cells.parts
    values: Any = np.zeros(cells.length, np.int64 if is_whole else np.float64)
    for family, (where, held) in cells.parts.items():
        if family in ("int", "float"):
            at = at | where
            if len(cells.parts) == 1 and held.dtype == values.dtype:
                values = held
            else:
                values[where] = held[where]
        elif family == "big":
            floats = np.array([_as_float(each) for each in held[where]])
            values[where] = floats
            at = at | where
            at[np.flatnonzero(where)[~np.isfinite(floats)]] = False
            refused |= where & ~at
        elif family != "list" or lists_too:
            refused |= where
    return at, values, refused


def _as_float(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf")
