"""The columns of a CSV file in the wizard: a page of rows that are refilled, never remade."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from toolkit.base import Html, count
from toolkit.forms.csv.columns import ColumnChoice
from toolkit.forms.csv.state import CsvImportState
from toolkit.forms.parts import guarded, parts
from toolkit.sources import COLUMN_TYPES

#: Columns a page.
PAGE: Final = 15
_SAMPLE: Final = 28


class ColumnRow(guarded.Box):
    """The row of one column: its tick, samples, type and property.

    Parameters
    ----------
    state
        What is called after each change.
    """

    def __init__(self, state: CsvImportState) -> None:
        self._state = state
        self._position = -1
        self._filling = False
        self.tick = parts.checkbox("Import")
        self.about = parts.block()
        self.kind = parts.dropdown(
            "Type", list(COLUMN_TYPES), "text", place="hidden", width="100px"
        )
        self.name = parts.combobox(
            "Property", place="hidden", placeholder="Property name", width="100%"
        )
        self.name.continuous_update = False
        self.error = parts.FieldError(self.name)
        self.hint = parts.block()
        field = guarded.Box([self.name, self.error, self.hint])
        field.add_class("tk-csv-property")
        super().__init__([self.tick, self.about, self.kind, field])
        self.add_class("tk-csv-column")
        self.tick.observe(lambda change: self._change(ticked=change["new"]), "value")
        self.kind.observe(lambda change: self._change(type=change["new"]), "value")
        self.name.observe(lambda change: self._change(property=change["new"]), "value")

    def _change(self, **what: Any) -> None:
        if not self._filling:
            self._state.set_column(self._position, **what)

    def fill(self, choice: ColumnChoice, is_identifier: bool, names: Sequence[str]) -> None:
        """Show a column."""
        self._filling = True
        try:
            self._position = choice.position
            title = choice.title
            for field, label in (
                (self.tick, f"Import {title}"),
                (self.kind, f"Type of {title}"),
                (self.name, f"Property for {title}"),
            ):
                if field.description != label:
                    field.description = field.tooltip = label
            self.about.value = _about(choice, is_identifier)
            self.tick.value = choice.ticked or is_identifier
            self.tick.disabled = self.kind.disabled = self.name.disabled = is_identifier
            self.kind.value = "text" if is_identifier else choice.type
            if self.name.options != tuple(names):
                self.name.options = tuple(names)
            self.name.value = _named(self._state.id_name) if is_identifier else choice.name
            self.error.show(choice.error)
            self.hint.value = parts.hint_html(choice.hint)
            self.hint.layout.display = "" if choice.hint and not choice.error else "none"
            (self.add_class if choice.ticked or is_identifier else self.remove_class)("tk-ticked")
        finally:
            self._filling = False


def _named(id_name: str) -> str:
    return f"{id_name[:1].upper()}{id_name[1:]}"


def _about(choice: ColumnChoice, is_identifier: bool) -> Html:
    about = choice.about
    samples = ", ".join(
        sample if len(sample) <= _SAMPLE else sample[: _SAMPLE - 1] + "…"
        for sample in about.samples[:3]
    )
    facts = [samples or "no cells"]
    if about.empty and about.samples:
        facts.append(f"{about.empty:,} empty")
    if is_identifier:
        facts.append("the identifier")
    return Html(
        '<span class="tk-name">{}</span><span class="tk-hint tk-samples" title="{}">{}</span>'
    ).format(choice.title, " · ".join(about.samples)[:500], " · ".join(facts))


class ColumnRows(guarded.Box):
    """All columns of the file, a page at a time, with a search and ticks for all.

    Parameters
    ----------
    state
        The wizard's state.
    """

    def __init__(self, state: CsvImportState) -> None:
        self._state = state
        self._page = 0
        self._rows: list[ColumnRow] = []
        self.search = parts.text(
            "Find a column", place="hidden", placeholder="Find a column", width="200px"
        )
        self._count = parts.block()
        self._tick_all = parts.button("Tick all", lambda: self._tick(True))
        self._untick_all = parts.button("Untick all", lambda: self._tick(False))
        self._place = parts.column()
        self._before = parts.button("‹", lambda: self._turn(-1), tooltip="Columns before")
        self._after = parts.button("›", lambda: self._turn(1), tooltip="Columns after")
        self._range = parts.block()
        self._pager = parts.row(self._before, self._range, self._after)
        head = guarded.Box([*map(parts.block, ("", "Column", "Type", "Property"))])
        head.add_class("tk-csv-column")
        head.add_class("tk-csv-head")
        super().__init__(
            [
                parts.row(self.search, self._tick_all, self._untick_all, self._count),
                head,
                self._place,
                self._pager,
            ]
        )
        self.add_class("tk-column")
        self.search.observe(self._sought, "value")

    def _sought(self, _: object) -> None:
        self._page = 0
        self.draw()

    def _turn(self, by: int) -> None:
        self._page += by
        self.draw()

    def _tick(self, ticked: bool) -> None:
        self._state.tick(ticked, [each.position for each in self._shown_columns()])

    def _shown_columns(self) -> list[ColumnChoice]:
        words = self.search.value
        return self._state.matching_columns(words) if words else list(self._state.columns)

    def draw(self) -> None:
        """Show the columns of the page in view."""
        state, columns = self._state, self._shown_columns()
        pages = max(1, -(-len(columns) // PAGE))
        self._page = min(max(self._page, 0), pages - 1)
        start = self._page * PAGE
        shown = columns[start : start + PAGE]
        while len(self._rows) < len(shown):
            self._rows.append(ColumnRow(state))
        names = state.property_names
        for row, choice in zip(self._rows, shown, strict=False):
            row.fill(choice, choice.position == state.identifier, names)
        children = tuple(self._rows[: len(shown)])
        if not shown:
            children = (parts.hint("No column has these words in its name, property or samples."),)
        if self._place.children != children:
            self._place.children = children
        ticked = sum(each.ticked and each.position != state.identifier for each in state.columns)
        summary = f"{ticked:,} of {count(len(state.columns), 'column')} become properties"
        if state.problems:
            summary += f"; {count(state.problems, 'column')} cannot be imported as it is"
        self._count.value = Html('<span class="tk-hint">{}.</span>').format(summary)
        self._range.value = f"{start + 1:,}-{start + len(shown):,} of {len(columns):,}"
        self._before.disabled, self._after.disabled = self._page == 0, self._page == pages - 1
        self._pager.layout.display = "" if pages > 1 else "none"
