"""What a column of an event DataFrame means: distinct IDs, times, JSON values.

Event data come from everywhere, so each function takes every dtype a column may
have, and works on its distinct values where that is less than on all.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import Any, Final, TypeAlias, TypeVar
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import (
    ABSENT,
    MAX_DEPTH,
    NO_TIME,
    ZONE_FORMS,
    EventsError,
    InvalidIdError,
    InvalidTimeError,
    InvalidValueError,
    Json,
    Microseconds as Microseconds,
    as_json,
    http_as_iso,
    is_inexact,
    is_text,
    iso,
    normalise_id,
    of_decimal,
    of_numbers,
    parse_time,
)
from toolkit.columns.column import Column, objects

Codes: TypeAlias = np.ndarray[Any, np.dtype[np.int32]]
Value = TypeVar("Value")

_TEXT: Final = pa.large_string()
_LISTS: Final = (list, tuple, set, frozenset, np.ndarray)


@dataclass(frozen=True, eq=False, slots=True)
class Coded:
    """A column of texts, most of which occur often.

    Attributes
    ----------
    codes
        ``int32``: the position in *texts* of each row's text, -1 for none.
    texts
        Each text once, pyarrow ``large_string``, in the order of first appearance.
    """

    codes: Codes
    texts: pa.Array

    def counts(self) -> tuple[Microseconds, int]:
        """Return how many rows have each text (``int64``), and how many have none."""
        counted = np.bincount(self.codes + 1, minlength=len(self.texts) + 1)
        return counted[1:], int(counted[0])

    def code(self, text: str | None) -> int:
        """Return the code of a text, -1 if no row has it; none has None.

        Raises
        ------
        InvalidValueError
            If it holds half a surrogate pair, which no row can have.
        """
        return int(self.texts.index(pa.scalar(as_json(text), _TEXT)).as_py())

    def column(self) -> Column:
        """Return the texts row by row, absent where there is none."""
        return Column.of_array(self.texts).take(self.codes.astype(np.int64))


@dataclass(frozen=True, eq=False, slots=True)
class CodedLists:
    """A column of texts or lists of texts, most of which occur often.

    Attributes
    ----------
    codes
        ``int32``: positions in *texts*, -1 for none. A row has each of its texts once, and
        one -1 if it has none.
    texts
        Each text once, pyarrow ``large_string``.
    owners
        The row of each code, ascending; None if each row has one code.
    length
        The number of rows.
    inexact
        How many cells or elements are not IDs, because they may have lost digits (ID-1).
    """

    codes: Codes
    texts: pa.Array
    owners: Microseconds | None
    length: int
    inexact: int = 0

    @property
    def rows(self) -> Microseconds:
        """The row of each code."""
        return np.arange(self.length) if self.owners is None else self.owners

    def beside(self, rows: Any) -> tuple[Microseconds | None, Microseconds]:
        """Return what some rows have; a row of -1 has nothing.

        Parameters
        ----------
        rows
            Any rows, in any order.

        Returns
        -------
        owners, places
            What is at ``places[i]`` belongs to ``rows[owners[i]]``; -1 is the place of
            nothing. *owners* is None if row i has the one place i.
        """
        if self.owners is None:
            return None, rows
        bounds = np.searchsorted(self.owners, np.arange(self.length + 1))
        is_row = rows >= 0
        sizes = np.where(is_row, np.diff(bounds)[rows] if self.length else 1, 1)
        begins = np.where(is_row, bounds[rows], -1)
        owners = np.repeat(np.arange(len(rows)), sizes)
        # The n-th of a row's texts is n places after its first.
        nth = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return owners, np.repeat(begins, sizes) + nth


# -- distinct IDs and event names ---------------------------------------------------------


def coded(series: pd.Series) -> Coded:
    """Return a column of distinct IDs, or of event names, as codes.

    Numbers become their decimal text as in messages (MSG-4), and a UUID its usual
    text. A missing or empty cell, and in a mixed column whatever is not one of these, has
    no code.

    Raises
    ------
    EventsError
        If the column as a whole is of a type that is neither text nor numbers.
    """
    if isinstance(series.dtype, pd.CategoricalDtype):
        categories = coded(_categories(series))
        return _unified(_of_category(categories.codes, series, np.int32(-1)), categories.texts)
    if _is_object(series):
        return _coded_objects(series)
    return _coded_array(_arrow(series), series)


def coded_lists(series: pd.Series) -> CodedLists:
    """Return a column of group IDs, or of lists of them, as codes.

    As :func:`coded`; the elements of a list, tuple, set or array are read like cells.

    >>> lists = coded_lists(pd.Series(["a", ["b", "a", "b"], [], None]))
    >>> lists.codes.tolist(), lists.owners.tolist()
    ([0, 1, 0, -1, -1], [0, 1, 1, 2, 3])
    """
    if isinstance(series.dtype, pd.ArrowDtype) and pa.types.is_nested(series.dtype.pyarrow_dtype):
        series = series.astype(object)
    if not _is_object(series) or pd.api.types.infer_dtype(series, skipna=True) in (
        "string",
        "empty",
    ):
        one = coded(series)
        inexact = inexact_ids(series, one.codes)
        return CodedLists(one.codes, one.texts, None, len(series), inexact)
    # Not by explode(), which takes what is left for text wherever it can.
    lists = [_elements(cell) for cell in series.array]
    sizes = np.fromiter((len(each) or 1 for each in lists), np.int64, len(lists))
    owners = np.repeat(np.arange(len(series)), sizes)
    cells = objects(list(chain.from_iterable(each or [None] for each in lists)))
    flat = pd.Series(cells, name=series.name, dtype=object)
    each = coded(flat)
    inexact = inexact_ids(flat, each.codes)
    if len(owners) == len(series):
        return CodedLists(each.codes, each.texts, None, len(series), inexact)
    # What names nothing counts only where nothing else is named.
    has_any = np.zeros(len(series), np.bool_)
    has_any[owners[each.codes >= 0]] = True
    keys = owners * (len(each.texts) + 1) + each.codes + 1
    is_kept = (each.codes >= 0) | ~has_any[owners]
    first = np.sort(np.unique(keys[is_kept], return_index=True)[1])
    codes, owners = each.codes[is_kept][first], owners[is_kept][first]
    is_single = len(owners) == len(series)
    return CodedLists(codes, each.texts, None if is_single else owners, len(series), inexact)


def _elements(cell: object) -> list[Any]:
    if isinstance(cell, np.ndarray) and not cell.ndim:
        cell = cell.item()
    return list(cell) if isinstance(cell, _LISTS) else [cell]


def _categories(series: pd.Series) -> pd.Series:
    return pd.Series(series.cat.categories, name=series.name)


def _of_category(values: Any, series: pd.Series, missing: Any) -> Any:
    """Return for each row the value of its category, *missing* where it has none."""
    return np.append(values, missing)[series.cat.codes.to_numpy()]


def _is_object(series: pd.Series) -> bool:
    return isinstance(series.dtype, np.dtype) and series.dtype.kind == "O"


def _arrow(series: pd.Series) -> pa.Array:
    """Return a column of any dtype but object; NaN is null."""
    array = pa.array(series, from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _coded_array(array: pa.Array, series: pd.Series) -> Coded:
    if pa.types.is_null(array.type):
        return Coded(np.full(len(array), -1, np.int32), pa.array([], _TEXT))
    if not pa.types.is_dictionary(array.type):
        # Older pyarrow encodes no float16, of which float32 holds every number.
        is_half = pa.types.is_float16(array.type)
        array = pc.dictionary_encode(array.cast(pa.float32()) if is_half else array)
        values = array.dictionary.cast(pa.float16()) if is_half else array.dictionary
    else:
        values = array.dictionary
    if _is_text(values.type):
        texts = values.cast(_TEXT)
    elif pa.types.is_integer(values.type):
        texts = values.cast(pa.string()).cast(_TEXT)
    elif pa.types.is_floating(values.type):
        lossy = is_inexact(values.to_numpy(zero_copy_only=False)).tolist()
        cells = zip(values.to_pylist(), lossy, strict=True)
        texts = pa.array([None if is_lossy else _id_text(each) for each, is_lossy in cells], _TEXT)
    elif pa.types.is_decimal(values.type):
        texts = pa.array([_id_text(value) for value in values.to_pylist()], _TEXT)
    elif pa.types.is_null(values.type):  # a categorical without categories
        texts = values.cast(_TEXT)
    else:
        raise EventsError(
            f'column "{series.name}" holds {series.dtype}; text or numbers are needed'
        )
    indices = pc.fill_null(array.indices, -1).to_numpy(zero_copy_only=False)
    return _unified(indices.astype(np.int32, copy=False), texts)


def _unified(codes: Codes, texts: pa.Array) -> Coded:
    """Return codes into texts of which none is null, empty, unused or there twice."""
    used = np.zeros(len(texts), np.bool_)
    used[codes[codes >= 0]] = True
    usable = pc.fill_null(pc.not_equal(texts, ""), False).to_numpy(zero_copy_only=False)
    once = pc.dictionary_encode(texts.filter(pa.array(used & usable)))
    if used.all() and usable.all() and len(once.dictionary) == len(texts):
        return Coded(codes, texts)
    new_codes = np.full(len(texts) + 1, -1, np.int32)  # the last is for the code -1
    new_codes[:-1][used & usable] = once.indices.to_numpy()
    return Coded(new_codes[codes], once.dictionary)


def _coded_objects(series: pd.Series) -> Coded:
    if pd.api.types.infer_dtype(series, skipna=True) in ("string", "empty"):
        try:
            return _coded_array(pa.array(series, _TEXT, from_pandas=True), series)
        except UnicodeEncodeError:  # half a surrogate pair: no ID, found one by one
            pass
    codes, values = _by_value(series, _id_text)
    return _unified(codes, pa.array(values, _TEXT))


def _id_text(value: object) -> str | None:
    """Return the normalised ID, None if *value* is not one."""
    try:
        if isinstance(value, Decimal) and value.is_finite():
            value = of_decimal(value)
        return normalise_id(str(value) if isinstance(value, UUID) else value)
    except (InvalidIdError, InvalidValueError):
        return None


_INEXACT: Final = "too large as a float to be exact"


def why_no_code(series: pd.Series, codes: Codes) -> str:
    """Return why cells of a column have no code, with how many each: "1 missing, 2 of type list".

    Parameters
    ----------
    series, codes
        A column, and what :func:`coded` made of it.
    """
    left = series[codes < 0]
    is_missing = left.isna().to_numpy()
    reasons = Counter(map(_why_no_id, left[~is_missing].array))
    reason_counts = [("missing", int(is_missing.sum())), *reasons.most_common()]
    return ", ".join(f"{number:,} {reason}" for reason, number in reason_counts if number)


def inexact_ids(series: pd.Series, codes: Codes) -> int:
    """Return how many cells of a column have no code for they may have lost digits (ID-1).

    Parameters
    ----------
    series, codes
        A column, and what :func:`coded` made of it.
    """
    if not (_is_object(series) or pd.api.types.is_float_dtype(_dtype_of_cells(series))):
        return 0
    left = series[codes < 0]
    return sum(_why_no_id(each) == _INEXACT for each in left[left.notna()].array)


def _dtype_of_cells(series: pd.Series) -> Any:
    is_categorical = isinstance(series.dtype, pd.CategoricalDtype)
    return series.cat.categories.dtype if is_categorical else series.dtype


def _why_no_id(value: object) -> str:
    if isinstance(value, str):
        return "with half a surrogate pair" if value else "empty"
    if isinstance(value, float | np.floating | Decimal):
        return "infinite" if abs(value) == math.inf else _INEXACT
    return f"of type {type(value).__name__}"


def _is_text(type_: pa.DataType) -> bool:
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(check(type_) for check in checks)


def _by_value(series: pd.Series, read: Callable[[Any], Value]) -> tuple[Codes, list[Value]]:
    """Return a code for each cell of an object column, and what each code stands for.

    Each distinct value is read once. Values are told apart by type too: ``True``
    is not 1. A missing cell has the code -1.
    """
    code_of: dict[tuple[type, Hashable], int] = {}
    values: list[Value] = []
    codes = np.full(len(series), -1, np.int32)
    filled = np.flatnonzero(series.notna().to_numpy())
    for position, value in zip(filled.tolist(), series.array[filled], strict=True):
        try:
            code = code_of.setdefault((type(value), value), len(values))
        except TypeError:  # a list or an object cannot be looked up
            code = len(values)
        if code == len(values):
            values.append(read(value))
        codes[position] = code
    return codes, values


# -- times --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, slots=True)
class Times:
    """A column of times.

    Attributes
    ----------
    microseconds
        Since 1970 UTC, ``int64``; ``NO_TIME`` where a cell holds no readable time.
    without_zone
        Whether any of them named no time zone, and so was read as UTC.
    no_time
        The first number that is not one (TIME-1); None if there is no such number.
    """

    microseconds: Microseconds
    without_zone: bool
    no_time: object = None


def times(series: pd.Series) -> Times:
    """Return a column as times, by the same rules as :func:`toolkit.base.times.parse_time`.

    Takes datetimes of any resolution and time zone, ISO 8601 text, unix seconds
    and unix milliseconds (TIME-1); times without a zone are UTC (TIME-2).

    Raises
    ------
    EventsError
        If the column as a whole is of a type that holds no times.
    """
    dtype = series.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return Times(_from_datetimes(series.dt.tz_convert("UTC").dt.tz_localize(None)), False)
    if dtype.kind == "M" and isinstance(dtype, np.dtype):
        at = _from_datetimes(series)
        return Times(at, bool((at != NO_TIME).any()))
    if isinstance(dtype, pd.CategoricalDtype):
        read = times(_categories(series))
        moments = _of_category(read.microseconds, series, NO_TIME)
        return Times(moments, read.without_zone, read.no_time)
    if _is_object(series):
        return _times_of_objects(series)
    array = _arrow(series)
    if _is_text(array.type):
        return _times_of_text(array.cast(_TEXT))
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        has_zone = pa.types.is_timestamp(array.type) and array.type.tz is not None
        moments = array.cast(pa.timestamp("us", array.type.tz if has_zone else None), safe=False)
        filled = pc.fill_null(moments.cast(pa.int64()), NO_TIME)
        at = _within_years(filled.to_numpy(zero_copy_only=False))
        return Times(at, not has_zone and bool((at != NO_TIME).any()))
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        moments = _from_numbers(array)
        return Times(moments, False, _first_without(moments, array))
    if pa.types.is_null(array.type):
        return Times(np.full(len(array), NO_TIME, np.int64), False)
    raise EventsError(
        f'column "{series.name}" holds {dtype}; datetimes, ISO 8601 text, '
        "unix seconds or unix milliseconds are needed"
    )


_FIRST: Final = parse_time("0001-01-01")
_LAST: Final = parse_time("9999-12-31T23:59:59.999999")


def _within_years(microseconds: Microseconds) -> Microseconds:
    readable = (microseconds >= _FIRST) & (microseconds <= _LAST)
    return microseconds if readable.all() else np.where(readable, microseconds, NO_TIME)


def _from_datetimes(series: pd.Series) -> Microseconds:
    moments = series.to_numpy()
    # A coarser resolution reaches further than microseconds do.
    first, last = np.datetime64("0001-01-01", "s"), np.datetime64("9999-12-31T23:59:59", "s")
    unit, _ = np.datetime_data(moments.dtype)
    if unit in ("s", "ms"):
        inside = (moments >= first) & (moments <= last)
        moments = np.where(inside, moments, np.array("NaT", moments.dtype))
    return _within_years(moments.astype("M8[us]").view(np.int64))


def _from_numbers(array: pa.Array) -> Microseconds:
    numbers = pc.fill_null(array, 0).to_numpy(zero_copy_only=False)  # and 0 is not a time
    return of_numbers(numbers)


def _first_without(moments: Microseconds, array: pa.Array) -> object:
    """Return the first cell that holds something, and no time."""
    if not (is_none := moments == NO_TIME).any():
        return None
    is_number = pc.is_valid(array).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(is_none & is_number)
    return array[rows[0]].as_py() if len(rows) else None


def _times_of_text(texts: pa.Array) -> Times:
    encoded = pc.dictionary_encode(texts)
    distinct = pc.utf8_trim_whitespace(encoded.dictionary)
    # pandas reads whole columns, and more than ISO 8601: "2026-05" or a bare year.
    regular = pc.match_substring_regex(distinct, pattern=_REGULAR).to_numpy(zero_copy_only=False)
    if not regular.all():
        for pattern, replacement in ZONE_FORMS:
            distinct = pc.replace_substring_regex(distinct, pattern, replacement)
        distinct = http_as_iso(distinct)
        regular = pc.match_substring_regex(distinct, _REGULAR).to_numpy(zero_copy_only=False)
    moments = np.full(len(distinct), NO_TIME, np.int64)
    read = pd.to_datetime(
        pd.Series(distinct.filter(pa.array(regular)).to_pylist(), dtype=object),
        format="ISO8601",
        utc=True,
        errors="coerce",
    )
    moments[regular] = _from_datetimes(read.dt.tz_localize(None))
    for position in np.flatnonzero(moments == NO_TIME).tolist():
        moments[position] = _parsed(distinct[position].as_py())
    moments = _within_years(moments)  # a time zone can carry a time out of them
    zoned = pc.match_substring_regex(distinct, pattern=r"[T ].*([zZ]|[+-]\d\d(:?\d\d){0,2})$")
    without_zone = (moments != NO_TIME) & ~zoned.to_numpy(zero_copy_only=False)
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return Times(np.append(moments, NO_TIME)[codes], bool(without_zone.any()))


def times_of_cells(texts: pa.Array) -> Times:
    """Return text cells as times, ``NO_TIME`` where one is not a time.

    As :func:`times`, for a table of text, such as a CSV: digits are unix time.
    """
    read = _times_of_text(texts)
    moments = read.microseconds
    left = np.flatnonzero(moments == NO_TIME)
    if len(left):
        rest = pc.utf8_trim_whitespace(texts.take(pa.array(left)))
        is_number = pc.match_substring_regex(rest, pattern=_NUMBER).to_numpy(zero_copy_only=False)
        numbers = rest.filter(pa.array(is_number)).cast(pa.float64())
        moments = moments.copy()
        moments[left[is_number]] = _from_numbers(numbers)
    return Times(moments, read.without_zone)


_NUMBER: Final = r"^-?\d{1,15}(\.\d{1,9})?$"
# The texts that pandas and parse_time read alike.
_REGULAR: Final = (
    r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([zZ]|[+-]\d{2}:?\d{2})?)?$"
)


def _parsed(value: object) -> int:
    """Return the time in microseconds, NO_TIME if *value* is not one."""
    try:
        return parse_time(value)
    except InvalidTimeError:
        return NO_TIME


def _times_of_objects(series: pd.Series) -> Times:
    if pd.api.types.infer_dtype(series, skipna=True) in ("string", "empty"):
        try:
            return _times_of_text(pa.array(series, _TEXT, from_pandas=True))
        except UnicodeEncodeError:  # half a surrogate pair: no time, found one by one
            pass
    codes, values = _by_value(series, lambda value: (value, _parsed(value), lacks_zone(value)))
    read = _within_years(np.array([at for _, at, _ in values], np.int64))
    without_zone = any(lacks and at != NO_TIME for _, at, lacks in values)
    numbers = (each for each, at, _ in values if at == NO_TIME and is_number(each))
    return Times(np.append(read, NO_TIME)[codes], without_zone, next(numbers, None))


def may_be_no_times(series: pd.Series) -> bool:
    """Return whether a column may hold nothing that is a time: its first cell is not one.

    >>> may_be_no_times(pd.Series(["2026-05-01"])), may_be_no_times(pd.Series([None, 45292]))
    (False, True)
    """
    first = series.iloc[:1] if series[:1].notna().all() else series.dropna().iloc[:1]
    return bool((times(first).microseconds == NO_TIME).any())


def is_number(value: object) -> bool:
    """Return whether a cell is a number; a missing one is not."""
    kinds = (int, float, np.integer, np.floating)
    return isinstance(value, kinds) and not isinstance(value, bool) and value == value


def lacks_zone(value: object) -> bool:
    """Return whether a time names no zone, and so is read as UTC; numbers need none."""
    if isinstance(value, str):
        return is_text(value) and _times_of_text(pa.array([value], _TEXT)).without_zone
    if isinstance(value, datetime):
        return value.tzinfo is None
    return isinstance(value, date | np.datetime64)


# -- JSON values --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, slots=True)
class ReadCells:
    """A column of a DataFrame as JSON.

    Attributes
    ----------
    column
        The cells; one that is missing or refused is absent.
    refused
        (row, reason) of each cell that is not JSON, ascending.
    """

    column: Column
    refused: list[tuple[int, str]]


def column(series: pd.Series) -> Column:
    """Return a column of a DataFrame as JSON values; what is not JSON is absent."""
    return cells(series).column


def cells(series: pd.Series) -> ReadCells:
    """Return a column of a DataFrame as JSON values, and which of its cells are not (CELL-1).

    A missing cell (NaN, None, NaT, NA) is absent; a missing value inside a list or an
    object is null. Arrays become lists, structs and maps objects, times ISO 8601 text in
    UTC, dates without a time stay dates, durations become seconds, decimals numbers, and
    periods, intervals and UUIDs their usual text.

    >>> read = cells(pd.Series([[1.0, float("nan")], {1, 2}, float("nan")]))
    >>> read.column.cells(), read.refused
    ([[1.0, None], ABSENT, ABSENT], [(1, '{1, 2} (set) is not a JSON value')])
    """
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _cells_of_categories(series)
    if _is_object(series):
        return _cells_of_objects(series)
    if isinstance(dtype, np.dtype) and dtype.kind == "m":
        series = series.dt.total_seconds()
    elif isinstance(dtype, pd.PeriodDtype | pd.IntervalDtype):
        series = series.astype("str")
    elif isinstance(dtype, pd.SparseDtype):
        return cells(series.astype(dtype.subtype))
    try:
        array = _arrow(series)
    except pa.ArrowException:  # a type that Arrow does not have, such as complex numbers
        return _read_cells(series.astype(object).array)
    if _is_text(array.type):
        return ReadCells(_text_column(array.cast(_TEXT)), [])
    if pa.types.is_date(array.type):
        return ReadCells(_text_column(array.cast(pa.date32()).cast(_TEXT)), [])
    if pa.types.is_timestamp(array.type):
        return ReadCells(iso_column(times(series).microseconds), [])
    present = pc.is_valid(array).to_numpy(zero_copy_only=False)
    if pa.types.is_boolean(array.type):
        truths = pc.fill_null(array, False).to_numpy(zero_copy_only=False)
        return ReadCells(Column.of_array(truths, present), [])
    if pa.types.is_decimal(array.type) and not _has_few_digits(array):
        return _read_cells(array.to_pylist())
    if pa.types.is_decimal(array.type) or pa.types.is_floating(array.type):
        numbers = pc.fill_null(array.cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False)
        infinite = [(at, INFINITE) for at in np.flatnonzero(np.isinf(numbers)).tolist()]
        return ReadCells(Column.of_array(numbers, present & np.isfinite(numbers)), infinite)
    if pa.types.is_integer(array.type) and not pa.types.is_uint64(array.type):
        whole = pc.fill_null(array.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        return ReadCells(Column.of_array(whole, present), [])
    if pa.types.is_null(array.type):
        return ReadCells(Column.absent(len(array)), [])
    return _read_cells(_nested(array))


def _has_few_digits(decimals: pa.Array) -> bool:
    """Return whether floats keep every digit of a column of decimals: 15 are kept of each."""
    try:
        decimals.cast(pa.decimal128(15, min(decimals.type.scale, 15)))
    except pa.ArrowException:
        return False
    return True


#: Why an infinity is refused.
INFINITE: Final = "an infinity is not a JSON number"


class Map:
    """What stands for a map of Arrow's with two values under one key."""

    def __repr__(self) -> str:
        return "a map with a key twice"


def _nested(array: pa.Array) -> list[Any]:
    """Return the values of an Arrow array, maps as objects."""
    try:
        values: list[Any] = array.to_pylist(maps_as_pydicts="strict")
    except KeyError:
        values = []
        for cell in array:
            try:
                values.append(cell.as_py(maps_as_pydicts="strict"))
            except KeyError:
                values.append(Map())
    return values


def _cells_of_categories(series: pd.Series) -> ReadCells:
    codes = series.cat.codes.to_numpy().astype(np.int64)
    read = cells(_categories(series))
    reasons = dict(read.refused)
    rows = np.flatnonzero(np.isin(codes, list(reasons))).tolist() if reasons else []
    return ReadCells(read.column.take(codes), [(at, reasons[int(codes[at])]) for at in rows])


def _cells_of_objects(series: pd.Series) -> ReadCells:
    if pd.api.types.infer_dtype(series, skipna=True) == "string":
        try:
            return ReadCells(_text_column(pa.array(series, _TEXT, from_pandas=True)), [])
        except UnicodeEncodeError:  # half a surrogate pair
            pass
    return _read_cells(series.array)


def _read_cells(cells: Any) -> ReadCells:
    read: list[Any] = []
    refused: list[tuple[int, str]] = []
    for at, cell in enumerate(cells):
        try:
            read.append(_json(cell))
        except (InvalidValueError, InvalidTimeError) as error:
            read.append(ABSENT)
            refused.append((at, str(error)))
    return ReadCells(Column.of(read), refused)


def _text_column(texts: pa.Array) -> Column:
    return Column.of_array(texts, pc.is_valid(texts).to_numpy(zero_copy_only=False))


def iso_column(microseconds: Microseconds) -> Column:
    moments = np.datetime_as_string(microseconds.view("M8[us]"), unit="us")
    texts = pc.replace_substring_regex(
        pa.array(moments.astype(object), _TEXT), pattern=r"(\.000000)?$", replacement="Z"
    )
    return Column.of_array(texts, microseconds != NO_TIME)


# Cells of these types are JSON as they are, or refused as they are.
_PLAIN: Final = (str, int, bool)
_ARRAYS: Final = (list, tuple, pd.Series, pd.Index, pd.api.extensions.ExtensionArray)


def _json(cell: Any) -> Json | Any:
    if type(cell) in _PLAIN:
        return as_json(cell)
    if _is_missing(cell):
        return ABSENT
    return as_json(_plain(cell, 0))


def _is_missing(value: Any) -> bool:
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _plain(value: Any, depth: int) -> Any:
    """Return what a value of a cell is in JSON, the value itself if that is for as_json to say."""
    if type(value) in _PLAIN or depth > MAX_DEPTH:
        return value
    if isinstance(value, np.ndarray):
        # Of times, tolist() makes bare numbers.
        value = list(value) if value.ndim and value.dtype.kind in "mM" else value.tolist()
    if isinstance(value, _ARRAYS):
        return [_plain(each, depth + 1) for each in value]
    if isinstance(value, Mapping):
        return {name: _plain(each, depth + 1) for name, each in value.items()}
    return None if _is_missing(value) else _plain_scalar(value, depth)


def _plain_scalar(value: Any, depth: int) -> Any:
    is_infinite = (
        value.is_infinite()
        if isinstance(value, Decimal)
        else isinstance(value, float | np.floating) and math.isinf(value)
    )
    if is_infinite:
        raise InvalidValueError(f"in it, {INFINITE}" if depth else INFINITE)
    if isinstance(value, np.datetime64 | datetime):
        return iso(parse_time(pd.Timestamp(value) if isinstance(value, np.datetime64) else value))
    return value
