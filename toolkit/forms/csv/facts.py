"""A CSV import in tables and sentences: the first rows, the counts, what changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import pandas as pd

from toolkit.base import Html, count, display_name, dumps, listed
from toolkit.forms.csv.words import in_form
from toolkit.forms.parts.grid import GridColumn, GridRow
from toolkit.sources import CsvPreview, ImportReport, delimiter_name, left_out

#: Of a wide file so many columns are shown among the first rows.
SHOWN_COLUMNS: Final = 12
_CELL: Final = 60


class Fact(NamedTuple):
    """One count of an import, and what it means."""

    label: str
    number: int
    detail: str = ""


def file_text(preview: CsvPreview) -> str:
    """Return what a file is, in a sentence."""
    return (
        f"{preview.name}: {count(preview.rows, 'row')}, {count(len(preview.columns), 'column')}, "
        f"{preview.encoding}, {delimiter_name(preview.delimiter)} between cells."
    )


def first_rows_table(rows: Sequence[Sequence[str]], has_header: bool) -> Html:
    """Return the first rows of a file as a table, its header in bold."""
    body = []
    for number, cells in enumerate(rows):
        tag = "th" if has_header and number == 0 else "td"
        shown = [*map(_cell, cells[:SHOWN_COLUMNS]), *(["…"] if len(cells) > SHOWN_COLUMNS else [])]
        marked = Html().join(Html("<{0}>{1}</{0}>").format(tag, cell) for cell in shown)
        body.append(Html("<tr>{}</tr>").format(marked))
    head = body.pop(0) if has_header and body else ""
    wide = Html()
    if rows and len(rows[0]) > SHOWN_COLUMNS:
        hidden = len(rows[0]) - SHOWN_COLUMNS
        wide = Html('<p class="tk-hint">{}.</p>').format(count(hidden, "more column"))
    return Html(
        '<div class="tk-scroll" tabindex="0"><table class="tk-plain-table tk-first-rows">'
        "<thead>{}</thead><tbody>{}</tbody></table></div>{}"
    ).format(head, Html().join(body), wide)


def _cell(text: str) -> str:
    """Return finished HTML, or the text as it is."""
    if not text:
        return Html('<span class="tk-hint">empty</span>')
    if len(text) <= _CELL:
        return text
    return Html('<span title="{}">{}…</span>').format(text[:1_000], text[: _CELL - 1])


def facts(report: ImportReport) -> list[Fact]:
    """Return the counts of an import; those that are 0 and mean nothing then are left out."""
    would = "would be" if report.dry_run else "were"
    facts = [
        Fact("Rows in the file", report.rows),
        Fact("New profiles", report.created),
        Fact("Profiles updated", report.updated, "other properties stay"),
        Fact("Profiles unchanged", report.unchanged, "already as in the file"),
        Fact("Stored values overwritten", report.changed_cells),
        Fact(
            f"{report.id_name[:1].upper()}{report.id_name[1:]}s in several rows",
            len(report.duplicate_ids),
            f"{count(int(report.duplicate_ids['rows'].sum()), 'row')}; of each property the last "
            f"cell counts: {_some(report.duplicate_ids)}"
            if len(report.duplicate_ids)
            else "",
        ),
        Fact(
            "Placeholder IDs",
            len(report.placeholder_ids),
            f"words for “nobody”, but imported as profiles: {_some(report.placeholder_ids)}"
            if len(report.placeholder_ids)
            else "",
        ),
        Fact(
            "Same e-mail under another ID",
            report.same_email,
            "each is a second profile of somebody already in the table or the file",
        ),
        Fact("Same name under another ID", report.same_name, "perhaps the same person"),
        Fact("Values cut by the table's limits", len(report.cut)),
        Fact("Columns left out", len(report.left_out), in_form(left_out(report))),
        Fact("Rows that cannot be imported", len(report.rejected), f"{would} left out"),
    ]
    always = {"Rows in the file", "New profiles", "Profiles updated", "Profiles unchanged"}
    return [fact for fact in facts if fact.number or fact.label in always]


def _some(frame: pd.DataFrame) -> str:
    return listed((f'"{each[:40]}"' for each in frame["distinct_id"].head(50)), 5)


def facts_table(report: ImportReport) -> Html:
    """Return the counts as a table."""
    row = Html(
        '<tr><th scope="row">{}</th><td class="tk-number">{:,}</td><td class="tk-hint">{}</td></tr>'
    )
    rows = Html().join(
        row.format(fact.label, fact.number, fact.detail if fact.number else "")
        for fact in facts(report)
    )
    return Html('<table class="tk-plain-table tk-facts"><tbody>{}</tbody></table>').format(rows)


REJECTED_COLUMNS: Final[list[GridColumn]] = [
    {"key": "line", "label": "Line", "number": True},
    {"key": "reason", "label": "Reason"},
    {"key": "text", "label": "Row"},
]
CHANGES_COLUMNS: Final[list[GridColumn]] = [
    {"key": "distinct_id", "label": "ID"},
    {"key": "property", "label": "Property"},
    {"key": "old", "label": "Stored now"},
    {"key": "new", "label": "In the file"},
]


def rejected_rows(rejected: pd.DataFrame, start: int, stop: int) -> list[GridRow]:
    """Return some of the rows that cannot be imported."""
    part = rejected.iloc[start:stop]
    return [
        {"id": str(start + at), "cells": [f"{line:,}", reason, text]}
        for at, (line, reason, text) in enumerate(part.itertuples(index=False))
    ]


def changed_rows(changes: pd.DataFrame, start: int, stop: int) -> list[GridRow]:
    """Return some of the values that are overwritten; as JSON, 1 and "1" can be told apart."""
    part = changes.iloc[start:stop]
    return [
        {"id": str(start + at), "cells": [key, display_name(name), dumps(old), dumps(new)]}
        for at, (key, name, old, new) in enumerate(part.itertuples(index=False))
    ]
