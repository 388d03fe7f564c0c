"""Lines of a CSV file that are as wide as a row and are not (CSV-10).

Titles above the header, a line drawn under it, the header a second time where files
were put together, totals and counts below the last row.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import listed
from toolkit.sources.csv.dialect import (
    DELIMITERS,
    HeaderGuess,
    column_title,
    guess_header,
    is_header_again,
)
from toolkit.sources.csv.reading import CsvText
from toolkit.sources.csv.types import is_filled, is_key

BYTE_ORDER_MARK: Final = "\ufeff"

#: The header is at most this many lines down.
_ABOVE: Final = 20
#: So many lines below the last row are looked at.
_BELOW: Final = 3
_SAMPLE: Final = 1_000
_RULE: Final = re.compile(r"\s*[-=_+:|]+\s*")
_COUNT: Final = re.compile(
    r"\(?[0-9][0-9.,]* (?:rows?|records?|zeilen?|lignes?|filas?)\b.{0,20}\)?", re.IGNORECASE
)
_TOTAL: Final = re.compile(
    r"(?:(?:grand|sub)[- ]?)?totals?|sums?|Σ|(?:end|gesamt|zwischen)?summen?"
    r"|gesamt(?:ergebnis)?|insgesamt|total g[ée]n[ée]ral"
    r"|totale|totaal|somme|suma|summa|soma|итого|всего"
    r"|合計|合计|总计|總計|합계",
    re.IGNORECASE,
)
_AVERAGE: Final = re.compile(
    r"averages?|avg\.?|mean|median|durchschnitt|mittelwert|moyenne|promedio|gemiddelde|среднее|平均",
    re.IGNORECASE,
)


class LaidOut:
    """A file with its header apart from its rows.

    Attributes
    ----------
    header
        Whether there is a header, and why.
    cells
        Its cells, None if there is none.
    text
        The rows below it.
    """

    def __init__(self, header: HeaderGuess, cells: Sequence[str] | None, text: CsvText) -> None:
        self.header = header
        self.cells = cells
        self.text = text


def find_header(text: CsvText, wanted: frozenset[str] = frozenset()) -> LaidOut:
    """Return a file with its header found (CSV-1), if it has one.

    It may be below lines of one cell and comments, be one cell shorter
    than the rows, as R writes it, or lack the delimiter that ends them.

    Parameters
    ----------
    text
        All rows.
    wanted
        The columns that a mapping names; a row that has them all is the header.
    """
    if not len(text.lines):
        return LaidOut(HeaderGuess(False, "no row is as wide as another"), None, text)
    above = _rows_above(text)
    if text.has_wide_first_row:
        header = _header_at(text, 0, wanted)
        if header.header.header or not above:
            return header
    elif (short := _uneven_header(text)) is not None:
        return short
    if above or not text.has_wide_first_row:
        header = _header_at(text, above, wanted)
        if header.header.header:
            return header
    if text.has_wide_first_row:
        return _header_at(text, 0, wanted)
    reason = f"row 1 is not as wide as the others: {text.ragged[0].reason}"
    return LaidOut(HeaderGuess(False, reason), None, text)


def with_header(text: CsvText, reason: str) -> LaidOut:
    """Return a file whose first row is its header."""
    return LaidOut(HeaderGuess(True, reason), text.row(0), text.below(0))


def _rows_above(text: CsvText) -> int:
    """Return how many rows at the top hold one cell only, or are comments."""
    if len(text.columns) < 2:
        return 0
    rows = zip(*(column.slice(0, _ABOVE).to_pylist() for column in text.columns), strict=True)
    for at, row in enumerate(rows):
        if any(row[1:]) and not row[0].lstrip().startswith("#"):
            return at
    return 0


def _header_at(text: CsvText, row: int, wanted: frozenset[str]) -> LaidOut:
    cells = text.row(row)
    line = int(text.lines[row])
    is_first = row == 0 and text.has_wide_first_row
    where = "row 1" if is_first else f"line {line}"
    if wanted and wanted <= {cell.strip() for cell in cells}:
        guess = HeaderGuess(True, f"{where} is a header: the mapping names its columns")
    else:
        below = [column.slice(row + 1, _SAMPLE) for column in text.columns]
        header, reason = guess_header(cells, below)
        guess = HeaderGuess(header, reason.replace("row 1", where, 1))
    if not guess.header:
        return LaidOut(guess, None, text)
    rejected = text.rejecting(dict.fromkeys(range(row), "it is above the header"))
    return LaidOut(guess, cells, rejected.below(0))


def _uneven_header(text: CsvText) -> LaidOut | None:
    """Return a file whose header is one cell shorter or longer than its rows."""
    width = len(text.columns)
    cells = text.ragged_cells(0)
    if not len(text.lines) or {*filter(None, cells)} & {*text.row(0)}:
        return None  # the header is the row below
    ends_empty = not is_filled(text.columns[-1]).any()
    if len(cells) == width + 1 and not cells[-1].strip():
        cells, why = cells[:-1], "it ends with a delimiter that the rows lack"
    elif len(cells) == width - 1 and ends_empty:
        cells, why = [*cells, ""], "it lacks the delimiter that ends the rows"
    elif len(cells) == width - 1 and width > 2 and is_key(text.columns[0]):
        cells = ["", *cells]
        why = "it is one cell short, as R writes it, so the first column has no name"
    else:
        return None
    header, reason = guess_header(cells, [column.slice(0, _SAMPLE) for column in text.columns])
    if not header:
        return None
    return LaidOut(HeaderGuess(True, f"{reason}; {why}"), cells, text.without_first_ragged())


def without_stray_rows(text: CsvText, header: Sequence[str] | None) -> CsvText:
    """Return the rows below the header; those that are not are rejected with the reason."""
    reasons: dict[int, str] = {}
    if header is not None:
        reasons |= _rule_below(text, header) | _headers_again(text, header)
    marked = np.flatnonzero(pc.starts_with(text.columns[0], BYTE_ORDER_MARK).to_numpy(False))
    for row in marked.tolist():
        reasons.setdefault(
            row, "it begins with a byte order mark, as the first line of a file does: were "
            "files put together?"
        )  # fmt: skip
    totals, notes = _totals(text)
    return text.rejecting(totals | reasons, (*notes, *_foreign_quotes(text, header)))


def _rule_below(text: CsvText, header: Sequence[str]) -> dict[int, str]:
    """Return the line drawn under a header, as programs for the terminal draw it."""
    if not len(text.lines):
        return {}
    cells = [cell for cell, name in zip(text.row(0), header, strict=True) if name.strip()]
    if all(map(_RULE.fullmatch, cells)) and any(len(cell.strip()) > 1 for cell in cells):
        return {0: "it is a line drawn under the header"}
    return {}


def _headers_again(text: CsvText, header: Sequence[str]) -> dict[int, str]:
    pattern = rf"(?is)^[\s{BYTE_ORDER_MARK}]*{re.escape(header[0].strip())}\s*$"
    likely = np.flatnonzero(
        pc.match_substring_regex(text.columns[0], pattern=pattern).to_numpy(zero_copy_only=False)
    )
    if not len(likely) or not any(cell.strip() for cell in header):
        return {}
    cells = [column.take(pa.array(likely)).to_pylist() for column in text.columns]
    return {
        row: "it is the header again"
        for row, again in zip(likely.tolist(), zip(*cells, strict=True), strict=True)
        if is_header_again(again, header)
    }


def _foreign_quotes(text: CsvText, header: Sequence[str] | None) -> list[str]:
    """Return in sentences which quotes of other formats seem to be around cells or rows."""
    notes = []
    heads = [column.slice(0, _SAMPLE) for column in text.columns]
    samples = [head.filter(pa.array(is_filled(head))) for head in heads]
    single = [
        column_title(at, [name or None for name in header or [""] * len(heads)])
        for at, cells in enumerate(samples)
        if len(cells) and pc.all(pc.match_substring_regex(cells, pattern="(?s)^'.*'$")).as_py()
    ]
    if single:
        notes.append(
            f"All cells of {listed(single)} are in single quotes, which are not quotes in CSV: "
            "they were kept as text."
        )
    if len(heads) == 1 and header is not None:
        cells = [*header, *samples[0].slice(0, _ABOVE).to_pylist()]
        for delimiter in DELIMITERS:
            widths = {_width(cell, delimiter) for cell in cells}
            if len(widths) == 1 and widths.pop() > 1:
                notes.append(
                    "Each line is one cell, and each holds as many delimiters "
                    f"({delimiter!r}): are there quotes around whole lines?"
                )
    return notes


def _width(cell: str, delimiter: str) -> int:
    """Return how many cells a line would have; 0 of what Python's reader does not take."""
    try:
        return len(next(csv.reader(io.StringIO(cell, newline=""), delimiter=delimiter), []))
    except csv.Error:  # a cell beyond its limit
        return 0


def _totals(text: CsvText) -> tuple[dict[int, str], tuple[str, ...]]:
    """Return the lines of totals and counts below the rows, and what only may be one, in words."""
    reasons: dict[int, str] = {}
    totals: dict[int, str] = {}
    remarks: list[int] = []
    last = len(text.lines) - 1
    for row in range(last, max(last - _BELOW, -1), -1):
        cells = text.row(row)
        filled = [cell.strip() for cell in cells if cell.strip()]
        if len(filled) == 1 and _COUNT.fullmatch(filled[0]):
            reasons[row] = f'it is a count of rows, "{filled[0]}"'
        elif filled and _kind_of_total(filled[0]):
            totals[row] = filled[0]
        elif len(filled) == 1 < len(cells):
            remarks.append(row)
        else:
            break
    above = min(totals, default=0)
    sure = [row for row in totals if _is_total(text, row, above)]
    for row in sure:
        kind = _kind_of_total(totals[row])
        reasons[row] = f'it looks like a line of {kind}, "{totals[row]}", below the rows'
    below = (row for row in remarks if sure and row > min(sure))
    reasons |= dict.fromkeys(below, "it is a remark below the line of totals")
    notes = tuple(
        f'Line {text.lines[row]:,} begins with "{totals[row]}". If it is a line of '
        f"{_kind_of_total(totals[row])}, take it out of the file."
        for row in sorted({*totals} - {*sure})
    )
    return reasons, notes


def _kind_of_total(cell: str) -> str:
    """Return what a row seems to hold that begins with a word, "" for a row like any other."""
    name = cell.rstrip(": ")
    return "totals" if _TOTAL.fullmatch(name) else "averages" if _AVERAGE.fullmatch(name) else ""


def _is_total(text: CsvText, row: int, above: int) -> bool:
    """Return whether a row lacks what all those above have, adds them up or is their average.

    Several lines of totals, of which *above* is the first, say nothing of each other; and
    where no row is above them, nothing is sure.
    """
    if not above:
        return False
    for column, cell in zip(text.columns, text.row(row), strict=True):
        others = column.slice(0, above)
        if not cell.strip():
            if is_filled(others).all():
                return True
            continue
        try:
            numbers = pc.cast(others.filter(pa.array(is_filled(others))), pa.float64())
            value = float(cell)
        except (pa.ArrowInvalid, ValueError):
            continue
        if len(numbers) > 1 and any(
            math.isclose(total.as_py(), value, rel_tol=1e-6)
            for total in (pc.sum(numbers), pc.mean(numbers))
        ):
            return True
    return False
