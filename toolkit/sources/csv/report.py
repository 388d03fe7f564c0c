"""What a person learns of a CSV file before its import, and of the import after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike

import pandas as pd

from toolkit.base import count, html, listed, ordinal
from toolkit.sources.csv.defuse import csv_of
from toolkit.sources.csv.dialect import delimiter_name
from toolkit.sources.csv.types import ColumnType
from toolkit.sources.files.whole_file import write_whole
from toolkit.updates import Outcome

_SHOWN_ROWS = 5


@dataclass(frozen=True)
class CsvColumn:
    """One column of a CSV file.

    Attributes
    ----------
    position
        From 0.
    header
        Its name in the header, None if there is none.
    samples
        Its first different cells that are not empty, at most five.
    type
        The type that all its cells fit (CSV-5).
    cells
        How many cells it has; rows that are ragged have none.
    empty
        How many of them are empty.
    distinct
        How many different cells there are, empty ones left out.
    property
        The property name suggested, ``"$distinct_id"`` for the identifier, None
        where there is nothing to go by or the name may not be written.
    """

    position: int
    header: str | None
    samples: tuple[str, ...]
    type: ColumnType
    cells: int
    empty: int
    distinct: int
    property: str | None


@dataclass(frozen=True, eq=False, repr=False)
class CsvPreview:
    """What is in a CSV file; made by :func:`toolkit.preview_csv`.

    Attributes
    ----------
    name
        The file's name.
    columns
        A :class:`CsvColumn` each.
    header, header_reason
        Whether row 1 is a header, and why that is thought (CSV-1).
    identifier
        The column whose cells become the distinct IDs (CSV-2), by its name in the header,
        or by its position where it has none of its own; None where each row gets a
        random ID.
    identifier_reason
        Why.
    candidate
        The column that may be meant where no column is named like an identifier: no cell
        is empty, and no two are alike. ``key=`` takes it. A column that only seems to
        count the rows is it for lack of another.
    candidate_reason
        Why, and what speaks against it; empty where there is no candidate.
    encoding, delimiter
        How the file is written.
    rows
        How many there are below the header, ragged ones too.
    problems
        What an import would stumble over, in sentences.
    """

    name: str
    columns: tuple[CsvColumn, ...]
    header: bool
    header_reason: str
    identifier: str | int | None
    identifier_reason: str
    candidate: str | int | None
    candidate_reason: str
    encoding: str
    delimiter: str
    rows: int
    problems: tuple[str, ...]

    @property
    def mapping(self) -> dict[int, str]:
        """The suggested property names by position, as :func:`toolkit.import_csv` takes them.

        If there is a header, an import without a mapping does just this, or is refused
        where a column with cells would be left out.
        """
        return {
            column.position: column.property
            for column in self.columns
            if column.property is not None
        }

    @property
    def frame(self) -> pd.DataFrame:
        """One row per column: position, header, property, type, empty, distinct, samples (text)."""
        return pd.DataFrame(
            {
                "position": [column.position for column in self.columns],
                "header": pd.Series([column.header for column in self.columns], dtype="str"),
                "property": pd.Series([column.property for column in self.columns], dtype="str"),
                "type": pd.Series([column.type for column in self.columns], dtype="str"),
                "empty": [column.empty for column in self.columns],
                "distinct": [column.distinct for column in self.columns],
                "samples": pd.Series([", ".join(c.samples) for c in self.columns], dtype="str"),
            }
        )

    def _summary(self) -> str:
        return (
            f"{count(self.rows, 'row')}, {count(len(self.columns), 'column')}, "
            f"{self.encoding}, {delimiter_name(self.delimiter)}"
        )

    def __repr__(self) -> str:
        lines = [f"<CsvPreview of {self.name}: {self._summary()}>", f"  {self.header_reason}"]
        for column in self.columns:
            named = "" if column.header is None else f" {column.header!r}"
            target = "" if column.property is None else f" → {column.property!r}"
            samples = listed(map(repr, column.samples), 3) if column.samples else "empty"
            lines.append(f"  {column.position}{named}{target} {column.type}: {samples}")
        lines.append(f"  {self.identifier_reason}")
        return "\n".join([*lines, *(f"  {problem}" for problem in self.problems)])

    def _repr_html_(self) -> str:
        return html.card(
            f"Preview of {self.name}",
            html.paragraph(self._summary()),
            html.table(self.frame, rows=len(self.columns)),
            html.notes(
                [
                    sentence(self.header_reason),
                    sentence(self.identifier_reason),
                    *self.problems,
                ]
            ),
        )


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ImportReport(Outcome):
    """What became of a CSV file; made by :func:`toolkit.import_csv`.

    Attributes
    ----------
    name
        The file's name.
    rows
        How many are below the header; blank lines are not.
    imported
        How many of them were imported: all but the rejected ones.
    created, updated, unchanged
        Profiles new, changed, and as they were before.
    changed_cells
        How many properties held another value, or null, before.
    changes
        The first hundred of those: ``distinct_id``, ``property``, ``old``, ``new``.
    rejected
        The rows that cannot be imported (CSV-7): ``line`` of the file on which the
        row starts, from 1, ``int64``; ``reason``; ``text``, the row as CSV.
    duplicate_ids
        The distinct IDs that occur in several imported rows (CSV-8):
        ``distinct_id``, ``rows``. Of each property the last cell counts.
    placeholder_ids
        The distinct IDs that look like a program's word for none (CSV-8):
        ``distinct_id``, ``rows``. They are imported.
    same_email, same_name
        How many new distinct IDs have the ``$email`` (or ``$name``) of a profile
        that is under another ID, in the table or further up in the file: each
        is a second profile (CSV-4).
    cut
        What the table's limits changed or left out: ``distinct_id``, ``property``,
        ``reason``.
    warnings
        What is worth a look, in sentences.
    columns
        The columns imported: ``position``, ``header``, ``property``, ``type``.
    header, header_reason
        Whether row 1 was taken as a header, and why (CSV-1).
    left_out
        The columns that were not imported: ``position``, ``header``, ``reason``.
    renamed
        {name in the header: property} of the columns that an import without a mapping
        gave another name, such as ``{"email": "$email"}``.
    encoding, delimiter
        How the file is written.
    batch_id
        The batch in the table's log; None if nothing was written.
    dry_run
        Whether this only says what an import would do.
    seconds
        How long it took.
    id_name
        What the IDs are called: "distinct ID", or "group ID" for profiles of groups.
    """

    name: str
    rows: int
    imported: int
    changed_cells: int
    changes: pd.DataFrame
    rejected: pd.DataFrame
    duplicate_ids: pd.DataFrame
    placeholder_ids: pd.DataFrame
    same_email: int
    same_name: int
    cut: pd.DataFrame
    warnings: tuple[str, ...]
    columns: pd.DataFrame
    left_out: pd.DataFrame
    header: bool
    header_reason: str
    renamed: Mapping[str, str]
    encoding: str
    delimiter: str
    dry_run: bool
    seconds: float
    id_name: str = "distinct ID"

    def write_rejected(self, path: str | PathLike[str]) -> None:
        """Write the rejected rows as CSV: line, reason, text; over a file that is there.

        Cells that a spreadsheet would run as formulas get an apostrophe.
        """
        write_whole(path, rejected_csv(self.rejected))

    def _summary(self) -> str:
        would = "would be " if self.dry_run else ""
        return (
            f"{self.imported:,} of {count(self.rows, 'row')} {would}imported: "
            f"{count(self.created, 'profile')} created, {self.updated:,} updated, "
            f"{self.unchanged:,} unchanged"
        )

    def _notes(self) -> list[str]:
        """Return the sentences below the counts."""
        notes = []
        if self.changed_cells:
            notes.append(f"{count(self.changed_cells, 'stored value')} overwritten.")
        if len(self.duplicate_ids):
            rows = int(self.duplicate_ids["rows"].sum())
            notes.append(
                f"{count(len(self.duplicate_ids), self.id_name)} in several rows ({rows:,} rows); "
                "of each property the last cell counts."
            )
        if len(self.placeholder_ids):
            shown = listed((f'"{each}"' for each in self.placeholder_ids["distinct_id"]), 5)
            those = f"{self.id_name[:1].upper()}{self.id_name[1:]}s"
            notes.append(f"{those} that look like placeholders for a missing ID: {shown}.")
        for number, what in ((self.same_email, "$email"), (self.same_name, "$name")):
            if number:
                notes.append(
                    f"{count(number, 'new profile')} with the {what} of a profile "
                    f"under another {self.id_name}."
                )
        if len(self.cut):
            notes.append(
                f"{count(len(self.cut), 'value')} cut or left out by the table's limits; see .cut."
            )
        if len(self.left_out):
            notes.append(f"{count(len(self.left_out), 'column')} left out: {left_out(self)}.")
        notes += self.warnings
        notes.append(sentence(self.header_reason))
        if self.renamed:
            named = (f"{name} → {name_of}" for name, name_of in self.renamed.items())
            notes.append(f"Columns under another name than in the header: {listed(named)}.")
        return notes

    def __repr__(self) -> str:
        kind = "dry run" if self.dry_run else f"{self.seconds:.1f} s"
        lines = [f"<ImportReport of {self.name}: {self._summary()} ({kind})>"]
        lines += [f"  {note}" for note in self._notes()]
        if len(self.rejected):
            lines.append(f"  {count(len(self.rejected), 'row')} rejected:")
            lines += [f"    {row}" for row in rejected_lines(self.rejected, _SHOWN_ROWS)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [html.paragraph(self._summary() + "."), html.notes(self._notes())]
        parts.append(html.table(self.columns))
        for title, frame, total in (
            ("Rejected rows", self.rejected, len(self.rejected)),
            ("Overwritten values", self.changes, self.changed_cells),
        ):
            if total:
                parts += [
                    html.paragraph(f"{title}:"),
                    html.table(frame, rows=_SHOWN_ROWS, total=total),
                ]
        title = "Dry run of the import" if self.dry_run else "Import"
        return html.card(f"{title} of {self.name}", *parts)


def rejected_csv(rejected: pd.DataFrame) -> bytes:
    """Return rejected rows as CSV in UTF-8, safe to open in a spreadsheet: line, reason, text."""
    return csv_of(rejected)


def left_out(report: ImportReport) -> str:
    """Return the columns that were left out, all of them, by name or else by position."""
    names = (
        f"column {position} (the {ordinal(position + 1)})" if header != header else header
        for position, header, _ in report.left_out.itertuples(index=False)
    )
    return ", ".join(map(str, names))


def sentence(clause: str) -> str:
    """Return a clause as a sentence."""
    return f"{clause[:1].upper()}{clause[1:]}."


def rejected_lines(rejected: pd.DataFrame, at_most: int) -> list[str]:
    """Return the first rejected rows in words, and how many follow."""
    shown = [
        f"line {row.line:,}: {row.reason}" for row in rejected.head(at_most).itertuples(index=False)
    ]
    if len(rejected) > at_most:
        shown.append(f"… and {len(rejected) - at_most:,} more")
    return shown
