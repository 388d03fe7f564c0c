"""The type of a CSV column, and its texts as values of that type (CSV-5).

A text becomes a number, boolean or list only where nothing is lost. Each check
works on the whole column at once.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import MAX_DEPTH, InvalidValueError, as_json, texts_where
from toolkit.columns import IS_ABSENT, IS_VALUE, Column, Mask

#: What a column of a CSV file may hold.
ColumnType: TypeAlias = Literal["text", "number", "boolean", "date", "json"]
COLUMN_TYPES: Final[tuple[ColumnType, ...]] = get_args(ColumnType)

_TEXT: Final = pa.large_string()

# No leading zeros and no plus: such digits are codes or telephone numbers.
_NUMBER: Final = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"
_INTEGER: Final = r"^-?[0-9]+$"
_EXPONENT: Final = r"[eE].*$"
#: Floats hold all integers up to here, and 17 digits are the most that distinguish two.
_EXACT: Final = 2**53
_DIGITS: Final = 17
# Numbers shorter than this cannot exceed either.
_SHORT: Final = 15
# Where there are two alike, they are mostly among so many.
_HEAD: Final = 1_000
_SMALLEST: Final = float(np.finfo(np.float64).tiny)

_YEAR: Final = r"(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
_LEAP_YEAR: Final = (
    r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
)
_DAY: Final = (
    rf"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    rf"|{_LEAP_YEAR}-02-29)"
)
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?"
_OFFSET: Final = r"[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?"
_ZONE: Final = rf"(?:Z|{_OFFSET}|(?: ?[+-]00:?00)? ?(?:UTC|GMT))?"  # TIME-2
_DATE: Final = rf"^{_DAY}(?:[T ]{_CLOCK}{_ZONE})?$"

_JSON: Final = r"^[ \t\r\n]*[\[{]"
# orjson rounds integers of more than 64 bits, and goes deeper than a property may.
_LONG_INTEGER: Final = re.compile(r"[0-9]{19}")


class TypedColumn(NamedTuple):
    """A column of texts as values.

    Attributes
    ----------
    type
        Its type.
    column
        Its values; a cell that is empty or does not fit the type is absent.
    misfits
        ``bool`` a cell: whether it does not fit the type; never true for a type
        that was inferred.
    """

    type: ColumnType
    column: Column
    misfits: Mask


def typed(texts: pa.Array, forced: ColumnType | None = None) -> TypedColumn:
    """Return a column of texts as values of one type.

    Parameters
    ----------
    texts
        pyarrow ``large_string`` without nulls. Empty cells are absent (CSV-4).
    forced
        The type the values should have. By default the one that every cell that is
        not empty fits: number, boolean, date, json, else text (CSV-5).

    Notes
    -----
    - number: as JSON writes them, so no leading zeros, no ``+``, no spaces; whole
      numbers within ±2**53, others of at most 17 digits. A column of whole
      numbers is ``int64``, of others ``float64``.
    - boolean: true or false in any case.
    - date: an ISO 8601 day or time that exists; its zone may be ``UTC`` or
      ``GMT``; kept as the text it is.
    - json: lists and objects.

    Examples
    --------
    >>> typed(pa.array(["1", "", "20"], pa.large_string())).column.cells()
    [1, ABSENT, 20]
    >>> typed(pa.array(["1", "020"], pa.large_string())).type
    'text'
    """
    filled = is_filled(texts)
    cells = texts if filled.all() else texts.filter(pa.array(filled))
    kind = forced or _candidate(cells)
    fitting, values = _read(cells, kind)
    if forced is None and not fitting.all():
        kind = "text"
        fitting, values = _read(cells, kind)
    present = filled.copy()
    present[filled] = fitting
    if isinstance(values, pa.Array):
        column = Column.of_array(_with_nulls(texts, present), present)
    else:
        spread = np.zeros(len(texts), values.dtype)
        spread[present] = values
        if values.dtype == object:
            column = Column("json", spread, np.where(present, IS_VALUE, IS_ABSENT))
        else:
            column = Column.of_array(spread, present)
    return TypedColumn(kind, column, filled & ~present)


def infer_type(texts: pa.Array) -> ColumnType:
    """Return the type of a column of texts (CSV-5); that of an empty one is text.

    >>> infer_type(pa.array(["2026-02-28", "2026-02-30"], pa.large_string()))
    'text'
    """
    cells = texts.filter(pa.array(is_filled(texts)))
    kind = _candidate(cells)
    return kind if _fitting(cells, kind).all() else "text"


def looks_like(text: str) -> ColumnType:
    """Return the type of a single text."""
    return _candidate(pa.array([text], _TEXT))


def is_filled(texts: pa.Array) -> Mask:
    """Return which cells are not empty."""
    return np.asarray(pc.binary_length(texts).to_numpy(zero_copy_only=False) > 0)


def is_key(cells: pa.Array) -> bool:
    """Return whether no cell is empty and none is there twice."""
    head = cells.slice(0, _HEAD)
    if len(head.unique()) < len(head) or not is_filled(head).all():
        return False
    return bool(is_filled(cells).all()) and len(cells.unique()) == len(cells)


def _candidate(cells: pa.Array) -> ColumnType:
    """Return the one type that may fit all cells: no text is of two types."""
    first = cells.slice(0, 1)
    fits = (kind for kind in COLUMN_TYPES if kind != "text" and _fitting(first, kind).all())
    return next(fits, "text") if len(first) else "text"


def _read(cells: pa.Array, kind: ColumnType) -> tuple[Mask, Any]:
    """Return which cells fit a type, and the values of those that do."""
    if kind == "json":
        values = _json_values(cells)
        fitting = np.array([value is not None for value in values.tolist()], np.bool_)
        return fitting, values[fitting]
    fitting = _fitting(cells, kind)
    if kind in ("text", "date"):
        return fitting, cells
    kept = cells if fitting.all() else cells.filter(pa.array(fitting))
    if kind == "boolean":
        return fitting, _mask(pc.equal(pc.ascii_lower(kept), "true"))
    whole = _matches(kept, _INTEGER).all()
    return fitting, pc.cast(kept, pa.int64() if whole else pa.float64()).to_numpy()


def _fitting(cells: pa.Array, kind: ColumnType) -> Mask:
    if kind == "number":
        return _number_fitting(cells)
    if kind == "boolean":
        words = pa.array(["true", "false"], _TEXT)
        return _mask(pc.is_in(pc.ascii_lower(cells), value_set=words))
    if kind == "date":
        return _matches(cells, _DATE)
    if kind == "json":
        return np.array([value is not None for value in _json_values(cells).tolist()], np.bool_)
    return np.ones(len(cells), np.bool_)


def _number_fitting(cells: pa.Array) -> Mask:
    fitting = _matches(cells, _NUMBER)
    long = pc.binary_length(cells).to_numpy() > _SHORT
    doubtful = np.flatnonzero(fitting & (long | _matches(cells, "[eE]")))
    if len(doubtful):
        fitting[doubtful] = _exact(cells.take(pa.array(doubtful)))
    return fitting


def _exact(numbers: pa.Array) -> Mask:
    """Return which numbers, long or with an exponent, a float holds without loss."""
    mantissas = pc.replace_substring_regex(numbers, pattern=_EXPONENT, replacement="")
    digits = pc.replace_substring_regex(mantissas, pattern=r"[-.]", replacement="")
    digits = pc.ascii_ltrim(digits, characters="0")
    values = np.abs(pc.cast(numbers, pa.float64()).to_numpy())
    exact = pc.binary_length(digits).to_numpy() <= _DIGITS
    exact &= np.isfinite(values)
    # Too small for a float, it would become 0 or lose digits.
    exact &= (values >= _SMALLEST) | (pc.binary_length(digits).to_numpy() == 0)
    whole = np.flatnonzero(exact & _matches(numbers, _INTEGER))
    if len(whole):
        integers = pc.cast(numbers.take(pa.array(whole)), pa.int64()).to_numpy()
        exact[whole] = np.abs(integers) <= _EXACT
    return exact


def _json_values(cells: pa.Array) -> Any:
    """Return the list or object of each cell, None where it is neither, as an object array."""
    values = np.empty(len(cells), object)
    likely = np.flatnonzero(_matches(cells, _JSON))
    texts = cells.take(pa.array(likely)).to_pylist()
    for position, text in zip(likely.tolist(), texts, strict=True):
        values[position] = _list_or_object(text)
    return values


def _list_or_object(text: str) -> Any:
    try:
        value = orjson.loads(text)
        if text.count("[") + text.count("{") > MAX_DEPTH:
            as_json(value)
        if _LONG_INTEGER.search(text):
            value = json.loads(text)
    except (InvalidValueError, ValueError):
        return None
    return value


def _with_nulls(texts: pa.Array, present: Mask) -> pa.Array:
    if present.all():
        return texts
    return texts_where(present, texts)


def _matches(cells: pa.Array, pattern: str) -> Mask:
    return _mask(pc.match_substring_regex(cells, pattern=pattern))


def _mask(booleans: pa.Array) -> Mask:
    return np.array(booleans.to_numpy(zero_copy_only=False), np.bool_)
