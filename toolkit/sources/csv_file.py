"""A CSV file that was read, kept between a look at it and its import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from toolkit.errors import ColumnMappingError, CsvError
from toolkit.progress import Progress, silent
from toolkit.reserved import LAST_SEEN, name_refusal
from toolkit.sources.arguments import argument
from toolkit.sources.csv_dialect import SAMPLE_ROWS, HeaderGuess, guess_header
from toolkit.sources.csv_mapping import DISTINCT_ID, ColumnMapping, FileColumns, suggest_names
from toolkit.sources.csv_reading import CsvText, read_csv_text
from toolkit.sources.csv_report import CsvColumn, CsvPreview, sentence
from toolkit.sources.csv_source import CsvSource, Source
from toolkit.sources.csv_types import ColumnType, TypedColumn, infer_type, is_filled, typed
from toolkit.values import quoted
from toolkit.wording import count

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

        The names in *mapping* help to tell whether there is a header.

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
        first = text.first_row
        guess = _header(text, first, header, mapping)
        names: tuple[str | None, ...] = (None,) * len(text.columns)
        below = text
        if guess.header and first is not None:
            names = tuple(cell.strip() or None for cell in first)
            below = text.below_header()
        if below.rows > MAX_ROWS:  # CSV-6
            raise CsvError(
                f"{name} holds {below.rows:,} rows; at most {MAX_ROWS:,} are imported at once. "
                "Nothing was written; split the file"
            )
        return cls(name, below, FileColumns(names, below.columns, guess), text)

    def with_header(self, header: bool | None) -> CsvFile:
        """Return the same file with or without a header, or as it looks; it is not read again."""
        _check_header(header)
        return self._of(self.name, self._all, header)

    def first_rows(self, rows: int) -> list[list[str]]:
        """Return the cells of the first rows, of a header too."""
        return [
            list(cells)
            for cells in zip(
                *(column.slice(0, rows).to_pylist() for column in self._all.columns), strict=True
            )
        ]

    def typed(self, position: int, kind: ColumnType | None = None) -> TypedColumn:
        """Return a column as values of a type, by default of the one that all cells fit."""
        if (position, kind) not in self._typed:
            self._typed[position, kind] = typed(self.text.columns[position], kind)
        return self._typed[position, kind]

    def preview(self, progress: Progress = silent, group_key: str | None = None) -> CsvPreview:
        """Return what stands in the file, as :func:`toolkit.preview_csv` does.

        What it suggests is for profiles of users, or of a *group_key*.
        """
        suggested, identifier_reason = suggest_names(self.columns, group_key)
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
                    infer_type(filled),
                    len(cells),
                    len(cells) - len(filled),
                    len(filled.unique()),
                    suggested[position],
                )
            )
        return CsvPreview(
            name=self.name,
            columns=tuple(columns),
            header=self.columns.header.header,
            header_reason=self.columns.header.reason,
            identifier_reason=identifier_reason,
            encoding=self.text.encoding,
            delimiter=self.text.delimiter,
            rows=self.text.rows,
            problems=tuple(self._problems()),
        )

    def _problems(self) -> list[str]:
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
        unnamed = self.columns.names.count(None)
        if self.columns.header.header and unnamed:
            problems.append(f"{count(unnamed, 'column')} without a name in the header.")
        for position, header in enumerate(self.columns.names):
            reason = None if header in (None, DISTINCT_ID) else name_refusal(str(header))
            if reason is not None and header != LAST_SEEN:
                title = sentence(self.columns.title(position))[:-1]
                problems.append(f"{title} is left out: {reason}.")
        return problems


def _check_header(header: object) -> None:
    if header not in (None, True, False):
        raise CsvError(f"header={header!r}; True, False, or None to find out, is allowed")


def _header(
    text: CsvText, first: tuple[str, ...] | None, forced: bool | None, mapping: ColumnMapping | None
) -> HeaderGuess:
    """Return whether row 1 is a header: as told, as the mapping shows, or as it looks (CSV-1)."""
    if first is None:
        if forced:
            raise CsvError(
                f"row 1 cannot be the header: {text.ragged[0].reason}. "
                f"Correct it, or pass {argument('header', False)}"
            )
        return HeaderGuess(False, "row 1 is not as wide as the others")
    if forced is not None:
        return HeaderGuess(forced, f"row 1 is {'a header' if forced else 'data'}, as was given")
    if mapping is not None and not isinstance(mapping, Mapping):
        raise ColumnMappingError(f"mapping={quoted(mapping):.60}; a dict of columns is needed")
    keys = {key.strip() for key in mapping if isinstance(key, str)} if mapping else set()
    if keys and keys <= {cell.strip() for cell in first}:
        return HeaderGuess(True, "row 1 is a header: the mapping names its columns")
    return guess_header(first, [column.slice(1, SAMPLE_ROWS) for column in text.columns])
