"""What every report has: numbers, a picture, the users behind a number, and notes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd

from toolkit.base import ReportError, check_flag, count, html, is_text, is_whole, listed, quoted
from toolkit.reports.drawing import plots
from toolkit.reports.drawing.spots import Cell
from toolkit.reports.question.ranked import Ranked, segment_name
from toolkit.reports.question.segments import as_days

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROWS_SHOWN: Final = 8

#: The columns of all tables after those of the breakdowns, in their order, and where a wide table
#: has them: its rows are what is "down", its columns what is "across", its cells the numbers.
COLUMNS: Final[dict[str, Literal["down", "across", "number"]]] = {
    **dict.fromkeys(("time", "cohort"), "down"),
    "size": "number",
    **dict.fromkeys(("step", "event", "from", "to"), "down"),
    **dict.fromkeys(("metric", "status", "bucket", "units"), "across"),
    **dict.fromkeys(("retained", "count", "rate", "step_rate", "value"), "number"),
    **dict.fromkeys(("previous", "change", "average_seconds", "median_seconds"), "number"),
    "complete": "number",
}


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

    #: The columns that say which cell of its segment a row is; users has arguments of these names.
    _places: tuple[str, ...] = ()
    #: The segments; the table has as many rows for each.
    _ranked: Ranked

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

    @property
    def _main(self) -> str:
        """The column of numbers that the report is about; empty if it has none."""
        numbers = self._in_place("number")
        return next((name for name in ("count", "value") if name in numbers), "".join(numbers[:1]))

    def _in_place(self, place: str | None) -> list[str]:
        """Return the columns that a wide table has in a place, those of the breakdowns for None."""
        return [name for name in self._table.columns.tolist() if self._place(name) == place]

    def _place(self, name: str) -> str | None:
        # A report of one's own has columns of its own. Numbers of a breakdown are never NumPy's.
        dtype = self._table.dtypes[name]
        is_number = isinstance(dtype, np.dtype) and dtype.kind in "iuf"
        return COLUMNS.get(name, "number" if is_number else None)

    def wide(
        self, values: str | Sequence[str] | None = None, *, incomplete: bool = False
    ) -> pd.DataFrame:
        """Return the numbers as a person would lay them out: times down, segments across.

        Parameters
        ----------
        values
            The column of ``table`` whose numbers to show, or several. By default that which the
            report is about: ``count`` or ``value``; of a funnel and a frequency ``rate``; of a
            retention what it measures.
        incomplete
            Whether to show cells of a retention or frequency whose time is not over at the end
            of the range. By default they are NaN, or NA: their numbers can still grow.

        Returns
        -------
        DataFrame
            One row per ``time``, ``cohort``, step (``step`` and ``event``) or link (``step``,
            ``from`` and ``to``). One column per segment, in the order of ``table``, and within
            each one per ``metric``, ``status``, ``bucket`` or number of ``units``, and per column
            of several *values*; without any of these one column, the number. With nothing to go
            down, the first breakdown does, and the others go across. The numbers are those of
            ``table``. Where it has no row there is none: NaN, or NA with dtype ``Int64``.

        Raises
        ------
        ReportError
            If the table has no such column of numbers.

        Examples
        --------
        >>> import toolkit as tk
        >>> df = pd.DataFrame(
        ...     {
        ...         "event": "Buy",
        ...         "distinct_id": ["ann", "bob", "ann"],
        ...         "time": ["2026-05-01T10:00Z", "2026-05-01T12:00Z", "2026-05-02T09:00Z"],
        ...         "item": ["tea", "jam", "tea"],
        ...     }
        ... )
        >>> tk.segmentation(df, None, "Buy", by="item").wide()  # doctest: +NORMALIZE_WHITESPACE
        event.item                 tea  jam
        time
        2026-05-01 00:00:00+00:00    1    1
        2026-05-02 00:00:00+00:00    1    0
        """
        check_flag("incomplete", incomplete)
        shown: list[Any] = [self._main if values is None else values]
        if is_several := isinstance(values, list | tuple):
            shown = list(values)
        numbers = self._in_place("number")
        for name in shown or [values]:
            if not is_text(name) or name not in numbers:
                raise ReportError(
                    f"values={quoted(name):.60}; the table has {listed(numbers) or 'no numbers'}"
                )
        by, down, across = self._in_place(None), self._in_place("down"), self._in_place("across")
        is_crossed = not down and bool(by)
        down, across = (by[:1], by[1:] + across) if is_crossed else (down, by + across)
        rows, at_row = _axis(self._table, down, in_order=False)
        columns, at_column = _axis(self._table, across, in_order=is_crossed)
        places = np.full((len(columns), len(rows)), -1, np.int64)
        places[at_column, at_row] = np.arange(len(self._table))
        each: list[Any] = [self._table[name].array for name in shown]
        if not incomplete and "complete" in self._table and "complete" not in shown:
            places[at_column, at_row] = np.where(
                self._table["complete"], np.arange(len(self._table)), -1
            )
        if (places < 0).any():
            whole = {"i": "Int64", "b": "boolean"}
            each = [pd.array(a, whole.get(a.dtype.kind, a.dtype)) for a in each]
        if is_several or not across:
            columns = columns.loc[columns.index.repeat(len(shown))]
            columns["values"] = shown * len(places)
        parts = [cells.take(at, allow_fill=True) for at in places for cells in each]
        wide = pd.DataFrame(dict(enumerate(parts)), index=_index(rows))
        wide.columns = _index(columns).set_names([*across, None][: columns.shape[1]])
        return wide

    def labelled(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return rows of the table for people to read: each segment as a report calls it."""
        shown = frame.copy(deep=False)
        for name in self._in_place(None):
            each = {value: segment_name(value) for value in frame[name].unique()}
            texts = [each[value] for value in frame[name]]
            if str(frame[name].dtype).endswith(", UTC]"):
                texts = as_days(texts)
            shown[name] = pd.Series(texts, frame.index, dtype="str")
        return shown

    @abstractmethod
    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the report on *ax*, or on a figure of its own, and return the Axes."""

    @abstractmethod
    def users(self, *args: Any, **cell: Any) -> list[str]:
        """Return the distinct IDs behind a cell of the table, sorted."""

    def cell(self, row: int) -> Cell:
        """Return the arguments with which :meth:`users` gives the IDs behind a row of the table.

        ``report.users(**report.cell(0))`` are those behind the first row.

        Raises
        ------
        ReportError
            If the table has no such row.
        """
        if not is_whole(row):
            raise ReportError(f"row={quoted(row):.40}; give the number of a row, from 0")
        if not 0 <= row < len(self._table):
            raise ReportError(f"row={quoted(row)}; the table has {count(len(self._table), 'row')}")
        return self._cell_of(int(row))

    def _cell_of(self, row: int) -> Cell:
        cell: dict[str, Any] = {}
        for name in self._places:
            at = self._table[name].iloc[row]
            cell[f"{name}_" if iskeyword(name) else name] = int(at) if is_whole(at) else at
        return {**cell, **self._ranked.cell(row // (len(self._table) // len(self._ranked)))}

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted: there is no row, or no number but zeros."""
        main = self._main
        return not main or not bool(self._table[main].fillna(0).any())

    def __repr__(self) -> str:
        shown = self.labelled(self._table.head(html.rows_shown(len(self._table), _ROWS_SHOWN)))
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
        total = len(self._table)
        shown = self.labelled(self._table.head(html.rows_shown(total, _ROWS_SHOWN)))
        parts += [html.table(shown, rows=_ROWS_SHOWN, total=total), html.notes(self.notes)]
        return html.card(self.title, *parts)


def _axis(table: pd.DataFrame, names: list[str], *, in_order: bool) -> tuple[pd.DataFrame, Any]:
    """Return each combination of values of some columns, and which of them each row has.

    They are in the order of the table, or *in_order* in their own.
    """
    codes = np.zeros(len(table), np.int64)
    if not names:
        return pd.DataFrame(index=range(1)), codes
    for name in names:
        each, values = pd.factorize(table[name], use_na_sentinel=False)
        codes = pd.factorize(codes * len(values) + each)[0]
    first = np.unique(codes, return_index=True)[1]
    labels = table[names].iloc[first].reset_index(drop=True)
    if in_order:
        labels = labels.sort_values(names, kind="stable")
        codes = np.argsort(labels.index.to_numpy())[codes]
    # As text: a row or column of one's own, such as a total, is no category.
    return labels.astype(dict.fromkeys(labels.select_dtypes("category"), "str")), codes


def _index(labels: pd.DataFrame) -> pd.Index:
    if labels.shape[1] > 1:
        return pd.MultiIndex.from_frame(labels)
    return pd.Index(labels.iloc[:, 0]) if labels.shape[1] else labels.index
