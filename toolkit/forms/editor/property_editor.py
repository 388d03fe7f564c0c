"""The row of one property in the profile editor."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Final

from traitlets import link

from toolkit.base import Html, display_name
from toolkit.forms.editor.property_row import KINDS, PropertyRow
from toolkit.forms.parts import guarded, parts

_LINE_END: Final = re.compile(r"[\r\n]")


class PropertyEditor(guarded.Box):
    """The row of one property: its name, type, value, and a button that removes it.

    Parameters
    ----------
    row
        What is edited.
    names
        Returns property names to propose.
    on_remove
        What the button does.
    """

    def __init__(
        self, row: PropertyRow, names: Callable[[], Sequence[str]], on_remove: Callable[[], None]
    ) -> None:
        self.row = row
        self.name: Any
        if row.is_stored or row.is_proposed:
            self.name = parts.block(_fixed_name(row.name))
        else:
            self.name = parts.combobox(
                "Property name", names(), row.name, place="hidden", placeholder="Property name",
                width="100%",
            )  # fmt: skip
            link((row, "name"), (self.name, "value"))
        self.name.add_class("tk-property-name")
        self.kind = parts.dropdown(
            f"Type of {row.label}",
            [(shown, kind) for kind, shown in KINDS.items()],
            row.kind,
            place="hidden",
            width="140px",
        )
        self.kind.observe(lambda change: row.change_kind(change["new"]), "value")
        self.place = guarded.Box()
        self.place.add_class("tk-property-value")
        self.remove = parts.button("Remove", on_remove, kind="plain")
        self.problem = parts.FieldError(self.place)
        self.caution = parts.block()
        self.caution.add_class("tk-hint")
        self.caution.layout.display = "none"
        self._remarks = ("", "")
        line = guarded.Box([self.name, self.kind, self.place, self.remove])
        line.add_class("tk-property")
        super().__init__([line, self.problem, self.caution])
        self.add_class("tk-column")
        row.observe(self._draw, ["kind", "removed"])
        row.observe(self._rename, "name")
        self._draw()

    def _rename(self, _: object) -> None:
        label = self.row.label
        self.kind.description = f"Type of {label}"
        self.remove.tooltip = f"Remove {label}"
        if self.field.description:
            self.field.description = f"Value of {label}"

    def _draw(self, _: object = None) -> None:
        """Show the field that fits the type, or what will be removed."""
        row = self.row
        self.kind.value = row.kind
        label = f"Value of {row.label}"
        gone = row.removed
        self.kind.disabled = gone
        self.remove.description = "Put back" if gone else "Remove"
        self.remove.tooltip = f"{self.remove.description} {row.label}"
        field: Any
        if gone:
            field = parts.hint("Removed when you save.")
        elif row.kind == "boolean":
            field = parts.dropdown(label, [("true", True), ("false", False)], row.flag,
                                   place="hidden", width="120px")  # fmt: skip
            link((row, "flag"), (field, "value"))
        elif row.kind == "list":
            field = guarded.TagsInput(
                value=list(row.items), allow_duplicates=False, tooltip=label,
                placeholder="Type and press Enter",
            )  # fmt: skip
            field.observe(lambda change: row.set_trait("items", list(change["new"])), "value")
            row.observe(lambda change: field.set_trait("value", list(change["new"])), "items")
        elif row.kind == "json":
            field = parts.long_text(label, row.text, place="hidden", rows=_lines(row.text))
            link((row, "text"), (field, "value"))
        elif row.kind == "text" and _LINE_END.search(row.text):
            # A field of one line would drop the ends of lines at the first key.
            field = parts.long_text(
                label, row.text, place="hidden", rows=_lines(row.text), mono=False
            )
            link((row, "text"), (field, "value"))
        elif row.kind == "date":
            field = _date_field(row, label)
        elif row.kind == "null":
            field = parts.hint("Stored, but without a value: it counts as not set.")
        else:
            hints = {"number": "12.5", "time": "2026-05-01T14:30:00Z"}
            field = parts.text(label, row.text, place="hidden", width="100%",
                               placeholder=hints.get(row.kind, ""))  # fmt: skip
            link((row, "text"), (field, "value"))
        #: Where the value is entered.
        self.field = field
        self.place.children = [field]

    def show_remarks(self, problem: str, caution: str) -> None:
        """Show what is wrong with the row, and what is worth a look."""
        if (problem, caution) != self._remarks:
            self._remarks = (problem, caution)
            self.problem.show(problem)
            self.caution.value = caution
            self.caution.layout.display = "" if caution else "none"


def _fixed_name(name: str) -> Html:
    shown = display_name(name)
    own = "" if shown == name else Html(' <span class="tk-hint">{}</span>').format(name)
    return Html('<span class="tk-name" title="{}">{}{}</span>').format(name, shown, own)


def _lines(text: str) -> int:
    return max(2, min(8, text.count("\n") + 1))


def _date_field(row: PropertyRow, label: str) -> guarded.DatePicker:
    field = parts.labelled(guarded.DatePicker)(
        description=label, tooltip=label, layout={"width": "160px"}
    )
    field.add_class("tk-hide-label")
    field.style.description_width = "0px"

    def show(_: object = None) -> None:
        try:
            field.value = date.fromisoformat(row.text.strip())
        except ValueError:
            field.value = None

    show()
    field.observe(
        lambda change: row.set_trait(
            "text", "" if change["new"] is None else change["new"].isoformat()
        ),
        "value",
    )
    return field
