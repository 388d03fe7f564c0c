"""What every report has: numbers, a picture, the users behind a number, and notes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from toolkit.base import ReportError, count, html, is_whole, quoted
from toolkit.reports.drawing import plots
from toolkit.reports.drawing.spots import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROWS_SHOWN: Final = 8


class Report(ABC):
    """The answer to a question on events and profiles.

    Attributes
    ----------
    title
        The question in one line.
    definition
        The arguments the report was made with, by name.
    notes
        What one should know before trusting the numbers, as sentences: events
        without a profile, hidden events, incomplete buckets.
    """

    def __init__(
        self,
        title: str,
        definition: Mapping[str, object],
        table: pd.DataFrame,
        notes: Sequence[str],
    ) -> None:
        self.title = title
        self.definition = dict(definition)
        self.notes = list(notes)
        self._table = table

    @property
    def table(self) -> pd.DataFrame:
        """The numbers, one row per cell; changing this DataFrame does not change the report."""
        return self._table.copy(deep=False)

    @abstractmethod
    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the report on *ax*, or on a figure of its own, and return the Axes."""

    @abstractmethod
    def users(self, *args: Any, **cell: Any) -> list[str]:
        """Return the distinct IDs behind a cell of the table, sorted."""

    @abstractmethod
    def cell(self, row: int) -> Cell:
        """Return the arguments with which :meth:`users` gives the IDs behind a row of the table.

        ``report.users(**report.cell(0))`` are those behind the first row.
        """

    def _checked(self, row: int) -> int:
        """Return *row*.

        Raises
        ------
        ReportError
            If the table has no such row.
        """
        if not is_whole(row):
            raise ReportError(f"row={quoted(row):.40}; give the number of a row, from 0")
        if not 0 <= row < len(self._table):
            raise ReportError(f"row={quoted(row)}; the table has {count(len(self._table), 'row')}")
        return int(row)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted: there is no row, or no number but zeros."""
        numbers = self._table.select_dtypes("number")
        return not len(self._table) or not numbers.fillna(0).to_numpy(bool).any()

    def __repr__(self) -> str:
        shown = self._table.head(html.rows_shown(len(self._table), _ROWS_SHOWN))
        lines = [self.title, count(len(self._table), "row"), str(shown)]
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        parts = []
        if len(self._table):
            parts.append(
                html.picture(
                    plots.as_png(self.plot), f"Chart: {self.title}", width=plots.PICTURE_WIDTH
                )
            )
        parts += [html.table(self._table, rows=_ROWS_SHOWN), html.notes(self.notes)]
        return html.card(self.title, *parts)
