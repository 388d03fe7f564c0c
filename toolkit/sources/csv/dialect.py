"""How a CSV file is written: its delimiter, the width of its rows, whether row 1 is a header."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import pyarrow as pa

from toolkit.base import CsvError, argument, ordinal
from toolkit.sources.csv.types import ColumnType, infer_type, looks_like

#: Tried in this order; the first wins a tie. The comma comes last, for it is the one
#: that also occurs within cells: "Doe, Ann", or 3,5 as half of Europe writes it.
DELIMITERS: Final = (";", "\t", "|", ",")
_DELIMITER_NAMES: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}

#: So many rows are looked at for the delimiter, and below a header for its types.
SAMPLE_ROWS: Final = 1_000

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_URL: Final = re.compile(r"https?://", re.IGNORECASE)
# snake_case and camelCase: what programs call a column, and people nothing.
_IDENTIFIER: Final = re.compile(r"[a-z]+(_[a-z]+)+|[a-z]+([A-Z][a-z]+)+")
_RESERVED: Final = re.compile(r"\$?distinct[_ -]?id|\$[a-z_]+", re.IGNORECASE)

# White space and a byte order mark.
_AROUND: Final = " \t\ufeff"

# What columns of user data are called everywhere, without case, spaces and signs.
_COMMON_NAMES: Final = frozenset(
    {
        *("id", "userid", "uid", "uuid", "guid", "user", "username", "login"),
        *("email", "emailaddress", "mail", "phone", "phonenumber", "mobile"),
        *("name", "fullname", "firstname", "lastname", "givenname", "familyname", "surname"),
        *("city", "region", "state", "country", "countrycode", "timezone", "zip", "postcode"),
        *("avatar", "gender", "sex", "age", "birthday", "language", "locale"),
        *("plan", "tier", "company", "organization", "title", "role", "status", "type", "source"),
        *("created", "createdat", "updatedat", "date", "time", "timestamp", "signup", "value"),
        *("tags", "score", "amount", "price", "total", "count", "active", "url", "platform"),
    }
)


class Dialect(NamedTuple):
    """The delimiter, how many cells a row has, and what escapes quotes if they are not doubled."""

    delimiter: str
    width: int
    escape: str | None = None


class HeaderGuess(NamedTuple):
    """Whether row 1 is a header, and why, in words."""

    header: bool
    reason: str


def check_delimiter(delimiter: object) -> str:
    """Return the delimiter given, if it can be one.

    Raises
    ------
    CsvError
        Unless it is one ASCII character other than a quote, a line end or NUL.
    """
    if (
        isinstance(delimiter, str)
        and len(delimiter) == 1
        and delimiter.isascii()
        and delimiter not in '"\r\n\0'
    ):
        return delimiter
    raise CsvError(
        f"{argument('delimiter', delimiter)} cannot separate cells; "
        "one ASCII character is needed, such as ',', ';', '\\t' or '|'"
    )


def delimiter_name(delimiter: str) -> str:
    """Return what to call a delimiter."""
    return _DELIMITER_NAMES.get(delimiter, repr(delimiter))


def sniff(text: str, delimiter: str | None, escape: str | None = None) -> Dialect:
    r"""Return how the first lines of a CSV file are written.

    The delimiter is the one that cuts the rows into many cells and equally many of
    them. Of the widths the most common counts, the first row's if there are several.

    >>> sniff('1;"a;b, c";2,5\n2;d;3,5', None)
    Dialect(delimiter=';', width=3, escape=None)
    """
    if delimiter is not None:
        delimiter = check_delimiter(delimiter)
        return Dialect(delimiter, _common_width(_widths(text, delimiter, escape))[0], escape)
    best, best_score = Dialect(",", 1, escape), 0.0
    for candidate in DELIMITERS:
        width, share = _common_width(_widths(text, candidate, escape))
        # To agree on nine rows of ten is worth less than one column more: text
        # splits at its commas into many cells, but seldom into equally many.
        score = share**4 * (width - 1)
        if score > best_score:
            best, best_score = Dialect(candidate, width, escape), score
    return best


def _widths(text: str, delimiter: str, escape: str | None) -> Iterator[int]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, escapechar=escape)
    try:
        for _, row in zip(range(SAMPLE_ROWS), filter(None, rows), strict=False):
            yield len(row)
    except csv.Error:  # a cell beyond the limit of Python's reader; pyarrow has none
        return


def _common_width(widths: Iterator[int]) -> tuple[int, float]:
    """Return the most common width, and the share of rows that have it."""
    counts = Counter(widths)
    if not counts:
        return 1, 0.0
    width, rows = counts.most_common(1)[0]  # of equals the one met first
    return width, rows / counts.total()


def guess_header(first: Sequence[str], below: Sequence[pa.Array]) -> HeaderGuess:
    """Return whether the first row names the columns below it (CSV-1).

    A cell that reads distinct_id, or is a reserved name, settles it. Else each column
    speaks for a header, against one, or not at all; a header needs more columns for
    it than against, since none is expected.

    Parameters
    ----------
    first
        The cells of the first row.
    below
        The rest of each column, or its first rows: pyarrow ``large_string``.
    """
    speaking_for: list[str] = []
    against: list[str] = []
    rows = zip(*(column.slice(0, SAMPLE_ROWS).to_pylist() for column in below), strict=True)
    all_rows = list(rows)
    # Of files put together the header occurs again, and speaks neither for nor against.
    others = [row for row in all_rows if len(first) == 1 or not is_header_again(row, first)]
    names = [cell.strip() for cell in first]
    if reserved := next(filter(_RESERVED.fullmatch, names), None):
        return HeaderGuess(True, f'row 1 is a header: "{reserved}" is the name of a property')
    filled = [[row[at] for row in others if row[at]] for at in range(len(first))]
    kinds = [looks_like(name) for name in names]
    kinds_below = [infer_type(pa.array(cells, pa.large_string())) for cells in filled]
    for name, cell, kind, cells, kind_below in zip(
        names, first, kinds, filled, kinds_below, strict=True
    ):
        if not name:
            continue
        if kind != "text":
            against.append(f'"{_short(name)}" is a {kind}, not a name')
        elif what := _value(name):
            against.append(f'"{_short(name)}" is {what}, not a name')
        elif cell in cells:
            against.append(f'"{_short(name)}" occurs again below')
        elif reason := _reason_for(name, cells, kind_below):
            speaking_for.append(f'"{_short(name)}" {reason}')
    named = len(list(filter(None, names)))
    is_again = len(others) < len(all_rows)
    if is_again and len(speaking_for) * 2 <= named:
        return HeaderGuess(False, "row 1 is data: it occurs again below")
    if len(speaking_for) > len(against):
        return HeaderGuess(True, f"row 1 is a header: {speaking_for[0]}")
    if against:
        return HeaderGuess(False, f"row 1 is data: {against[0]}")
    return HeaderGuess(False, "row 1 is data: nothing in it looks like the name of a column")


def is_header_again(row: Sequence[str], header: Sequence[str]) -> bool:
    """Return whether a row is the header, whatever its case, white space and byte order mark."""
    return all(
        cell.strip(_AROUND).casefold() == name.strip(_AROUND).casefold()
        for cell, name in zip(row, header, strict=True)
    )


def column_title(position: int, names: Sequence[str | None]) -> str:
    """Return what to call a column in a sentence: by its name if it alone has it.

    >>> column_title(1, ["id", "plan"]), column_title(0, [None, "plan"])
    ('column "plan"', 'column 0 (the first)')
    >>> column_title(2, ["id", "plan", "plan"])
    'column 2 (the third, "plan")'
    """
    name = names[position]
    if name is not None and names.count(name) == 1:
        return f'column "{name}"'
    place = f"column {position} (the {ordinal(position + 1)}"
    return f"{place})" if name is None else f'{place}, "{name}")'


def _reason_for(name: str, cells: list[str], kind: ColumnType) -> str | None:
    """Return why a text is the name of the column whose cells, of a type, are below it."""
    if cells:
        if kind != "text":
            return f"is above a column of type {kind}"
        if what := _value(cells[0]):
            if all(_value(cell) == what for cell in cells):
                return f"is above {what}"
        elif all(map(_has_digit, cells)) and not _has_digit(name):
            return f'is above codes such as "{_short(cells[0])}"'
    if re.sub(r"[^a-z]", "", name.lower()) in _COMMON_NAMES:
        return "is a common name of a column"
    if _IDENTIFIER.fullmatch(name):
        return "is written as the name of a column"
    return None


def is_email(text: str) -> bool:
    """Return whether a text has the form of an e-mail address."""
    return _EMAIL.fullmatch(text) is not None


def _value(text: str) -> str | None:
    """Return what kind of value a text is that no column is named after."""
    if is_email(text):
        return "an e-mail address"
    if _UUID.fullmatch(text):
        return "a UUID"
    return "a web address" if _URL.match(text) else None


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _short(text: str) -> str:
    return text if len(text) <= 30 else text[:29] + "…"
