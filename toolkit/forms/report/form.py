"""The report builder on the page: choose, look, click, copy the Python."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from toolkit.base import Html, cell_text, count
from toolkit.events import AnyEvents, Profiles
from toolkit.forms.parts import parts
from toolkit.forms.parts.chart import Chart
from toolkit.forms.parts.choosing import Chooser
from toolkit.forms.parts.code import Code
from toolkit.forms.parts.download import Download
from toolkit.forms.parts.filter_rows import FilterRows
from toolkit.forms.parts.form import Form
from toolkit.forms.parts.grid import Grid, GridColumn, GridRow
from toolkit.forms.report.fields import FieldPart
from toolkit.forms.report.state import ReportBuilderState
from toolkit.reports import FilterField, Report

_PAGE: Final = 10
# What the words between the fields and the answer follow.
_WORDS: Final = ["error", "is_asking", "message", "python", "is_old"]
# Only what the parts shared by all forms have no look for.
_STYLE: Final = """
.tk-form .tk-report-field:has(.tk-is-wide) { grid-column: 1 / -1; }
.tk-form .tk-event-choice > .tk-column { padding: 0 0 6px 118px; }
.tk-form .tk-report-field .tk-event-choice.tk-column > button {
  align-self: flex-start; margin-left: 118px; width: auto;
}
.tk-form .tk-report-fields {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: 6px 12px;
  align-items: start;
}
.tk-form .tk-report-field, .tk-form .tk-report-field > * { min-width: 0; width: 100%; }
.tk-form .tk-report-field > .tk-column > * { width: 100%; }
.tk-form .tk-report-field :is(.tk-field-error, .tk-field-asks) {
  display: block; padding-left: 118px;
}
.tk-form .tk-report-wait { position: relative; height: 0; z-index: 6; }
.tk-form .tk-report-wait .tk-progress {
  animation-delay: 1s; position: absolute; top: 8px; left: 0; padding: 6px 10px;
  background: var(--tk-ground); border: 1px solid var(--tk-line); border-radius: 4px;
}
.tk-form .tk-report-first { height: 60px; }
"""


class ReportBuilder(Form):
    """A form that builds reports: choose what to count, and see it.

    The chart and the table follow each change. A click on a row of the table, or on
    the chart, shows the users behind it; they are in ``builder.state.users``. The
    Python that makes the same report is there to be copied into a cell.

    Parameters
    ----------
    profiles
        The profiles; None if there are none.
    events
        An :class:`~toolkit.Events`, or a DataFrame with the usual column names; None if there
        are none.

    Attributes
    ----------
    state
        What the form knows; programs use it in place of the mouse.

    Examples
    --------
    >>> import pandas as pd
    >>> df = pd.DataFrame({"event": ["Buy"], "distinct_id": ["ann"], "time": ["2026-05-01"]})
    >>> builder = ReportBuilder(None, df)
    >>> builder.state.set(event="Buy", unit=None)
    >>> builder.state.wait(60)
    True
    >>> builder.state.report.table
       count
    0      1
    """

    def __init__(self, profiles: Profiles | None, events: AnyEvents | None = None) -> None:
        names = {}
        for usual, value in (("events", events), ("profiles", profiles)):
            if value is not None:
                names[usual] = _called(value, usual)
        self.state = state = ReportBuilderState(profiles, events, names=names)  # type: ignore[arg-type]
        self._notices = parts.Note()
        self._report = parts.dropdown("Report", list(state.declarations), width="320px")
        self._about = parts.hint("")
        self._fields = parts.row()
        self._fields.add_class("tk-report-fields")
        self._leaving: tuple[FieldPart, ...] = ()
        self._filter = FilterRows(state.filter, "Filter")
        self._error = parts.Note()
        # Above the chart, so that nothing moves; until there is one, in a place of its own.
        self._wait = parts.row(parts.ProgressBar(state.job))
        self._wait.add_class("tk-report-wait")
        self._wait.add_class("tk-report-first")
        self._message = parts.block()
        self._chart = Chart(state.pick_place)
        self._kind = Chooser("Chart", {}, "", self._pick_kind, width="320px")
        self._notes = parts.block()
        self._table = _Table(state)
        self._download = Download()
        self._keep = parts.row(
            parts.button("Save chart (PNG)", self._save_chart),
            parts.button("Save table (CSV)", self._save_table),
            self._download,
        )
        self._users = _Users(state, self._download)
        self._code = Code(label="Python of this report")
        self._python = parts.column(parts.subheading("The same in Python"), self._code)
        self._answer = parts.column(
            self._kind.widget,
            self._chart,
            self._notes,
            self._table.grid,
            self._keep,
            self._users.part,
        )
        super().__init__(
            "Report builder",
            [
                parts.style(_STYLE),
                parts.heading("Report builder"),
                self._notices,
                parts.row(
                    self._report,
                    parts.button(
                        "Refresh",
                        state.refresh,
                        tooltip="Ask again, with the profiles as they are now",
                    ),
                    parts.button("Start over", state.reset, tooltip="Empty every field"),
                ),
                self._about,
                self._fields,
                self._filter,
                self._error,
                self._wait,
                self._message,
                self._answer,
                self._python,
            ],
            on_escape=self._leave,
        )
        self._bind()

    def _bind(self) -> None:
        state = self.state
        self._report.observe(lambda change: setattr(state, "report_name", change.new), "value")
        self.surroundings.observe(lambda change: setattr(state, "dark", change.new), "dark")
        state.observe(lambda _: self._draw_question(), ["report_name", "choices"])
        state.observe(lambda _: self._draw_words(), _WORDS)
        state.observe(lambda _: self._draw_answer(), ["report", "picture"])
        state.observe(lambda _: self._draw_kind(), "kind")
        self._draw_question()
        self._draw_words()
        self._draw_answer()

    # -- the question -------------------------------------------------------------------------

    def _draw_question(self) -> None:
        state = self.state
        self._notices.show(" ".join(state.notices))
        if not state.report_name:
            return
        self._report.value = state.report_name
        self._about.value = parts.hint_html(state.declaration.about)
        # The fields before are on the page until these are drawn, and still take what is typed.
        for part in self._leaving:
            part.leave()
        self._leaving = self._fields.children
        self._fields.children = tuple(
            FieldPart(field, state.choices) for field in state.fields.values()
        )
        filters = [each for each in state.declaration.fields if isinstance(each, FilterField)]
        self._filter.layout.display = "" if filters else "none"

        self._draw_kind()

    def _draw_kind(self) -> None:
        kinds = {kind: words for words, kind in self.state.declaration.kinds}
        if kinds:
            self._kind.show(self.state.kind, kinds)
        self._kind.widget.layout.display = "" if kinds else "none"

    def _pick_kind(self, kind: Any) -> None:
        self.state.kind = kind

    def _leave(self) -> None:
        """Stop what is in progress; with nothing in progress close the users."""
        if self.state.job.running or self.state.users_job.running:
            self.state.cancel()
        else:
            self.state.forget_users()

    # -- the answer -------------------------------------------------------------------------

    def _draw_words(self) -> None:
        state = self.state
        is_wrong = state.is_old and not state.python
        if state.error or not is_wrong:
            self._error.show(state.error, "error")
        else:
            what = "Choose what is asked for" if state.is_asking else "Correct what is marked"
            self._error.show(
                f"{what}; the report below is the previous one.",
                "info" if state.is_asking else "warning",
            )
        self._message.value = _message(state.message) if state.message else ""
        self._code.code = state.python
        self._python.layout.display = "" if state.python else "none"
        self._chart.old = state.is_old

    def _draw_answer(self) -> None:
        report, picture = self.state.report, self.state.picture
        if report is not None:
            self._wait.remove_class("tk-report-first")
        self._answer.layout.display = "none" if report is None or report.is_empty else ""
        if report is None:
            self._chart.show(None, "")
            return
        text = " ".join(report.notes)
        self._notes.value = parts.hint_html(text)
        self._table.show(report)
        if report.is_empty and text:
            self._message.value = _message(self.state.message, parts.hint_html(text))
        # Last: with a new chart the form is saved in the notebook as it is.
        self._chart.show(picture, _described(report))

    def _save_chart(self) -> None:
        self._download.offer("report.png", self.state.png(), "image/png")

    def _save_table(self) -> None:
        self._download.offer("report.csv", self.state.csv(), "text/csv")


class _Table:
    """The table of a report, page by page, sorted by any column; a click leads to users."""

    def __init__(self, state: ReportBuilderState) -> None:
        self._state = state
        self._report: Report | None = None
        self._frame = pd.DataFrame()
        self._order: Any = np.zeros(0, np.int64)
        self.grid = Grid(
            label="Table of the report",
            page_size=_PAGE,
            on_open=self._open,
            on_sort=self._sort,
            on_page=self._show,
            empty="The table has no rows.",
        )

    def show(self, report: Report) -> None:
        """Put a report's table in view, as it is sorted there."""
        if report is self._report:
            return
        self._report, self._frame = report, report.table
        self._order = np.arange(len(self._frame))
        self.grid.sort = ["", False]
        self._show(0)

    def _open(self, row: str) -> None:
        self._state.pick_row(int(row))

    def _sort(self, key: str) -> None:
        name, down = self.grid.sort
        down = not down if name == key else False
        position = int(key)
        column = self._frame.iloc[:, position].reset_index(drop=True)
        self._order = column.sort_values(ascending=not down, kind="stable").index.to_numpy()
        self.grid.sort = [key, down]
        self._show(0)

    def _show(self, page: int) -> None:
        frame = self._frame
        taken = self._order[page * _PAGE : (page + 1) * _PAGE]
        shown = frame.iloc[taken]
        if self._report is not None:
            shown = self._report.labelled(shown)
        properties = self._state.choices.properties
        columns: list[GridColumn] = []
        for at, name in enumerate(map(str, frame.columns)):
            is_number = pd.api.types.is_numeric_dtype(shown.dtypes.iloc[at])
            label = properties[name].label if name in properties else name
            columns.append({"key": str(at), "label": label, "sortable": True, "number": is_number})
        cells = shown.astype(object).to_numpy().tolist()
        rows: list[GridRow] = [
            {
                "id": str(row),
                "cells": list(map(_text, line)),
            }
            for row, line in zip(taken.tolist(), cells, strict=True)
        ]
        self.grid.show(columns, rows, total=len(frame), page=page)


class _Users:
    """The users behind a number: who, and what they are called."""

    def __init__(self, state: ReportBuilderState, download: Download) -> None:
        self._state, self._download = state, download
        self._title = parts.block()
        self._error = parts.Note()
        self._grid = Grid(
            label="Users", page_size=_PAGE, noun="user", nouns="users", on_page=self._show,
            empty="There is nobody with a distinct ID behind this number.",
        )  # fmt: skip
        self._user_list = parts.column(
            self._grid,
            parts.row(
                parts.button("Save users (CSV)", self._save),
                parts.button("Close", state.forget_users, kind="plain", tooltip="Close the users"),
                parts.hint("In Python: form.state.users, where form = tk.ReportBuilder(…)."),
            ),
        )
        self.part = parts.column(
            self._title, self._error, parts.ProgressBar(state.users_job), self._user_list
        )
        state.observe(lambda _: self._draw(), ["cell", "users", "users_error"])
        state.users_job.observe(lambda _: self._draw(), "running")
        self._draw()

    def _draw(self) -> None:
        state = self._state
        is_there = state.cell is not None and not state.users_job.running and not state.users_error
        self._error.show(state.users_error, "warning")
        self._user_list.layout.display = "" if is_there else "none"
        if state.cell is None:
            words = "Click a row, or a point of the chart, to see its users."
            self._title.value = parts.hint_html(words)
            return
        how_many = f": {count(len(state.users), 'user')}" if is_there else ""
        self._title.value = parts.subheading_html(f"Users of {state.users_of}{how_many}")
        self._show(0)

    def _show(self, page: int) -> None:
        ids = self._state.users[page * _PAGE : (page + 1) * _PAGE]
        rows: list[GridRow] = [
            {"id": each, "cells": [title, each]}
            for each, title in zip(ids, self._state.titled(ids), strict=True)
        ]
        columns: list[GridColumn] = [
            {"key": "title", "label": "Name"},
            {"key": "id", "label": "Distinct ID"},
        ]
        self._grid.show(columns, rows, total=len(self._state.users), page=page)

    def _save(self) -> None:
        self._download.offer("users.csv", self._state.users_csv(), "text/csv")


def _message(words: str, hint: str = "") -> Html:
    return Html('<div class="tk-empty" role="status">{}{}</div>').format(words, hint)


def _described(report: Report) -> str:
    """Return what a chart shows, for those who cannot see it."""
    return f"Chart: {report.title}. The table below has its {count(len(report.table), 'row')}."


def _text(cell: Any) -> str | None:
    is_missing = pd.api.types.is_scalar(cell) and pd.isna(cell)
    return None if is_missing else cell_text(cell)


def _called(thing: object, usual: str) -> str:
    """Return what the notebook calls an object, so that the Python shown runs in it."""
    from IPython import get_ipython

    shell: Any = get_ipython()
    names: dict[str, Any] = {} if shell is None else shell.user_ns
    if names.get(usual) is thing:
        return usual
    matches = (name for name, value in list(names.items()) if value is thing and name[0] != "_")
    return next(matches, usual)
