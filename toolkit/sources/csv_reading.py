"""A CSV file as columns of text, each row with the line it starts on."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from toolkit.columns import Mask, Positions
from toolkit.errors import CsvEncodingError, CsvError
from toolkit.progress import Progress, silent
from toolkit.sources.arguments import argument
from toolkit.sources.arrow_stream import csv_batches
from toolkit.sources.csv_dialect import Dialect, check_delimiter, sniff
from toolkit.sources.csv_mark import export_dialect
from toolkit.sources.csv_source import (
    END_MARK,
    CsvSource,
    Utf8Stream,
    first_encoding,
    legacy_encodings,
)
from toolkit.wording import count

#: The dialect is found in so many bytes.
_HEAD: Final = 1 << 18

#: pyarrow reads in blocks, and no row may be longer than one.
_BLOCK: Final = 16 << 20

_TEXT: Final = pa.large_string()
_LINE_END: Final = r"\r\n|\r|\n"
_MARK: Final = END_MARK.decode()


class RaggedRow(NamedTuple):
    """A row with more or fewer cells than the others, or an open quote."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True, eq=False)
class CsvText:
    """The rows of a CSV file as text; a header is the first of them.

    Attributes
    ----------
    columns
        The cells of the rows that are not ragged: a pyarrow ``large_string`` array
        a column, without nulls; empty cells are ``""``.
    lines
        The line of the file each of these rows starts on, from 1, ``int64``.
    ragged
        The other rows.
    rows
        How many rows there are, ragged ones too. Lines that are blank, or hold
        nothing but delimiters, are no rows.
    is_whole
        Whether *columns* hold all rows. Those of a file with more rows than asked
        for are counted, not kept.
    encoding, delimiter
        How the file is written.
    notes
        What had to be guessed, in sentences.
    """

    columns: tuple[pa.Array, ...]
    lines: Positions
    ragged: tuple[RaggedRow, ...]
    rows: int
    is_whole: bool
    encoding: str
    delimiter: str
    notes: tuple[str, ...] = ()

    @property
    def first_row(self) -> tuple[str, ...] | None:
        """The cells of the first row, None if it is ragged."""
        if not len(self.lines) or (self.ragged and self.ragged[0].line < self.lines[0]):
            return None
        return tuple(column[0].as_py() for column in self.columns)

    def below_header(self) -> CsvText:
        """Return the rows without the first."""
        return CsvText(
            tuple(column.slice(1) for column in self.columns),
            self.lines[1:],
            self.ragged,
            self.rows - 1,
            self.is_whole,
            self.encoding,
            self.delimiter,
            self.notes,
        )

    def row_texts(self, positions: Positions) -> list[str]:
        """Return rows as lines of CSV."""
        picked = pa.array(positions)
        cells = [column.take(picked).to_pylist() for column in self.columns]
        return _as_csv(zip(*cells, strict=True), self.delimiter)


def read_csv_text(
    source: CsvSource,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    at_most: int,
    progress: Progress = silent,
) -> CsvText:
    """Return the rows of a CSV file as text.

    Cells stand in double quotes where they hold delimiters, line ends or quotes;
    a quote within is doubled. Memory is used for *at_most* rows, however many
    there are.

    Parameters
    ----------
    source
        The file.
    encoding
        Of its bytes. By default that of its byte order mark, else UTF-8 if all of it
        is, else a guess that is noted.
    delimiter
        Between cells. By default the one of ``, ; tab |`` that fits the first rows.
    at_most
        Of so many rows the cells are kept.
    progress
        Told how many rows were read, and how many there seem to be.

    Raises
    ------
    CsvError
        If the file is empty, no text, not in the encoding given, or holds a row of
        more than 16 MB.
    CsvFileError
        If it cannot be opened.
    """
    if delimiter is not None:
        check_delimiter(delimiter)
    first = first_encoding(source, encoding)
    try:
        return _read(source, first, delimiter, at_most, progress)
    except CsvEncodingError as error:
        if encoding is not None or first != "utf-8":
            raise
        sample = error.sample
    *guesses, last = legacy_encodings(sample)
    for guess in guesses:
        try:
            return _read(source, guess, delimiter, at_most, progress, is_guess=True)
        except CsvEncodingError:
            continue
    return _read(source, last, delimiter, at_most, progress, is_guess=True)


def _read(
    source: CsvSource,
    encoding: str,
    delimiter: str | None,
    at_most: int,
    progress: Progress,
    is_guess: bool = False,
) -> CsvText:
    with source.opened() as raw:
        head = Utf8Stream(raw, encoding, source.name).read(_HEAD)
    text = head.decode(errors="ignore").removesuffix(_MARK)
    dialect = export_dialect(text, delimiter) or sniff(text, delimiter)
    with source.opened() as raw:
        stream = Utf8Stream(raw, encoding, source.name)
        size = source.size()
        parsed = _Parsed(dialect, source.name, at_most)
        parsed.read(stream, lambda rows: progress("Reading", rows, size * rows // stream.taken))
    notes: tuple[str, ...] = ()
    if is_guess:
        notes = (
            f"The file is not UTF-8 and was read as {encoding}, which is a guess; "
            f"if names look wrong, pass {argument('encoding')}",
        )
    return parsed.result(stream.line_ends, encoding, notes)


class _Parsed:
    """The rows pyarrow finds, in the order of the file.

    A row is known by its number from 1, in which every row counts, ragged ones and
    blank ones too.
    """

    def __init__(self, dialect: Dialect, name: str, at_most: int) -> None:
        self._dialect = dialect
        self._name = name
        self._at_most = at_most
        self._batches: list[pa.RecordBatch] = []
        self._ragged: list[tuple[int, int, str]] = []  # number, cells, text
        self._ragged_rows = 0
        self._even_rows = 0
        self._blank_rows = 0
        self._is_closed = False

    @property
    def _rows(self) -> int:
        return self._even_rows + self._ragged_rows - self._blank_rows

    @property
    def _is_whole(self) -> bool:
        return self._rows <= self._at_most

    def read(self, stream: Utf8Stream, notice: Callable[[int], None]) -> None:
        """Read all rows; keep no more than asked for. *notice* is told how many, now and then."""
        names = [str(position) for position in range(self._dialect.width)]
        reading = csv_batches(
            stream,
            self._on_ragged_row,
            # In one thread, for only then pyarrow numbers the ragged rows.
            pa_csv.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=names),
            {
                "delimiter": self._dialect.delimiter,
                "newlines_in_values": True,
                "ignore_empty_lines": False,
            },
            pa_csv.ConvertOptions(
                check_utf8=False,  # the stream did
                column_types=dict.fromkeys(names, _TEXT),
                strings_can_be_null=False,
            ),
        )
        try:
            with reading as batches:
                for batch in batches:
                    self._take(batch)
                    notice(self._rows)
        except pa.ArrowInvalid as error:
            if "straddling" in str(error):
                raise CsvError(
                    f"{self._name} holds a row of more than {_BLOCK:,} bytes after its first "
                    f"{count(self._rows, 'row')}: is a quote opened there and never closed?"
                ) from None
            if "Empty CSV" not in str(error):  # which is what it says if all rows are ragged
                raise CsvError(f"{self._name} cannot be read as CSV: {error}") from None

    def _take(self, batch: pa.RecordBatch) -> None:
        # With one column the end mark is no ragged row.
        if batch.num_columns == 1 and batch.num_rows and batch.column(0)[-1].as_py() == _MARK:
            self._is_closed = True
            batch = batch.slice(0, batch.num_rows - 1)
        self._even_rows += batch.num_rows
        self._blank_rows += int(_blank(batch.columns).sum())
        if self._is_whole or not self._batches:
            self._batches.append(batch)

    def _on_ragged_row(self, row: Any) -> str:
        if row.text == _MARK:
            self._is_closed = True
            return "skip"
        self._ragged_rows += 1
        self._blank_rows += self._holds_nothing(row.text)
        if self._is_whole:
            self._ragged.append((row.number, row.actual_columns, row.text))
        return "skip"

    def _holds_nothing(self, text: str) -> bool:
        delimiter = self._dialect.delimiter
        if text.strip(delimiter + '"'):
            return False
        return not any(next(csv.reader([text], delimiter=delimiter)))

    def result(self, line_ends: int, encoding: str, notes: tuple[str, ...]) -> CsvText:
        """Return the rows; *line_ends* is how many the file has."""
        columns = self._columns()
        # Ragged rows beyond the last one kept were counted only.
        self._ragged = [
            row for at, row in enumerate(self._ragged) if row[0] - at <= len(columns[0]) + 1
        ]
        ragged_numbers = np.array([number for number, _, _ in self._ragged], np.int64)
        numbers = np.delete(
            np.arange(1, len(columns[0]) + len(ragged_numbers) + 1), ragged_numbers - 1
        )
        lines = self._lines(columns, numbers, ragged_numbers, line_ends)
        ragged = [
            RaggedRow(int(lines[number - 1]), self._reason(cells), text)
            for number, cells, text in self._ragged
            if not self._holds_nothing(text)
        ]
        keep = ~_blank(columns)
        if self._is_whole and not self._is_closed:
            ragged = self._with_open_quote(columns, lines, numbers, ragged, keep)
        if not keep.all():
            columns = tuple(column.filter(pa.array(keep)) for column in columns)
            numbers = numbers[keep]
        if self._rows == 0:
            raise CsvError(f"{self._name} holds nothing but blank lines")
        return CsvText(
            columns,
            lines[numbers - 1],
            tuple(ragged),
            self._rows,
            self._is_whole,
            encoding,
            self._dialect.delimiter,
            notes,
        )

    def _columns(self) -> tuple[pa.Array, ...]:
        columns = []
        for position in range(self._dialect.width):
            chunks = [batch.column(position) for batch in self._batches]
            columns.append(pa.concat_arrays(chunks) if chunks else pa.array([], _TEXT))
        self._batches.clear()
        return tuple(columns)

    def _lines(
        self,
        columns: Sequence[pa.Array],
        numbers: Positions,
        ragged_numbers: Positions,
        line_ends: int,
    ) -> Positions:
        """Return the line each row starts on, by its number."""
        rows = len(numbers) + len(ragged_numbers)
        if line_ends <= rows:  # no cell holds a line end
            return np.arange(1, rows + 1)
        heights = np.ones(rows, np.int64)
        for column in columns:
            heights[numbers - 1] += pc.count_substring_regex(column, pattern=_LINE_END).to_numpy()
        texts = pa.array([text for _, _, text in self._ragged], _TEXT)
        heights[ragged_numbers - 1] += pc.count_substring_regex(texts, pattern=_LINE_END).to_numpy()
        return np.cumsum(heights) - heights + 1

    def _reason(self, cells: int) -> str:
        return f"{count(cells, 'cell')} where {self._dialect.width} are expected"

    def _with_open_quote(
        self,
        columns: Sequence[pa.Array],
        lines: Positions,
        numbers: Positions,
        ragged: list[RaggedRow],
        keep: Mask,
    ) -> list[RaggedRow]:
        """Return the ragged rows and the last row, whose open quote swallowed the end mark.

        If it was no ragged row it is taken out of *keep*.
        """
        reason = "a quote is opened in this row and never closed"
        if self._ragged and (not len(numbers) or self._ragged[-1][0] > numbers[-1]):
            *others, last = ragged
            return [*others, RaggedRow(last.line, reason, last.text.removesuffix("\n" + _MARK))]
        keep[-1] = False
        *cells, cell = (column[-1].as_py() for column in columns)
        row = [*cells, cell.removesuffix("\n" + _MARK)]
        (text,) = _as_csv([row], self._dialect.delimiter)
        return [*ragged, RaggedRow(int(lines[-1]), reason, text)]


def _blank(columns: Sequence[pa.Array]) -> Mask:
    """Return which rows hold nothing: blank lines, or only delimiters."""
    blank = np.ones(len(columns[0]), np.bool_)
    for column in columns:
        if not blank.any():
            break
        blank &= pc.binary_length(column).to_numpy() == 0
    return blank


def _as_csv(rows: Any, delimiter: str) -> list[str]:
    line = io.StringIO()
    writer = csv.writer(line, delimiter=delimiter, lineterminator="")
    texts = []
    for row in rows:
        writer.writerow(row)
        texts.append(line.getvalue())
        line.seek(0)
        line.truncate()
    return texts
