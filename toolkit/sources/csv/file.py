"""A CSV file that was read, kept between a look at it and its import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pyarrow as pa

from toolkit.base import (
    LAST_SEEN,
    CsvError,
    Progress,
    argument,
    count,
    is_reserved_text,
    listed,
    rounded,
    silent,
)
from toolkit.sources.csv.defuse import restored_texts
from toolkit.sources.csv.dialect import HeaderGuess
from toolkit.sources.csv.mapping import (
    DISTINCT_ID,
    ColumnMapping,
    FileColumns,
    candidate_reason,
    suggest_names,
)
from toolkit.sources.csv.mark import is_export
from toolkit.sources.csv.reading import CsvText, read_csv_text
from toolkit.sources.csv.report import CsvColumn, CsvPreview, sentence
from toolkit.sources.csv.source import CsvSource, Source
from toolkit.sources.csv.stray import LaidOut, find_header, with_header, without_stray_rows
from toolkit.sources.csv.types import (
    ColumnType,
    TypedColumn,
    infer_type,
    is_filled,
    typed,
)
from toolkit.updates import name_refusal

#: A file of more rows is refused (CSV-6).
MAX_ROWS: Final = 1_000_000


@dataclass(frozen=True, eq=False)
class CsvFile:
    """A CSV file in memory; :func:`toolkit.import_csv` takes it in place of its source.

    Attributes
    ----------
    name
        The file's name.
    text
        The rows below the header.
    columns
        Its columns.
    """

    name: str
    text: CsvText
    columns: FileColumns
    # The rows with the header, if there is one.
    _all: CsvText = field(repr=False)
    # Columns as values, which the import needs again after a dry run.
    _typed: dict[tuple[int, ColumnType | None], TypedColumn] = field(
        default_factory=dict, repr=False
    )

    @classmethod
    def read(
        cls,
        source: Source | CsvSource,
        *,
        header: bool | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        mapping: ColumnMapping | None = None,
        progress: Progress = silent,
    ) -> CsvFile:
        """Return a file that was read, as :func:`toolkit.preview_csv` takes it.

        The names in *mapping* help to decide whether there is a header.

        Raises
        ------
        CsvError
            If the file is empty or no CSV, or holds more than 1,000,000 rows (CSV-6).
        CsvFileError
            If it cannot be opened.
        """
        _check_header(header)
        opened = source if isinstance(source, CsvSource) else CsvSource.of(source)
        text = read_csv_text(
            opened,
            encoding=encoding,
            delimiter=delimiter,
            at_most=MAX_ROWS + 1,  # one for the header
            progress=progress,
        )
        return cls._of(opened.name, text, header, mapping)

    @classmethod
    def _of(
        cls, name: str, text: CsvText, header: bool | None, mapping: ColumnMapping | None = None
    ) -> CsvFile:
        layout = _laid_out(text, header, mapping)
        names: tuple[str | None, ...] = (None,) * len(text.columns)
        if layout.cells is not None:
            names = tuple(cell.strip() or None for cell in layout.cells)
        below = layout.text
        if below.rows > MAX_ROWS:  # CSV-6
            raise CsvError(
                f"{name} holds {below.rows:,} rows; at most {MAX_ROWS:,} are imported at once. "
                "Nothing was written; split the file"
            )
        if layout.cells is not None and is_export(layout.cells):  # RESTORE
            names, below = _restored(layout.cells, below)
        else:
            below = without_stray_rows(below, layout.cells)
        return cls(name, below, FileColumns(names, below.columns, layout.header), text)

    def with_header(self, header: bool | None) -> CsvFile:
        """Return the same file with or without a header, or as it looks; it is not read again."""
        _check_header(header)
        return self._of(self.name, self._all, header)

    def first_rows(self, rows: int) -> list[list[str]]:
        """Return the cells of the first rows, of a header too."""
        named = self.columns.header.header
        head = [[name or "" for name in self.columns.names]] if named else []
        cells = (column.slice(0, rows - len(head)).to_pylist() for column in self.text.columns)
        return [*head, *map(list, zip(*cells, strict=True))]

    def typed(self, position: int, kind: ColumnType | None = None) -> TypedColumn:
        """Return a column as values of a type, by default of the one that all cells fit."""
        if (position, kind) not in self._typed:
            self._typed[position, kind] = typed(self.text.columns[position], kind)
        return self._typed[position, kind]

    def preview(
        self, progress: Progress = silent, group_key: str | None = None, key: object = None
    ) -> CsvPreview:
        """Return what is in the file, as :func:`toolkit.preview_csv` does.

        What it suggests is for profiles of users, or of a *group_key*; *key* names the
        column of their IDs.
        """
        suggestion = suggest_names(self.columns, group_key, key)
        columns = []
        for position, cells in enumerate(self.columns.cells):
            progress(
                "Looking", position * self.text.rows // len(self.columns.cells), self.text.rows
            )
            filled = cells.filter(is_filled(cells))
            columns.append(
                CsvColumn(
                    position,
                    self.columns.names[position],
                    tuple(self.columns.samples(position)),
                    "text" if is_reserved_text(suggestion.names[position]) else infer_type(filled),
                    len(cells),
                    len(cells) - len(filled),
                    len(filled.unique()),
                    suggestion.names[position],
                )
            )
        return CsvPreview(
            name=self.name,
            columns=tuple(columns),
            header=self.columns.header.header,
            header_reason=self.columns.header.reason,
            identifier=self._key(suggestion.identifier),
            identifier_reason=suggestion.identifier_reason,
            candidate=self._key(suggestion.candidate),
            candidate_reason=(
                ""
                if suggestion.candidate is None
                else candidate_reason(self.columns, suggestion.candidate)
            ),
            encoding=self.text.encoding,
            delimiter=self.text.delimiter,
            rows=self.text.rows,
            problems=tuple(self._problems(suggestion.identifier)),
        )

    def _unnamed(self) -> list[str]:
        """Return in sentences which columns have no name in the header."""
        unnamed = [at for at, name in enumerate(self.columns.names) if name is None]
        if not unnamed:
            return []
        shown = listed(map(self.columns.title, unnamed))
        return [f"{count(len(unnamed), 'column')} without a name in the header: {shown}."]

    def _key(self, position: int | None) -> str | int | None:
        return None if position is None else self.columns.key(position)

    def _problems(self, identifier: int | None) -> list[str]:
        """Return what an import would stumble over, in sentences."""
        problems = list(self.text.notes)
        if self.text.rows == 0:
            problems.append("The file holds a header and no rows.")
        if self.text.ragged:
            first = self.text.ragged[0]
            problems.append(
                f"{count(len(self.text.ragged), 'row')} cannot be imported; "
                f"the first, on line {first.line:,}: {first.reason}."
            )
        names = [name for name in self.columns.names if name is not None]
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            problems.append(f'{names.count(name)} columns are named "{name}".')
        if self.columns.header.header:
            problems += self._unnamed()
        for position, header in enumerate(self.columns.names):
            reason = None if header in (None, DISTINCT_ID) else name_refusal(str(header))
            if reason is not None and header != LAST_SEEN:
                title = sentence(self.columns.title(position)).removesuffix(".")
                problems.append(f"{title} is left out: {reason}.")
        return [*problems, *self._rounded(identifier)]

    def _rounded(self, identifier: int | None) -> list[str]:
        """Return in a sentence which IDs a spreadsheet has rounded (ID-1)."""
        if identifier is None or self.columns.is_exported:
            return []
        cells = self.columns.cells[identifier]
        doubtful = np.flatnonzero(rounded(cells))
        if not len(doubtful):
            return []
        return [
            f"{count(len(doubtful), 'row')} cannot be imported: {self.columns.title(identifier)} "
            f'holds "{cells[int(doubtful[0])].as_py()[:40]}", what a spreadsheet left of a long '
            "number: digits are lost (ID-1). Export the column as text."
        ]


def _check_header(header: object) -> None:
    if header not in (None, True, False):
        raise CsvError(f"header={header!r}; True, False, or None to detect it, is allowed")


def _laid_out(text: CsvText, forced: bool | None, mapping: ColumnMapping | None) -> LaidOut:
    """Return a file with its header: as given, as the mapping shows, or as it looks (CSV-1)."""
    if forced is None:
        named = mapping if isinstance(mapping, Mapping) else {}
        return find_header(text, frozenset(key.strip() for key in named if isinstance(key, str)))
    if not forced:
        return LaidOut(HeaderGuess(False, "row 1 is data, as given"), None, text)
    if not text.has_wide_first_row:
        raise CsvError(
            f"row 1 cannot be the header: {text.ragged[0].reason}. "
            f"Correct it, or pass {argument('header', False)}"
        )
    return with_header(text, "row 1 is a header, as given")


def _restored(header: Sequence[str], below: CsvText) -> tuple[tuple[str | None, ...], CsvText]:
    """Return the names and the rows of a table as they were before they were defused.

    Names keep the white space around them.
    """
    names, changed = restored_texts(pa.array(header, pa.large_string()))
    columns = []
    for column in below.columns:
        texts, cells = restored_texts(column)
        columns.append(texts)
        changed += cells
    notes = below.notes
    if changed:
        notes += (
            f"This is the CSV of a table: the apostrophe before what a spreadsheet would run as "
            f"a formula was removed in {count(changed, 'cell')}.",
        )
    return (
        tuple(name if name.strip() else None for name in names.to_pylist()),
        replace(below, columns=tuple(columns), notes=notes),
    )
