"""A filter on the page: rows of conditions to choose, or the text of an expression."""

from __future__ import annotations

from typing import Any, Final

from toolkit.base import Html
from toolkit.forms.parts import guarded, parts
from toolkit.forms.parts.choosing import Chooser
from toolkit.forms.parts.filter_state import FilterRow, FilterState

# The usual width holds this many letters of an operator.
_SHORT: Final = 16
_HELP: Final = 'For example: user["plan"] == "pro" and event["amount"] > 10'


class FilterRows(guarded.Box):
    """Binds a :class:`~toolkit.forms.parts.filter_state.FilterState` to the page.

    Parameters
    ----------
    state
        The filter.
    label
        What it filters, for its heading.
    """

    def __init__(self, state: FilterState, label: str) -> None:
        self.state = state
        self._rows: dict[int, _Row] = {}
        self._heading = parts.subheading(label)
        self._join = parts.dropdown(
            "Match", [("all of these", "and"), ("any of these", "or")], state.join, width="240px"
        )
        self._place = parts.column()
        self._add = parts.button("Add a condition", lambda: _add(state))
        self._to_text = parts.button(
            "Write it as text", lambda: state.use("text"), kind="plain", tooltip=_HELP
        )
        self._to_rows = parts.button("Back to the list", lambda: state.use("rows"), kind="plain")
        self._text = parts.long_text(
            "Expression", state.text, place="hidden", placeholder=_HELP, rows=2
        )
        self._text.continuous_update = False
        self._error = parts.block()
        super().__init__()
        self.add_class("tk-column")
        self.add_class("tk-filter")
        self._join.observe(lambda change: setattr(state, "join", change.new), "value")
        self._text.observe(lambda change: setattr(state, "text", change.new), "value")
        state.observe(lambda _: self._draw(), ["mode", "join", "rows", "text", "error"])
        state.observe(lambda _: self._offer(), "revision")
        self._draw()

    def _offer(self) -> None:
        for row in self._rows.values():
            row.offer(self.state.offered)

    def _draw(self) -> None:
        state = self.state
        self._join.value = state.join
        if self._text.value != state.text:
            self._text.value = state.text
        (self._text.add_class if state.error else self._text.remove_class)("tk-invalid")
        # In a code font, so that the mark is below the place.
        self._error.value = Html(
            '<pre class="tk-json tk-field-error" role="alert">{}</pre>' if state.error else ""
        ).format(state.error)
        if state.mode == "text":
            shown: list[Any] = [self._text, self._error, self._to_rows]
        else:
            alive = {id(row): self._rows.get(id(row)) or _Row(row, state) for row in state.rows}
            self._rows = alive
            self._place.children = tuple(alive.values())
            for number, row in enumerate(alive.values(), 1):
                row.number(number)
            shown = [self._join] if len(state.rows) > 1 else []
            shown += [self._place] if state.rows else []
            shown += [self._error] if state.error else []
            shown += [parts.row(self._add, self._to_text)]
        self.children = (self._heading, *shown)


class _Row(guarded.Box):
    """One condition."""

    def __init__(self, row: FilterRow, state: FilterState) -> None:
        self._row = row
        self._prop = Chooser(
            "Property", state.offered, row.prop, self._set("prop"), place="hidden", width="210px"
        )
        self._number = 1
        # A place of its own: putting another there leaves the fields next to it alone.
        self._operator_place = guarded.Box()
        self._offer_operators()
        self._value = parts.combobox("Value", place="hidden", width="190px", placeholder="value")
        # Letter by letter: what changes around a field that keeps its text until it is
        # left, such as the values suggested, would take away what is half typed.
        self._value.continuous_update = True
        self._value.observe(lambda change: setattr(row, "value", change.new), "value")
        self._error = parts.FieldError(self._value)
        self._hint = parts.block()
        self._remove = parts.button("Remove", lambda: state.remove(row), kind="plain")
        super().__init__()
        self.add_class("tk-column")
        line = parts.row(self._prop.widget, self._operator_place, self._value, self._remove)
        self.children = (line, self._error, self._hint)
        row.observe(lambda _: self._draw(), ["prop", "operator", "value", "error", "hint"])
        self._draw()

    def _set(self, trait: str) -> Any:
        return lambda value: setattr(self._row, trait, value)

    def offer(self, properties: dict[str, str]) -> None:
        """Put other properties to choose from."""
        self._prop.show(self._row.prop, properties)
        self._draw()

    def _offer_operators(self) -> None:
        self._operators = self._row.operators
        longest = max(map(len, self._operators))
        self._operator = Chooser(
            "Operator", _same(self._operators), self._row.operator, self._choose,
            place="hidden", width="205px" if longest > _SHORT else "150px",
        )  # fmt: skip
        self._operator_place.children = (self._operator.widget,)

    def _choose(self, operator: str) -> None:
        # What is chosen in a list that was just put away counts where it fits.
        if operator in self._row.operators:
            self._row.operator = operator

    def number(self, number: int) -> None:
        """Say in the labels which condition it is."""
        self._number = number
        named = {
            "Property": self._prop.widget,
            "Operator": self._operator.widget,
            "Value": self._value,
        }
        for name, widget in named.items():
            widget.description = widget.tooltip = f"{name} {number}"
        self._remove.tooltip = f"Remove condition {number}"

    def _draw(self) -> None:
        row = self._row
        self._prop.show(row.prop)
        if row.operators != self._operators:
            # Another field, not another list in this one: what somebody chooses in it
            # meanwhile comes as a place in the list, and would mean something else.
            self._offer_operators()
            self.number(self._number)
        self._operator.show(row.operator)
        suggestions = row.suggestions
        if self._value.options != suggestions:
            self._value.options = suggestions
        if self._value.value != row.value:
            self._value.value = row.value
        self._value.layout.visibility = None if row.takes_value else "hidden"
        self._error.show(row.error)
        self._hint.value = parts.hint_html(row.hint)
        self._hint.layout.display = "" if row.hint else "none"


def _same(names: tuple[str, ...]) -> dict[str, str]:
    return {name: name for name in names}


def _add(state: FilterState) -> None:
    state.add()
