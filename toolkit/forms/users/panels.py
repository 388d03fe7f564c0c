"""The panels of the form of users: a property of many, cohorts, export, batches."""

from __future__ import annotations

from typing import Any

from toolkit.base import Html, count
from toolkit.forms.parts import guarded, parts
from toolkit.forms.parts.download import Download
from toolkit.forms.parts.filter_rows import FilterRows
from toolkit.forms.parts.grid import Grid, GridRow
from toolkit.forms.users.batches import BatchRow
from toolkit.forms.users.export import Exported
from toolkit.forms.users.state import UsersState
from toolkit.forms.users.values import AUTOMATIC, KINDS
from toolkit.sources import FORMATS


class Panel(guarded.Box):
    """A panel that does one thing; Enter in one of its fields does it too."""

    def __init__(self, state: UsersState) -> None:
        self.state = state
        super().__init__()
        self.add_class("tk-column")
        self.add_class("tk-users-panel")

    def submit(self) -> None:
        """Do what the panel is for."""

    def update(self) -> None:
        """Look at what is ticked and found now."""


class FilterPanel(guarded.Box):
    """The filter, what it says in code, and what is odd about it."""

    def __init__(self, state: UsersState) -> None:
        self._state = state
        self._summary = parts.block()
        super().__init__([FilterRows(state.filter, "Filter"), self._summary])
        self.add_class("tk-column")
        self.add_class("tk-users-panel")
        state.observe(lambda _: self._draw(), ["expression", "notes"])
        self._draw()

    def begin(self) -> None:
        """Offer a condition to fill in, where there is none yet."""
        filter_ = self._state.filter
        if filter_.mode == "rows" and not filter_.rows:
            filter_.add()

    def _draw(self) -> None:
        summary = Html()
        if self._state.expression:
            code = Html('<code class="tk-users-code">{}</code>').format(self._state.expression)
            summary = Html('<p class="tk-hint">In code: {}</p>').format(code)
        for sentence in self._state.notes:
            summary += Html('<div class="tk-note tk-warning" role="status">{}</div>').format(
                sentence
            )
        self._summary.value = summary


class PropertyPanel(Panel):
    """One property to be written in many profiles."""

    def __init__(self, state: UsersState) -> None:
        super().__init__(state)
        self.name = parts.combobox("Property", placeholder="a new one, or an existing one")
        self.value = parts.text("Value", placeholder="pro, 12, true, [1, 2]")
        self.kind = parts.dropdown(
            "Read it as",
            [(label, kind) for kind, label in KINDS.items()],
            AUTOMATIC,
            width="320px",
        )
        self.to = parts.dropdown("Write it to", [("", "found")], "found", width="360px")
        self.keep = parts.checkbox("Keep values that are already there")
        self._errors = {
            "property": parts.FieldError(self.name),
            "value": parts.FieldError(self.value),
            "to": parts.FieldError(self.to),
        }
        self.children = (
            parts.subheading("Write one property to many profiles"),
            parts.row(self.name, self._errors["property"]),
            parts.row(self.value, self._errors["value"]),
            self.kind,
            parts.row(self.to, self._errors["to"]),
            self.keep,
            parts.row(parts.button("Write…", self.submit, kind="primary")),
        )
        state.observe(self._draw_problems, "problems")
        self.update()

    def update(self) -> None:
        """Look at what is ticked and found now."""
        state = self.state
        names = tuple(name for name in state.available if not name.startswith("$"))
        if self.name.options != names:
            self.name.options = names
        # The ticked come last, so that the others keep their places in the list.
        options = [
            (f"all that are found ({state.matching:,})", "found"),
            (f"all ({state.total:,})", "all"),
        ]
        if state.picked_count:
            options.append((f"the ticked ({state.picked_count:,})", "picked"))
        had_ticks = len(self.to.options) == 3
        kept = self.to.value
        if bool(state.picked_count) != had_ticks:
            kept = "picked" if state.picked_count else "found"
        parts.offer(self.to, options, kept)

    def submit(self) -> None:
        """Ask whether to write it."""
        self.state.ask_add_property(
            self.name.value, self.value.value, self.kind.value, to=self.to.value,
            keep=self.keep.value,
        )  # fmt: skip

    def _draw_problems(self, _: object) -> None:
        for field, error in self._errors.items():
            error.show(self.state.problems.get(field, ""))


class CohortPanel(Panel):
    """Naming those ticked or found, and the cohorts there are."""

    def __init__(self, state: UsersState) -> None:
        super().__init__(state)
        self.name = parts.text("Name", placeholder="such as Paying")
        self._error = parts.FieldError(self.name)
        self._whom = parts.block()
        self._property_hint = parts.block()
        self.children = (
            parts.subheading("Save as cohort"),
            self._whom,
            parts.row(
                self.name, parts.button("Save cohort", self.submit, kind="primary"), self._error
            ),
            self._property_hint,
        )
        state.observe(lambda _: self._error.show(state.problems.get("cohort", "")), "problems")
        self.update()

    def update(self) -> None:
        """Look at what is ticked and found now."""
        self._whom.value = _whom(self.state)
        row = Html(
            '<tr><td>{}</td><td>{:,}</td><td><code class="tk-users-code">{}</code></td></tr>'
        )
        rows = Html().join(
            row.format(cohort.name, len(cohort), cohort.definition)
            for cohort in self.state.cohorts.values()
        )
        if rows:
            self._property_hint.value = Html(
                '<table class="tk-plain-table"><thead><tr><th>Cohort</th><th>Users</th>'
                "<th>How found</th></tr></thead><tbody>{}</tbody></table>"
                '<p class="tk-hint">In code: <code class="tk-users-code">'
                'form.cohorts["…"]</code>, with <code class="tk-users-code">.ids</code> and '
                '<code class="tk-users-code">.expression</code>.</p>'
            ).format(rows)

    def submit(self) -> None:
        """Save it."""
        if self.state.save_cohort(self.name.value) is not None:
            self.name.value = ""
        self.update()


class ExportPanel(Panel):
    """Writing those ticked or found to a file, or for download."""

    def __init__(self, state: UsersState) -> None:
        super().__init__(state)
        tables_first = sorted(FORMATS.values(), key=lambda each: not each.is_table)
        self.kind = parts.dropdown(
            "As",
            [(each.label, each.name) for each in tables_first],
            "csv",
            width="460px",
        )
        self.only_columns = parts.checkbox("Only the columns shown, in their order")
        self.path = parts.text("Or a file", placeholder="users.csv, next to the notebook")
        self._error = parts.FieldError(self.path)
        self._whom = parts.block()
        self.download = Download()
        self.children = (
            parts.subheading("Export"),
            self._whom,
            self.kind,
            self.only_columns,
            parts.row(parts.button("Download", self.fetch, kind="primary"), self.download),
            parts.row(self.path, parts.button("Write file", self.submit), self._error),
            parts.hint("In CSV, text that a spreadsheet would run as a formula is defused."),
        )
        self.path.layout.width = "360px"
        state.observe(lambda _: self._error.show(state.problems.get("path", "")), "problems")
        self.kind.observe(self._kind_changed, "value")
        self.update()

    def _kind_changed(self, change: Any) -> None:
        self.only_columns.layout.display = "" if change["new"] == "csv" else "none"
        self.path.placeholder = f"users.{change['new']}, next to the notebook"

    def update(self) -> None:
        """Look at what is ticked and found now."""
        self._whom.value = _whom(self.state)

    def fetch(self) -> None:
        """Have the browser save it."""
        kind = self.kind.value

        def ready(done: Exported) -> None:
            self.download.offer(done.name, done.content, FORMATS[kind].media)

        self.state.export(kind, only_columns=self._only_columns, on_ready=ready)

    def submit(self) -> None:
        """Write it to the file named; without a name have the browser save it."""
        if not self.path.value.strip():
            self.fetch()
            return
        self.state.export(self.kind.value, self.path.value, only_columns=self._only_columns)

    @property
    def _only_columns(self) -> bool:
        return bool(self.kind.value == "csv" and self.only_columns.value)


class BatchPanel(Panel):
    """The latest batches, to be undone and redone."""

    def __init__(self, state: UsersState) -> None:
        super().__init__(state)
        self._batch: BatchRow | None = None
        self.grid = Grid(
            label="Batches",
            page_size=1000,
            noun="batch",
            nouns="batches",
            empty="Nothing was written yet.",
            on_open=self._choose,
        )
        self._summary = parts.block()
        self._act = parts.button("Undo", self.submit, kind="danger")
        self._choice = parts.row(self._summary, self._act)
        self._older = parts.block()
        self.children = (
            parts.subheading("Latest batches"),
            parts.hint("Click a batch to undo or redo it. An undo is a batch of its own."),
            self.grid,
            self._older,
            self._choice,
        )
        state.batches.observe(lambda _: self.update(), "batches")
        self.update()

    def update(self) -> None:
        """Look at the log as it is now."""
        batches = self.state.batches
        self.grid.show(
            [
                {"key": "id", "label": "Batch", "number": True},
                {"key": "time", "label": "Arrived (UTC)"},
                {"key": "source", "label": "Source"},
                {"key": "counts", "label": "Profiles"},
                {"key": "status", "label": "Status"},
            ],
            [_batch_row(each) for each in batches.batches],
        )
        older = batches.total - len(batches.batches)
        words = f"And {count(older, 'older batch')}: profiles.batches lists all." if older else ""
        self._older.value = parts.hint_html(words)
        current = self._batch.id if self._batch else 0
        self._show(next((each for each in batches.batches if each.id == current), None))

    def _choose(self, batch_id: str) -> None:
        batches = (each for each in self.state.batches.batches if str(each.id) == batch_id)
        self._show(next(batches, None))

    def _show(self, batch: BatchRow | None) -> None:
        self._batch = batch
        self._choice.layout.display = "none" if batch is None else ""
        if batch is None:
            return
        words = f"Batch {batch.id}, {batch.source}: {batch.counts}."
        if batch.status:
            words += f" {batch.status[:1].upper()}{batch.status[1:]}."
        elif not batch.action:
            words += " To take it back, redo the batch it undid."
        self._summary.value = Html("<span>{}</span>").format(words)
        self._act.layout.display = "" if batch.action else "none"
        self._act.description = f"{batch.action.capitalize()} batch {batch.id}"

    def submit(self) -> None:
        """Undo or redo the batch chosen."""
        if self._batch is not None and self._batch.action == "undo":
            self.state.batches.undo(self._batch.id)
        elif self._batch is not None and self._batch.action == "redo":
            self.state.batches.redo(self._batch.id)


class Refusal(guarded.Box):
    """Why a batch was not undone, and what can be done instead."""

    def __init__(self, state: UsersState) -> None:
        self._batches = state.batches
        self._summary = parts.block()
        rest = parts.button("Undo the untouched ones", self._batches.undo_untouched)
        rest.tooltip = "Keep what later updates wrote, and undo the rest"
        super().__init__(
            [
                self._summary,
                parts.row(rest, parts.button("Leave it", self._batches.dismiss, kind="plain")),
            ]
        )
        self.add_class("tk-column")
        self._batches.observe(lambda _: self._draw(), ["refused", "conflicts"])
        self._draw()

    def _draw(self) -> None:
        batches = self._batches
        self.layout.display = "" if batches.refused else "none"
        row = Html("<tr><td>{}</td><td>{}</td><td>{}</td></tr>")
        rows = Html().join(
            row.format(key, name or "the profile", reason)
            for key, name, reason in batches.conflicts
        )
        more = batches.conflict_count - len(batches.conflicts)
        self._summary.value = Html(
            '<table class="tk-plain-table"><thead><tr><th>Profile</th><th>Property</th>'
            "<th>Why not</th></tr></thead><tbody>{}</tbody></table>{}"
        ).format(rows, parts.hint_html(f"And {more:,} more." if more > 0 else ""))


def _batch_row(batch: BatchRow) -> GridRow:
    status = batch.status or None
    return {
        "id": str(batch.id),
        "cells": [str(batch.id), batch.time, batch.source, batch.counts, status],
    }


def _whom(state: UsersState) -> Html:
    if state.picked_count:
        words = f"Whom: the ticked ({state.picked_count:,})."
    else:
        words = f"Whom: all that are found ({state.matching:,}). Tick rows for only those."
    return parts.hint_html(words)
