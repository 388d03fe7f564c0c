"""The panel in which people say which users they want to see."""

from __future__ import annotations

from typing import Any

import ipywidgets

from toolkit.html import Html, escape
from toolkit.reserved import display_name
from toolkit.widgets import parts
from toolkit.widgets.users_filter import VALUELESS, Filter, operators_for
from toolkit.widgets.users_list import UserList


def labelled(names: list[str]) -> list[tuple[str, str]]:
    """Return what to call each property in a list of choices, and its name.

    Two properties with one label keep their own names.

    >>> labelled(["plan", "$email", "Email"])
    [('plan', 'plan'), ('$email', '$email'), ('Email', 'Email')]
    >>> labelled(["$email"])
    [('Email', '$email')]
    """
    taken = [display_name(name) for name in names]
    return [
        (name if taken.count(label) > 1 else label, name)
        for name, label in zip(names, taken, strict=True)
    ]


class _FilterRow(ipywidgets.Box):
    """One filter: a property, an operator, a value."""

    def __init__(self, panel: FilterPanel, given: Filter) -> None:
        self._panel = panel
        state = panel.state
        choices = labelled(state.available)
        known = [name for _, name in choices]
        self.property = parts.dropdown(
            "Property",
            [("Choose a property", ""), *choices],
            given.property if given.property in known else "",
            place="hidden",
            width="200px",
        )
        self.operator = self._offer(self._operators(), given.operator)
        # A place of its own: putting another there leaves the fields beside it alone.
        self._operator_place = ipywidgets.Box([self.operator])
        self.value = parts.combobox(
            "Value", (), given.value, place="hidden", placeholder="value", width="220px"
        )
        self.error = parts.FieldError(self.value)
        self._remove = parts.button("Remove", lambda: panel.remove(self), kind="plain")
        self._remove.tooltip = "Remove this filter"
        super().__init__(
            [self.property, self._operator_place, self.value, self._remove, self.error]
        )
        self.add_class("tk-row")
        self._suit()
        self.property.observe(self._property_changed, "value")
        self.value.observe(self._changed, "value")

    def _operators(self) -> list[str]:
        return operators_for(self.property.value or "", self._panel.state.source)

    def _offer(self, operators: list[str], chosen: str) -> ipywidgets.Dropdown:
        value = chosen if chosen in operators else operators[0]
        made = parts.dropdown("Comparison", operators, value, place="hidden", width="150px")
        made.observe(self._changed, "value")
        return made

    def _property_changed(self, _: object) -> None:
        offered = self._operators()
        if list(self.operator.options) != offered:
            # Another field, not another list in this one: what somebody chooses in it
            # meanwhile comes as a place in the list, and would mean something else.
            self.operator = self._offer(offered, self.operator.value)
            self._operator_place.children = (self.operator,)
        self._changed()

    def _changed(self, _: object = None) -> None:
        self._suit()
        self._panel.changed()

    def _suit(self) -> None:
        """Show the value where one is needed, and propose those there are."""
        needs_none = self.operator.value in VALUELESS
        self.value.layout.display = "none" if needs_none else ""
        name = self.property.value
        self.value.options = tuple(self._panel.state.source.frequent(name)) if name else ()

    @property
    def filter(self) -> Filter:
        return Filter(self.property.value or "", self.operator.value or "is", self.value.value)


class FilterPanel(ipywidgets.Box):
    """Filters row by row, and an expression for what they cannot say."""

    def __init__(self, state: UserList) -> None:
        self.state = state
        self._rows: list[_FilterRow] = []
        self._box = parts.column()
        self.match = parts.dropdown(
            "Users who meet",
            [("all of these", "all"), ("any of these", "any")],
            state.match,
            width="260px",
        )
        self.condition = parts.text(
            "Expression",
            state.condition,
            placeholder='user["plan"] == "pro" and user["age"] > 30',
            width="560px",
        )
        self.condition.continuous_update = False
        self.condition.add_class("tk-mono")
        self._condition_error = parts.FieldError(self.condition)
        self._condition_error.add_class("tk-users-mono")  # a mark points into the text
        self._together = parts.block()
        super().__init__(
            [
                self.match,
                self._box,
                parts.button("Add a filter", self.add, kind="plain"),
                self.condition,
                self._condition_error,
                self._together,
            ]
        )
        self.add_class("tk-column")
        self.add_class("tk-users-panel")
        self._quiet = False
        self._take_filters()
        self.match.observe(self._match_changed, "value")
        self.condition.observe(self._condition_changed, "value")
        state.observe(self._state_changed, ["filters", "match", "condition"])
        state.observe(self._told, ["problems", "notes", "expression"])
        self._told()

    def _take_filters(self) -> None:
        self._rows = [_FilterRow(self, each) for each in self.state.filters or [Filter()]]
        self._box.children = tuple(self._rows)

    def add(self) -> None:
        """Add a filter to be filled in."""
        self._rows.append(_FilterRow(self, Filter()))
        self._box.children = tuple(self._rows)

    def remove(self, row: Any) -> None:
        """Take a filter away."""
        self._rows = [each for each in self._rows if each is not row] or [
            _FilterRow(self, Filter())
        ]
        self._box.children = tuple(self._rows)
        self.changed()

    def changed(self) -> None:
        """Hand the filters on."""
        self._quiet = True
        try:
            self.state.filters = [row.filter for row in self._rows]
        finally:
            self._quiet = False

    def _match_changed(self, change: Any) -> None:
        self.state.match = change["new"]

    def _condition_changed(self, change: Any) -> None:
        self.state.condition = change["new"]

    def _state_changed(self, change: Any) -> None:
        if change["name"] == "filters" and not self._quiet:
            self._take_filters()
        self.match.value, self.condition.value = self.state.match, self.state.condition

    def _told(self, _: object = None) -> None:
        problems = self.state.problems
        for place, row in enumerate(self._rows):
            row.error.show(problems.get(f"filter {place}", ""))
        self._condition_error.show(problems.get("condition", ""))
        told = ""
        if self.state.expression:
            code = f'<code class="tk-users-code">{escape(self.state.expression)}</code>'
            told = f'<p class="tk-hint">In code: {code}</p>'
        for sentence in self.state.notes:
            told += f'<div class="tk-note tk-warning" role="status">{escape(sentence)}</div>'
        self._together.value = Html(told)
