"""The form of users: a table of profiles to search, filter, change, and open."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from toolkit.base import Html, display_name, display_names
from toolkit.events import AnyEvents, as_events
from toolkit.forms.parts import guarded, parts
from toolkit.forms.parts.form import ASSETS, Form
from toolkit.forms.parts.grid import Grid, GridColumn, GridRow
from toolkit.forms.users.list import UserRow
from toolkit.forms.users.panels import (
    BatchPanel,
    CohortPanel,
    ExportPanel,
    FilterPanel,
    Panel,
    PropertyPanel,
    Refusal,
)
from toolkit.forms.users.profile_view import UserPage
from toolkit.forms.users.rows import TITLE
from toolkit.forms.users.state import UsersState
from toolkit.profiles import ProfileTable
from toolkit.reports import Cohort

_STYLE: Final = (ASSETS / "users.css").read_text(encoding="utf-8")


class Users(Form):
    """A form of the users of a table: find them, open one, change many.

    Only the page in view travels to the browser. What is changed here is changed as a
    batch that can be undone, and leaves Updated At as it is (SEEN-2).

    Parameters
    ----------
    profiles
        The profiles, of users or of a group.
    events
        What the users did: an :class:`~toolkit.Events` or a DataFrame. With it, users
        without a profile can be listed too, and the page of a user shows what it did.

    Attributes
    ----------
    state
        What the form knows and does, to be used from code too.
    cohorts
        The sets of users saved, by name.

    Examples
    --------
    >>> profiles = ProfileTable()
    >>> _ = profiles.set("1", {"$name": "Ann", "plan": "pro"})
    >>> form = Users(profiles)
    >>> form.state.search = "ann"
    >>> [row.cells[0] for row in form.state.rows]
    ['Ann']
    """

    def __init__(self, profiles: ProfileTable, events: AnyEvents | None = None) -> None:
        self.state = UsersState(profiles, None if events is None else as_events(events))
        super().__init__("Users", on_enter=self._enter, on_escape=self._escape)
        self._panel: Panel | None = None
        self._style = parts.style(_STYLE)
        self._make_list()
        state = self.state
        state.observe(
            lambda _: self._draw_rows(),
            ["rows", "columns", "sort_by", "descending", "revision", "total"],
        )
        state.observe(lambda _: self._draw_ticks(), ["rows", "picked", "inverse", "matching"])
        state.observe(lambda _: self._draw_message(), ["message", "is_error", "undo_of"])
        state.observe(lambda _: self._draw_question(), "question")
        state.observe(lambda _: self._draw_page(), ["profile", "editing"])
        self._draw_rows()
        self._draw_ticks()
        self._draw_message()
        self._draw_question()
        self._draw_page()

    @property
    def cohorts(self) -> dict[str, Cohort]:
        """The cohorts saved, by name."""
        return self.state.cohorts

    # -- the list -------------------------------------------------------------------------

    def _make_list(self) -> None:
        state = self.state
        group = state.profiles.group_key
        self._heading = parts.heading("Users" if group is None else f"Profiles of {group}")
        self._summary = parts.block()
        self._summary.add_class("tk-users-summary")
        head = parts.row(
            self._heading,
            self._summary,
            parts.button("Refresh", self._refresh, kind="plain", tooltip="Look again"),
        )
        head.add_class("tk-users-head")

        self.search = parts.text(
            "Search", state.search, place="hidden", placeholder="Search name, e-mail or ID"
        )
        self.search.add_class("tk-users-search")
        self.everybody = parts.dropdown(
            "Who is listed",
            [("Profiles only", False), (f"All {state.noun}s seen in events", True)],
            state.everybody,
            place="hidden",
            width="190px",
        )
        self._filter_panel = FilterPanel(state)
        self._columns_panel = self._make_columns()
        self._batch_panel = BatchPanel(state)
        toggles = [
            _toggle(
                "Filter",
                "Conditions on properties",
                self._filter_panel,
                self._filter_panel.begin,
            ),
            _toggle("Columns", "Which properties are shown, in which order", self._columns_panel),
            _toggle("Batches", "What was written, and undo", self._batch_panel),
        ]
        shown = [self.search]
        if state.events is not None:
            shown.append(self.everybody)
        self.search.observe(self._search_changed, "value")
        self.everybody.observe(self._everybody_changed, "value")
        state.observe(self._asked_changed, ["search", "everybody"])

        self._message = parts.Note()
        self._message.layout.flex = "1 1 auto"
        self._undo = parts.button("Undo", state.undo, tooltip="Undo what was just done")
        self._message_row = parts.row(self._message, self._undo)
        self._question_text = parts.Note()
        self._yes = parts.button("Yes", state.confirm, kind="danger")
        self._question = parts.row(self._question_text, self._yes, parts.button("No", state.cancel))

        self._count = parts.block()
        self._count.add_class("tk-users-count")
        self._all = parts.button("Tick all", state.pick_all, kind="plain")
        self._none = parts.button("Tick none", state.pick_none, kind="plain")
        self._edit = parts.button("Edit", state.edit, tooltip="Edit the selected profile")
        self._delete = parts.button(
            "Delete…", state.ask_delete, kind="danger", tooltip="Delete the selected profiles"
        )
        self._panels: dict[str, Panel] = {}
        bar = parts.row(
            self._count,
            self._all,
            self._none,
            self._edit,
            parts.button("Add property…", lambda: self._toggle_panel(PropertyPanel)),
            parts.button("Save cohort…", lambda: self._toggle_panel(CohortPanel)),
            parts.button("Export…", lambda: self._toggle_panel(ExportPanel)),
            self._delete,
        )
        self._slot = parts.column()
        self._slot.layout.display = "none"
        self.grid = Grid(
            label="Users",
            selectable=True,
            page_size=state.page_size,
            noun=state.noun,
            nouns=f"{state.noun}s",
            on_open=self._open,
            on_sort=state.sort,
            on_page=self._turn,
        )
        self.grid.observe(self._ticked, "selected")
        self._list = [
            head,
            parts.row(*shown, *toggles),
            self._filter_panel,
            self._columns_panel,
            self._batch_panel,
            bar,
            self._slot,
            self._message_row,
            self._question,
            Refusal(state),
            parts.ProgressBar(state.job),
            self.grid,
        ]

    def _make_columns(self) -> guarded.Widget:
        self.columns = guarded.TagsInput(allow_duplicates=False, tooltip="Columns")
        self.columns.add_class("tk-users-columns")
        panel = parts.column(
            parts.hint(
                "Type to add a column; drag to move one, or remove it with ×. "
                "The title always comes first."
            ),
            self.columns,
        )
        panel.add_class("tk-users-panel")
        self._take_columns()
        self.columns.observe(self._columns_changed, "value")
        self.state.observe(lambda _: self._take_columns(), "columns")
        return panel

    def _take_columns(self) -> None:
        names = list(dict.fromkeys([*self.state.available, *self.state.columns]))
        self._labels = display_names(names)
        if not self.state.is_users:
            self._labels["$distinct_id"] = "Group ID"
        shown = [self._labels[name] for name in self.state.columns]
        self.columns.allowed_tags = list(self._labels.values())
        if self.columns.value != shown:
            self.columns.value = shown

    def _columns_changed(self, change: Any) -> None:
        names = {label: name for name, label in self._labels.items()}
        self.state.columns = [names[label] for label in change["new"] if label in names]

    def _search_changed(self, change: Any) -> None:
        self.state.search = change["new"]

    def _everybody_changed(self, change: Any) -> None:
        self.state.everybody = change["new"]

    def _asked_changed(self, _: object) -> None:
        self.search.value, self.everybody.value = self.state.search, self.state.everybody

    def _refresh(self) -> None:
        self.state.look_again()
        self.state.batches.reload()
        self._take_columns()

    def _turn(self, page: int) -> None:
        self.state.page = page

    def _open(self, distinct_id: str) -> None:
        self.state.open(distinct_id)

    def _ticked(self, change: Any) -> None:
        if sorted(change["new"]) != sorted(self.state.picked_on_page):
            self.state.pick_on_page(change["new"])

    def _draw_rows(self) -> None:
        state = self.state
        heads: list[GridColumn] = [
            {"key": TITLE, "label": state.noun.capitalize(), "sortable": True}
        ]
        heads += [self._head(name) for name in state.columns]
        with self.grid.hold_sync():
            self.grid.sort = [state.sort_by, state.descending]
            self.grid.empty = self._why_empty()
            self.grid.show(
                heads,
                [_grid_row(row) for row in state.rows],
                total=state.matching,
                page=state.page,
            )
            self.grid.selected = state.picked_on_page
        self._summary.value = Html("<span>{}</span>").format(state.summary)

    def _head(self, name: str) -> GridColumn:
        label = self._labels.get(name, display_name(name))
        return {
            "key": name,
            "label": label,
            "sortable": True,
            "number": self.state.source.is_number(name),
            "title": f"Sort by {label}" + (f" ({name})" if label != name else ""),
        }

    def _why_empty(self) -> str:
        state = self.state
        if not state.filter.is_right:
            return "Correct what is wrong above to see users."
        if state.total:
            return "Nobody matches. Shorten the search, or remove a filter."
        return 'No profiles yet. Add one: profiles.set("123", {"$name": "Alice"})'

    def _draw_ticks(self) -> None:
        state = self.state
        number = state.picked_count
        if self.grid.selected != state.picked_on_page:
            self.grid.selected = state.picked_on_page
        self._count.value = Html("<span>{:,} ticked</span>").format(number)
        self._count.layout.display = "" if number else "none"
        self._all.description = f"Tick all {state.matching:,} found"
        self._all.layout.display = "none" if number == state.matching else ""
        self._none.layout.display = "" if number else "none"
        self._edit.disabled = number != 1
        self._delete.disabled = not number
        if self._panel is not None:
            self._panel.update()

    # -- messages and panels --------------------------------------------------------------

    def _draw_message(self) -> None:
        state = self.state
        kind: Any = "error" if state.is_error else "success"
        self._message.show(state.message, kind)
        self._undo.layout.display = "" if state.undo_of else "none"
        self._message_row.layout.display = "" if state.message else "none"

    def _draw_question(self) -> None:
        words = self.state.question
        self._question.layout.display = "" if words else "none"
        self._question_text.show(words, "warning")
        self._yes.description = f"Yes, {words.split()[0].lower()}" if words else "Yes"

    def _toggle_panel(self, kind: type[Panel]) -> None:
        if isinstance(self._panel, kind):
            self._close_panel()
            return
        name = kind.__name__
        if name not in self._panels:
            self._panels[name] = kind(self.state)
        self._panel = self._panels[name]
        self._panel.update()
        self._slot.children = (self._panel,)
        self._slot.layout.display = ""

    def _close_panel(self) -> None:
        self._panel = None
        self._slot.children = ()
        self._slot.layout.display = "none"

    def _enter(self) -> None:
        # A question is answered by its buttons, never by an Enter meant for a field.
        if self._panel is not None and self.state.profile is None and not self.state.question:
            self._panel.submit()

    def _escape(self) -> None:
        if self.state.question:
            self.state.cancel()
        elif self.state.editing:
            self.state.end_edit()
        elif self.state.profile is not None:
            self.state.close()
        elif self._panel is not None:
            self._close_panel()

    # -- one user -------------------------------------------------------------------------

    def _draw_page(self) -> None:
        state = self.state
        if state.editing:
            editor = import_module("toolkit.forms.editor.editor").ProfileEditor(
                state.profiles, state.editing
            )
            back = parts.button("‹ Back", state.end_edit, tooltip="Close the editor")
            self.show([self._style, parts.row(back), editor])
        elif state.profile is not None:
            page = state.profile
            view = UserPage(page, state.close, lambda: state.edit(page.distinct_id))
            self.show([self._style, view])
        else:
            self.show([self._style, *self._list])


def _toggle(
    label: str,
    tooltip: str,
    panel: guarded.Widget,
    on_open: Callable[[], None] | None = None,
) -> guarded.ToggleButton:
    """Return a button that shows a panel, and hides it again."""
    made = guarded.ToggleButton(description=label, tooltip=tooltip)
    panel.layout.display = "none"

    def turned(change: Any) -> None:
        if change["new"] and on_open is not None:
            on_open()
        panel.layout.display = "" if change["new"] else "none"

    made.observe(turned, "value")
    return made


def _grid_row(row: UserRow) -> GridRow:
    title, *cells = row.cells
    if row.has_profile:
        return {"id": row.id, "cells": [title, *cells]}
    return {"id": row.id, "cells": [f"{title} (no profile)", *cells], "kind": "noprofile"}
