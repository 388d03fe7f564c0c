"""The columns of a CSV file as somebody chooses them, and templates of such choices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypedDict

from toolkit.base import RESERVED, count, display_name, is_reserved_text, listed
from toolkit.sources import (
    COLUMN_TYPES,
    DISTINCT_ID,
    EMAIL,
    TIME,
    ColumnType,
    CsvColumn,
    CsvPreview,
    meant_name,
    property_refusal,
)

_IDENTIFIER_SPELLINGS: Final = (DISTINCT_ID, "distinct_id")


@dataclass(frozen=True)
class ColumnChoice:
    """What is to become of one column.

    Attributes
    ----------
    about
        What is in it.
    ticked
        Whether it is imported (CSV-3).
    name
        The name of the property it becomes, as typed.
    type
        The type of its values; by default the one that all cells fit.
    misfits
        How many cells do not fit the type; their rows would be rejected.
    error
        What is wrong, in words; empty if nothing is.
    hint
        What is worth a look, in words.
    """

    about: CsvColumn
    ticked: bool
    name: str
    type: ColumnType
    misfits: int = 0
    error: str = ""
    hint: str = ""

    @property
    def position(self) -> int:
        """Its place in the file, from 0."""
        return self.about.position

    @property
    def title(self) -> str:
        """What to call it."""
        if self.about.header is None:
            return f"Column {self.position + 1}"
        return self.about.header


class TemplateColumn(TypedDict):
    """One column of a template."""

    position: int
    header: str | None
    ticked: bool
    property: str
    #: None for the type that all cells fit.
    type: ColumnType | None


class Template(TypedDict):
    """Choices for the columns of a file, as they are kept."""

    identifier: int | None
    columns: list[TemplateColumn]


def first_choices(preview: CsvPreview, identifier: int | None) -> tuple[ColumnChoice, ...]:
    """Return the choices to begin with: what an import without a mapping does, as far as it can.

    A column without a name, without cells, or whose name may not be written is left
    out until somebody names and ticks it.
    """
    return tuple(_first_choice(column, identifier) for column in preview.columns)


def _first_choice(column: CsvColumn, identifier: int | None) -> ColumnChoice:
    name = column.property
    if name is None or name == DISTINCT_ID:
        name = column.header or ""
    fits = bool(name) and name not in _IDENTIFIER_SPELLINGS
    fits = fits and (name == TIME or property_refusal(name) is None)
    ticked = fits and column.distinct > 0 and column.position != identifier
    return ColumnChoice(column, ticked, name, column.type)


def checked(
    choices: Sequence[ColumnChoice], identifier: int | None, names: Iterable[str]
) -> tuple[ColumnChoice, ...]:
    """Return the choices with what is wrong with each, and what is worth a look.

    Parameters
    ----------
    choices
        All of them.
    identifier
        The position of the column of distinct IDs, which is not a property.
    names
        The properties the table has.
    """
    sharing: dict[str, list[ColumnChoice]] = defaultdict(list)
    for each in choices:
        if each.ticked and each.position != identifier:
            sharing[each.name].append(each)
    by_case = {name.lower(): name for name in names}
    return tuple(
        replace(each, error="", hint="")
        if each.position == identifier or not each.ticked
        else replace(each, error=_error(each, sharing[each.name]), hint=_hint(each, by_case))
        for each in choices
    )


def _error(choice: ColumnChoice, sharing: Sequence[ColumnChoice]) -> str:
    name = choice.name
    if not name:
        return "Give it a name, or untick it."
    if name in _IDENTIFIER_SPELLINGS:
        return (
            f'"{name}" marks the identifier: choose this column in the step before, '
            "or give it another name."
        )
    reason = None if name == TIME else property_refusal(name)
    if reason is not None:
        return f"{reason[:1].upper()}{reason[1:]}."
    others = [each.title for each in sharing if each.position != choice.position]
    if others:
        return (
            f"{_quoted(others)} "
            f"{'has' if len(others) == 1 else 'have'} this name too. "
            "Give each its own, or untick one."
        )
    return ""


def writable() -> list[str]:
    """Return the reserved properties that a column may become."""
    return [name for name, row in RESERVED.items() if not row.refusal]


def _by_label(label: str) -> str | None:
    labels = {RESERVED[name].label.lower(): name for name in writable()}
    return labels.get(label.lower())


def _hint(choice: ColumnChoice, by_case: Mapping[str, str]) -> str:
    name = choice.name
    if choice.misfits:
        return (
            f"{count(choice.misfits, 'cell')} {'does' if choice.misfits == 1 else 'do'} not fit "
            f"the type {choice.type}; {'its row' if choice.misfits == 1 else 'their rows'} "
            "would not be imported."
        )
    if name == TIME:
        return "When each row happened; not a property. Rows apply in the order of their times."
    meant = meant_name(name) or _by_label(name)
    if meant is not None and meant not in (name, DISTINCT_ID):
        return f"A property of its own. The reserved one is {meant}."
    if by_case.get(name.lower(), name) != name:
        return f'The table has "{by_case[name.lower()]}"; this would be another property.'
    return f"Shown as {display_name(name)}." if name in RESERVED else ""


def named(choice: ColumnChoice, name: str) -> ColumnChoice:
    """Return the choice with another name, and so ticked; a reserved text is of type text."""
    kind: ColumnType = "text" if is_reserved_text(name) else choice.type
    return replace(choice, name=name, ticked=bool(name), type=kind)


def mapping_of(choices: Iterable[ColumnChoice], identifier: int | None) -> dict[int, str]:
    """Return the choices as :func:`toolkit.import_csv` takes them."""
    return {
        each.position: DISTINCT_ID if each.position == identifier else each.name
        for each in choices
        if each.ticked or each.position == identifier
    }


def types_of(choices: Iterable[ColumnChoice], identifier: int | None) -> dict[int, ColumnType]:
    """Return the types that an import would not choose itself, by position."""
    return {
        each.position: each.type
        for each in choices
        if each.ticked
        and each.position != identifier
        and (
            each.type != each.about.type
            or is_reserved_text(each.name)
            or is_reserved_text(each.about.property)
        )
    }


def email_column(choices: Iterable[ColumnChoice]) -> ColumnChoice | None:
    """Return the column that becomes ``$email``, the identifier where none is chosen (CSV-2)."""
    return next((each for each in choices if each.ticked and each.name == EMAIL), None)


def template_of(choices: Sequence[ColumnChoice], identifier: int | None) -> Template:
    """Return the choices as a template."""
    return {
        "identifier": identifier,
        "columns": [
            {
                "position": each.position,
                "header": each.about.header,
                "ticked": each.ticked,
                "property": each.name,
                "type": None if each.type == each.about.type else each.type,
            }
            for each in choices
        ],
    }


def with_template(
    template: Template, choices: Sequence[ColumnChoice]
) -> tuple[tuple[ColumnChoice, ...], int | None, str]:
    """Return the choices as a template has them, the identifier, and what did not fit, in words.

    Columns go by their names in the header where both have one, else by position. A
    column the template does not know is left out.
    """
    places = {each.about.header: each.position for each in choices if each.about.header}
    by_name = bool(places) and any(column["header"] for column in template["columns"])
    templates: dict[int, TemplateColumn] = {}
    missing = []
    for column in template["columns"]:
        at = places.get(column["header"] or "") if by_name else column["position"]
        if at is None or at >= len(choices):
            missing.append(column["header"] or f"Column {column['position'] + 1}")
        else:
            templates[at] = column
    identifier = next(
        (at for at, column in templates.items() if column["position"] == template["identifier"]),
        None,
    )
    result = tuple(_as_in(templates.get(each.position), each) for each in choices)
    unknown = [each.title for each in choices if each.position not in templates]
    sentences = []
    if missing:
        sentences.append(f"Not in this file: {_quoted(missing)}.")
    if unknown:
        sentences.append(f"Not in the template, and not ticked: {_quoted(unknown)}.")
    if template["identifier"] is not None and identifier is None:
        sentences.append("The column of distinct IDs is not in this file.")
    return result, identifier, " ".join(sentences)


def _as_in(column: TemplateColumn | None, choice: ColumnChoice) -> ColumnChoice:
    if column is None:
        return replace(choice, ticked=False)
    kind = column["type"] or ("text" if is_reserved_text(column["property"]) else choice.about.type)
    return replace(choice, ticked=column["ticked"], name=column["property"], type=kind)


def _quoted(titles: Iterable[str]) -> str:
    return listed((f'"{title}"' for title in titles), 5)


def is_template(value: Any) -> bool:
    """Return whether a value that was kept is a template still."""
    if not isinstance(value, dict) or not isinstance(value.get("columns"), list):
        return False
    if not isinstance(value.get("identifier"), int | None):
        return False
    return all(
        isinstance(column, dict)
        and isinstance(column.get("position"), int)
        and column["position"] >= 0
        and isinstance(column.get("header"), str | None)
        and isinstance(column.get("ticked"), bool)
        and isinstance(column.get("property"), str)
        and column.get("type") in (None, *COLUMN_TYPES)
        for column in value["columns"]
    )
