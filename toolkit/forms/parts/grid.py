"""A table of which only the page in view travels to the browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypedDict

from traitlets import Bool, Dict, Int, List, Unicode

from toolkit.forms.parts import guarded
from toolkit.forms.parts.guarded import ASSETS

#: Longer texts are cut before they travel.
CELL_LENGTH: Final = 300


class GridColumn(TypedDict, total=False):
    """One column: ``key`` and ``label``, and what else there is to say."""

    key: str
    label: str
    #: Whether its head sorts.
    sortable: bool
    #: Whether its cells are numbers, which are aligned right.
    number: bool
    #: What shows when its head is pointed at.
    title: str
    #: A CSS width.
    width: str


class GridRow(TypedDict, total=False):
    """One row: its ``id``, and a text a column, None where there is nothing."""

    id: str
    cells: list[str | None]
    #: A CSS class after ``tk-grid-``, such as ``"faint"``.
    kind: str


class Grid(guarded.AnyWidget):
    """One page of a table: rows to read, sort, tick and open.

    Whoever owns it puts columns, rows and counts in its traits and answers what
    people ask for. Texts are shown as they are, whatever they hold.

    Attributes
    ----------
    columns, rows
        What is in view: :class:`GridColumn` and :class:`GridRow` each.
    total, page, page_size
        How many rows there are, which page is in view (from 0), and rows a page.
    sort
        The key of the column sorted by and whether it goes down; ``["", False]`` for none.
    selectable, selected
        Whether rows have ticks, and the ids of those ticked, on other pages too.
    opens
        Whether a row can be opened, by a click or Enter.
    empty
        What to say if there are no rows.
    label
        What assistive technology calls the table.
    noun, nouns
        What a row is, for the count below.
    """

    _esm = (ASSETS / "grid.js").read_text(encoding="utf-8")
    _css = (ASSETS / "grid.css").read_text(encoding="utf-8")
    columns = List(Dict()).tag(sync=True)
    rows = List(Dict()).tag(sync=True)
    total = Int(0).tag(sync=True)
    page = Int(0).tag(sync=True)
    page_size = Int(25).tag(sync=True)
    sort = List(["", False]).tag(sync=True)
    selectable = Bool(False).tag(sync=True)
    selected = List(Unicode()).tag(sync=True)
    opens = Bool(False).tag(sync=True)
    empty = Unicode("Nothing to show.").tag(sync=True)
    label = Unicode("Table").tag(sync=True)
    noun = Unicode("row").tag(sync=True)
    nouns = Unicode("rows").tag(sync=True)

    def __init__(
        self,
        *,
        on_open: Callable[[str], None] | None = None,
        on_sort: Callable[[str], None] | None = None,
        on_page: Callable[[int], None] | None = None,
        **traits: Any,
    ) -> None:
        super().__init__(opens=on_open is not None, **traits)
        self._on_open, self._on_sort, self._on_page = on_open, on_sort, on_page
        self.on_msg(self._take)

    def _take(self, _: object, content: dict[str, Any], __: object) -> None:
        kind = content.get("type")
        if kind == "open" and self._on_open is not None:
            self._on_open(str(content["id"]))
        elif kind == "sort" and self._on_sort is not None:
            self._on_sort(str(content["key"]))
        elif kind == "page" and self._on_page is not None:
            self._on_page(int(content["page"]))

    def show(
        self,
        columns: Sequence[GridColumn],
        rows: Sequence[GridRow],
        *,
        total: int | None = None,
        page: int = 0,
    ) -> None:
        """Put a page in view; *total* is the number of rows by default."""
        with self.hold_sync():
            self.columns = [{**column} for column in columns]
            self.rows = [{**row, "cells": [_cut(cell) for cell in row["cells"]]} for row in rows]
            self.total = len(rows) if total is None else total
            self.page = page


def _cut(cell: str | None) -> str | None:
    if cell is None or len(cell) <= CELL_LENGTH:
        return cell
    return cell[: CELL_LENGTH - 1] + "…"
