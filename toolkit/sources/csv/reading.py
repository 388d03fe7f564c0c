"""A CSV file as columns of text, each row with the line it starts on."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from toolkit.base import CsvEncodingError, CsvError, Progress, argument, count, silent
from toolkit.columns import Mask, Positions
from toolkit.sources.csv.arrow_stream import csv_batches
from toolkit.sources.csv.dialect import DELIMITERS, Dialect, check_delimiter, delimiter_name, sniff
from toolkit.sources.csv.formats import format_of_text
from toolkit.sources.csv.mark import export_dialect
from toolkit.sources.csv.quotes import ESCAPE, BrokenQuote, QuoteCheck
from toolkit.sources.csv.source import (
    END_MARK,
    CsvSource,
    KeptBackslashes,
    OpenFile,
    Utf8Stream,
    first_encoding,
    legacy_encodings,
)

#: The dialect is detected from this many bytes.
_HEAD: Final = 1 << 18

#: pyarrow reads in blocks, and no row may be longer than one.
_BLOCK: Final = 16 << 20

_TEXT: Final = pa.large_string()
_LINE_END: Final = r"\r\n|\r|\n"
_MARK: Final = END_MARK.decode()

# What Excel writes above the rows to say what separates cells.
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([^\r\n]?)"?(?=[\r\n]|$)', re.IGNORECASE)

_ESCAPED_NOTE: Final = (
    r"Quotes within cells are escaped by backslashes (\"), where CSV writes them twice; "
    r"they were read that way, and \\ as one backslash."
)


class RaggedRow(NamedTuple):
    """A row with more or fewer cells than the others, or with a quote out of place."""

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
        nothing but delimiters, are not rows.
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
    def has_wide_first_row(self) -> bool:
        """Whether the first row is as wide as the others."""
        return len(self.lines) > 0 and not (self.ragged and self.ragged[0].line < self.lines[0])

    def row(self, at: int) -> tuple[str, ...]:
        """Return the cells of a row that is not ragged."""
        return tuple(column[at].as_py() for column in self.columns)

    def ragged_cells(self, at: int) -> list[str]:
        """Return the cells of a ragged row."""
        return next(csv.reader([self.ragged[at].text], delimiter=self.delimiter), [])

    def below(self, at: int) -> CsvText:
        """Return the rows below one of those that are not ragged."""
        return replace(
            self,
            columns=tuple(column.slice(at + 1) for column in self.columns),
            lines=self.lines[at + 1 :],
            rows=self.rows - 1 - at,
        )

    def without_first_ragged(self) -> CsvText:
        """Return the rows without the first ragged one."""
        return replace(self, ragged=self.ragged[1:], rows=self.rows - 1)

    def rejecting(self, reasons: Mapping[int, str], notes: tuple[str, ...] = ()) -> CsvText:
        """Return the rows with some of them among the ragged ones, for a reason."""
        if not reasons:
            return replace(self, notes=(*self.notes, *notes)) if notes else self
        rows = np.array(sorted(reasons), np.int64)
        texts = zip(rows.tolist(), self.row_texts(rows), strict=True)
        ragged = [RaggedRow(int(self.lines[row]), reasons[row], text) for row, text in texts]
        keep = np.ones(len(self.lines), np.bool_)
        keep[rows] = False
        return replace(
            self,
            columns=tuple(column.filter(pa.array(keep)) for column in self.columns),
            lines=self.lines[keep],
            ragged=tuple(sorted((*self.ragged, *ragged))),
            notes=(*self.notes, *notes),
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

    Cells are in double quotes where they hold delimiters, line ends or quotes;
    a quote within is doubled. Where no quote is doubled and some are escaped by a
    backslash, all are read so, which is noted. A row with any other quote that neither
    opens a cell, closes one nor is doubled is among the ragged ones. A first line
    ``sep=;`` is not a row. Memory is used for *at_most* rows, however many there are.

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
        Called with how many rows were read, and how many there seem to be.

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
    with source.opened() as file:
        first = first_encoding(source, file, encoding)
        try:
            return _read(file, first, delimiter, at_most, progress)
        except CsvEncodingError as error:
            if encoding is not None or first != "utf-8":
                raise
            sample = error.sample
        *guesses, last = legacy_encodings(sample)
        for guess in guesses:
            try:
                return _read(file, guess, delimiter, at_most, progress, is_guess=True)
            except CsvEncodingError:
                continue
        return _read(file, last, delimiter, at_most, progress, is_guess=True)


def _read(
    file: OpenFile,
    encoding: str,
    delimiter: str | None,
    at_most: int,
    progress: Progress,
    is_guess: bool = False,
) -> CsvText:
    head = file.text(encoding).read(_HEAD).decode(errors="ignore")
    if (kind := format_of_text(head)) is not None:
        raise CsvError(f"{file.name} is not CSV but {kind}")
    line = _SEPARATOR_LINE.match(head)
    above = "" if line is None else line[0]
    if line is not None and line[1] and delimiter is None:
        delimiter = check_delimiter(line[1])
    notes: tuple[str, ...] = ()
    if is_guess:
        notes = (
            f"The file is not UTF-8 and was read as {encoding}, which is a guess; "
            f"if names look wrong, pass {argument('encoding')}",
        )
    text = head[len(above) :].removesuffix(_MARK)
    exported = export_dialect(text, delimiter)

    plain_dialect = exported or sniff(text, delimiter, None)

    def read(escape: str | None) -> tuple[CsvText | CsvError, QuoteCheck]:
        dialect = plain_dialect if escape is None else sniff(text, delimiter, escape)
        quotes = QuoteCheck(dialect.delimiter, escape is not None)
        remarks = notes if escape is None else (*notes, _ESCAPED_NOTE)
        try:
            result = _text(
                *(file, encoding, dialect, quotes), len(above), at_most, progress, remarks
            )
        except CsvEncodingError:
            raise
        except CsvError as error:
            return error, quotes
        return result, quotes

    escaped: CsvText | CsvError | None = None
    if exported is None and ESCAPE in text and _suggests_escapes(text, plain_dialect):
        # As it seems to be written. Read otherwise, each row with such a quote is rejected by
        # itself, and the whole file takes ten times as long.
        escaped, quotes = read(ESCAPE)
        if isinstance(escaped, CsvText) and not (escaped.ragged or quotes.has_doubled):
            return escaped
    plain, quotes = read(None)
    results = [plain]
    if exported is None and quotes.suggests_escapes:
        results.append(escaped or read(ESCAPE)[0])
    texts = [each for each in results if isinstance(each, CsvText)]
    if not texts:
        assert isinstance(plain, CsvError)
        raise plain
    return min(texts, key=lambda text: len(text.ragged))


def _suggests_escapes(text: str, dialect: Dialect) -> bool:
    quotes = QuoteCheck(dialect.delimiter)
    quotes.take(text.encode(), 0)
    return quotes.suggests_escapes


def _text(
    file: OpenFile,
    encoding: str,
    dialect: Dialect,
    quotes: QuoteCheck,
    above: int,
    at_most: int,
    progress: Progress,
    notes: tuple[str, ...],
) -> CsvText:
    """Return the rows of a file in one dialect, below so many bytes that are not rows."""
    stream = file.text(encoding, quotes)
    stream.read(above)
    parsed = _Parsed(dialect, file.name, at_most)
    parsed.read(stream, lambda rows: progress("Reading", rows, file.size * rows // stream.taken))
    broken = _Broken(quotes.broken, file, encoding)
    return parsed.result(stream.line_ends, encoding, notes, broken)


class _Broken:
    """The quotes that are out of place, and the rows they are in."""

    def __init__(self, quotes: Sequence[BrokenQuote], file: OpenFile, encoding: str) -> None:
        self._quotes = quotes
        self._file = file
        self._encoding = encoding

    def reasons(self, lines: Positions) -> dict[int, str]:
        """Return the reason against each row concerned, by its place among the rows' lines."""
        at = np.searchsorted(lines, [quote.line for quote in self._quotes], "right") - 1
        return {
            row: quote.reason
            for row, quote in zip(at.tolist()[::-1], self._quotes[::-1], strict=True)
        }

    def texts(self, lines: Positions, rows: Sequence[int]) -> dict[int, str]:
        """Return rows as they are in the file."""
        starts = lines[list(rows)]
        after = np.append(lines, np.iinfo(np.int64).max)[np.asarray(rows, np.int64) + 1]
        texts = dict.fromkeys(rows, "")
        stream = io.BufferedReader(self._file.text(self._encoding))
        row = 0
        for number, line in enumerate(io.TextIOWrapper(stream, "utf-8", newline=""), 1):
            while row < len(rows) and number >= after[row]:
                row += 1
            if row == len(rows):
                break
            if number >= starts[row]:
                texts[rows[row]] += line.removesuffix(_MARK)
        return {row: text.rstrip("\r\n") for row, text in texts.items()}


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
        """Read all rows; keep no more than asked for. *notice* is called now and then."""
        names = [str(position) for position in range(self._dialect.width)]
        reading = csv_batches(
            stream if self._dialect.escape is None else KeptBackslashes(stream),
            self._on_ragged_row,
            # In one thread, for only then pyarrow numbers the ragged rows.
            pa_csv.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=names),
            {
                "delimiter": self._dialect.delimiter,
                "escape_char": self._dialect.escape or False,
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
        # With one column the end mark is not a ragged row.
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
            self._ragged.append((row.number, row.actual_columns, self._plain(row.text)))
        return "skip"

    def _plain(self, text: str) -> str:
        """Return a row as CSV without the backslashes that escape quotes."""
        if self._dialect.escape is None:
            return text
        delimiter = self._dialect.delimiter
        cells = csv.reader(io.StringIO(text, newline=""), escapechar=ESCAPE, delimiter=delimiter)
        try:
            return _as_csv(cells, delimiter)[0]
        except csv.Error:  # a cell beyond the limit of Python's reader; pyarrow has none
            return text

    def _holds_nothing(self, text: str) -> bool:
        delimiter = self._dialect.delimiter
        if text.strip(delimiter + '"'):
            return False
        return not any(next(csv.reader([text], delimiter=delimiter)))

    def result(
        self, line_ends: int, encoding: str, notes: tuple[str, ...], broken: _Broken
    ) -> CsvText:
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
        reasons = broken.reasons(lines) if self._is_whole else {}
        ragged = [
            RaggedRow(
                int(lines[number - 1]), reasons.get(number - 1) or self._reason(cells, text), text
            )
            for number, cells, text in self._ragged
            if not self._holds_nothing(text)
        ]
        keep = ~_blank(columns)
        if self._is_whole and not self._is_closed:
            ragged = self._with_open_quote(columns, lines, numbers, ragged, keep)
        if reasons:
            even = np.isin(numbers - 1, list(reasons)) & keep
            keep &= ~even
            rows = (numbers[even] - 1).tolist()
            texts = broken.texts(lines, rows)
            ragged += [RaggedRow(int(lines[row]), reasons[row], texts[row]) for row in rows]
            ragged.sort()
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

    def _reason(self, cells: int, text: str) -> str:
        width = self._dialect.width
        reason = f"{count(cells, 'cell')} where {width} are expected"
        others = (each for each in DELIMITERS if each != self._dialect.delimiter)
        other = next((each for each in others if text.count(each) + 1 == width > 1), None)
        return reason if other is None else f"{reason}; with a {delimiter_name(other)} it has them"

    def _with_open_quote(
        self,
        columns: Sequence[pa.Array],
        lines: Positions,
        numbers: Positions,
        ragged: list[RaggedRow],
        keep: Mask,
    ) -> list[RaggedRow]:
        """Return the ragged rows and the last row, whose open quote swallowed the end mark.

        If it was not a ragged row it is taken out of *keep*.
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
