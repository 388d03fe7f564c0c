"""Columns that hold JSON: one property over many profiles.

A :class:`Column` is immutable: each change returns a new one, so a batch can be
worked out in full, written to disk, and only then become the table's state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import ABSENT, NO_TIME, Json, texts_where, values as json_values

Kind: TypeAlias = Literal["bool", "int", "float", "text", "json"]
Positions: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
#: A numpy array of bool_. Its precise type is lost in every comparison.
Mask: TypeAlias = Any

#: What a cell holds: nothing, JSON null, or a value.
IS_ABSENT: Final = np.uint8(0)
IS_NULL: Final = np.uint8(1)
IS_VALUE: Final = np.uint8(2)

# Integers up to here are floats without loss.
_EXACT: Final = 2**53

# So many cells are looked at before the next ones.
_PIECE: Final = 2**16

_KINDS: Final[dict[type, Kind]] = {bool: "bool", int: "int", float: "float", str: "text"}
_DTYPES: Final[dict[Kind, type]] = {"bool": np.bool_, "int": np.int64, "float": np.float64}
_TEXT: Final = pa.large_string()
_EMPTY: Final = pa.scalar("", _TEXT)


@dataclass(frozen=True, eq=False, slots=True)
class Column:
    """One property over many profiles.

    Attributes
    ----------
    kind
        ``"bool"``, ``"int"`` (64 bits), ``"float"``, ``"text"``, or ``"json"`` for
        any mixture, integers past 64 bits, lists and objects.
    values
        A numpy array of that kind, or a pyarrow ``large_string`` array for text,
        or a numpy object array for json. What is where ``state`` is not
        ``IS_VALUE`` means nothing.
    state
        ``uint8``: ``IS_ABSENT``, ``IS_NULL`` or ``IS_VALUE`` a cell.
    """

    kind: Kind
    values: Any
    state: np.ndarray[Any, np.dtype[np.uint8]]

    @classmethod
    def absent(cls, length: int) -> Column:
        """Return a column of *length* cells without a value."""
        return cls("bool", np.zeros(length, np.bool_), np.zeros(length, np.uint8))

    @classmethod
    def of(cls, cells: Sequence[Any]) -> Column:
        """Return a column of JSON values, of the narrowest kind that holds them exactly.

        ``ABSENT`` marks a cell without a value and ``None`` a JSON null.

        >>> Column.of([1, None, ABSENT]).kind, Column.of([1, 2.5]).kind
        ('int', 'json')
        """
        length = len(cells)
        kinds = {type(cell) for cell in cells}
        state = np.full(length, IS_VALUE)
        if type(ABSENT) in kinds or type(None) in kinds:
            state[[cell is ABSENT for cell in cells]] = IS_ABSENT
            state[[cell is None for cell in cells]] = IS_NULL
        kinds -= {type(ABSENT), type(None)}
        if not kinds:
            return cls("bool", np.zeros(length, np.bool_), state)
        kind = _KINDS.get(kinds.pop(), "json") if len(kinds) == 1 else "json"
        if kind != "json":
            filled = state == IS_VALUE
            if kind == "text":
                texts = cells if filled.all() else [c if c is not ABSENT else None for c in cells]
                return cls("text", pa.array(texts, _TEXT), state)
            try:
                if filled.all():
                    return cls(kind, np.array(cells, _DTYPES[kind]), state)
                packed: Any = np.zeros(length, _DTYPES[kind])
                packed[filled] = [c for c in cells if c is not None and c is not ABSENT]
                return cls(kind, packed, state)
            except OverflowError:  # an integer past 64 bits
                pass
        return cls("json", objects(cells, _none_if_absent), state)

    @classmethod
    def of_array(cls, values: Any, present: Mask | None = None) -> Column:
        """Return a column of a numpy bool, int64 or float64 array or a pyarrow text array.

        Cells where *present* is false are absent; by default all are present.
        """
        state = np.full(len(values), IS_VALUE)
        if present is not None:
            state[~present] = IS_ABSENT
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if isinstance(values, pa.Array):
            return cls("text", values.cast(_TEXT), state)
        kind: Kind = _KINDS[type(values.dtype.type(0).item())]
        return cls(kind, np.asarray(values, _DTYPES[kind]), state)

    def __len__(self) -> int:
        return len(self.state)

    @property
    def has_value(self) -> Mask:
        """Whether each cell holds a value, neither absent nor null."""
        return self.state == IS_VALUE

    @property
    def has_any_value(self) -> bool:
        """Whether some cell holds a value; mostly one of the first ones shows it."""
        pieces = (self.state[at : at + _PIECE] for at in range(0, len(self.state), _PIECE))
        return any((piece == IS_VALUE).any() for piece in pieces)

    @property
    def is_present(self) -> Mask:
        """Whether each cell holds a value or null."""
        return self.state != IS_ABSENT

    def cell(self, position: int) -> Any:
        """Return the JSON value of one cell, or ``ABSENT``."""
        state = self.state[position]
        if state == IS_VALUE:
            value = self.values[position]
            if self.kind == "json":
                return value
            return value.as_py() if self.kind == "text" else value.item()
        return None if state == IS_NULL else ABSENT

    def cells(self) -> list[Any]:
        """Return every cell's JSON value, ``None`` for null and ``ABSENT`` for none."""
        result: list[Any] = self.values.to_pylist() if self.kind == "text" else self.values.tolist()
        for position in np.flatnonzero(self.state != IS_VALUE).tolist():
            result[position] = None if self.state[position] == IS_NULL else ABSENT
        return result

    def take(self, positions: Positions) -> Column:
        """Return the cells at *positions*; a position of -1 gives an absent cell."""
        missing = positions < 0
        if not missing.any():
            picked = pa.array(positions) if self.kind == "text" else positions
            return Column(self.kind, self.values.take(picked), self.state[positions])
        if len(self) == 0:
            return Column.absent(len(positions))
        filled = np.where(missing, 0, positions)
        result = self.take(filled)
        result.state[missing] = IS_ABSENT  # a fresh array, nobody else's
        return result

    def keep(self, mask: Mask) -> Column:
        """Return the cells where *mask* is true."""
        values = self.values.filter(pa.array(mask)) if self.kind == "text" else self.values[mask]
        return Column(self.kind, values, self.state[mask])

    def followed_by(self, other: Column) -> Column:
        """Return this column's cells, then the other's."""
        return Column.joined([self, other])

    @classmethod
    def joined(cls, parts: Sequence[Column]) -> Column:
        """Return the cells of all *parts*, one after the other."""
        kinds = {part.kind for part in parts if part.has_any_value}
        kind = kinds.pop() if len(kinds) == 1 else "json" if kinds else parts[0].kind
        alike = [part._as_kind(kind) for part in parts]
        values: Any = [part.values for part in alike]
        values = pa.concat_arrays(values) if kind == "text" else np.concatenate(values)
        return cls(kind, values, np.concatenate([part.state for part in alike]))

    def put(self, positions: Positions, cells: Column) -> Column:
        """Return the column with *cells* at *positions*, each of which is there once."""
        kind = self.kind
        if cells.kind != kind and cells.has_value.any():
            kind = "json" if self.has_value.any() else cells.kind
        left, right = self._as_kind(kind), cells._as_kind(kind)
        state = left.state.copy()
        state[positions] = right.state
        if left.kind == "text":
            source = np.arange(len(left), dtype=np.int64)
            source[positions] = np.arange(len(left), len(left) + len(right), dtype=np.int64)
            both = pa.concat_arrays([left.values, right.values])
            return Column("text", both.take(pa.array(source)), state)
        values = left.values.copy()
        values[positions] = right.values
        return Column(left.kind, values, state)

    def _as_kind(self, kind: Kind) -> Column:
        """Return the same cells as another kind: any if there is no value, else json."""
        if kind == self.kind:
            return self
        if kind == "json":
            return Column(kind, objects(self.cells(), _none_if_absent), self.state)
        length = len(self)
        blank = pa.repeat(_EMPTY, length) if kind == "text" else np.zeros(length, _DTYPES[kind])
        return Column(kind, blank, self.state)

    def narrowed(self) -> Column:
        """Return the same cells in the narrowest kind that holds them exactly."""
        if self.kind == "json" or not self.has_value.any():
            return Column.of(self.cells())
        return self

    def equals(self, other: Column) -> Mask:
        """Return, cell by cell, whether both hold the same (as JSON; absent equals absent)."""
        same = self.state == other.state
        both = same & self.has_value
        if self.kind == other.kind and self.kind != "json":
            if self.kind == "text":
                alike = pc.fill_null(pc.equal(self.values, other.values), False)
                return np.where(both, alike.to_numpy(zero_copy_only=False), same)
            return np.where(both, self.values == other.values, same)
        at = np.flatnonzero(both)
        pairs = zip(self.take(at).cells(), other.take(at).cells(), strict=True)
        same[at] = [json_values.equal(left, right) for left, right in pairs]
        return same

    def identical(self, other: Column) -> Mask:
        """Return, cell by cell, whether nothing at all differs.

        Unlike for :meth:`equals`, 1 is not 1.0, 0.0 not -0.0, and an object's keys have
        an order.
        """
        same = self.state == other.state
        both = same & self.has_value
        if "json" in (self.kind, other.kind):
            at = np.flatnonzero(both)
            pairs = zip(self.take(at).cells(), other.take(at).cells(), strict=True)
            same[at] = [json_values.identical(left, right) for left, right in pairs]
            return same
        if self.kind != other.kind:
            return same & ~both
        if self.kind == "float":
            both &= np.signbit(self.values) != np.signbit(other.values)
            return self.equals(other) & ~both
        return self.equals(other)

    def as_array(self, *, null_is_missing: bool) -> Any:
        """Return a pandas array (or numpy object array) of the cells.

        Integers become ``Int64``, floats ``float64``, booleans ``boolean``, text
        ``str``; absent is missing in each. Integers among floats become floats as
        long as none loses a digit. Any other mixture is ``object``, with NaN for
        absent. A null is missing too if *null_is_missing*, else it makes the
        column ``object``, with ``None`` for null.
        """
        column = self.narrowed() if self.kind == "json" else self
        missing = column.state != IS_VALUE
        if null_is_missing or not (column.state == IS_NULL).any():
            typed = column._typed(missing)
            if typed is not None:
                return typed
        cells = objects(column.cells(), json_values.copied)
        cells[column.state == IS_ABSENT] = np.nan
        if null_is_missing:
            cells[missing] = np.nan
        return cells

    def _typed(self, missing: Mask) -> Any:
        if self.kind == "bool" and missing.all() and len(self):
            return np.full(len(self), np.nan, object)  # as good as without a kind
        if self.kind == "int":
            return pd.arrays.IntegerArray(self.values.copy(), missing)
        if self.kind == "bool":
            return pd.arrays.BooleanArray(self.values.copy(), missing)
        if self.kind == "float":
            return np.where(missing, np.nan, self.values)
        if self.kind == "text":
            texts = self.values
            if missing.any():
                texts = texts_where(~missing, texts)
            dtype: Any = pd.StringDtype("pyarrow", na_value=np.nan)
            return dtype.__from_arrow__(texts)
        numbers = self.values[~missing]
        if all(
            type(number) is float or (type(number) is int and -_EXACT <= number <= _EXACT)
            for number in numbers
        ):
            result = np.full(len(self), np.nan)
            result[~missing] = numbers.astype(np.float64)
            return result
        return None

    def as_json_text(self) -> pa.Array:
        """Return each cell as JSON text (pyarrow ``large_string``), null where absent."""
        if self.kind == "text":
            texts = _quoted(self.values)
        elif self.kind == "json":
            dumps = json_values.dumps
            texts = pa.array([dumps(value) for value in self.values], _TEXT)
        else:
            # One call writes all numbers; none of them holds a comma.
            numbers = orjson.dumps(
                np.ascontiguousarray(self.values), option=orjson.OPT_SERIALIZE_NUMPY
            )
            split = numbers[1:-1].decode().split(",") if len(self) else []
            texts = pa.array(split, _TEXT)
        if (self.state == IS_NULL).any():
            null = pa.scalar("null", _TEXT)
            texts = pc.replace_with_mask(texts, pa.array(self.state == IS_NULL), null)
        if (self.state == IS_ABSENT).any():
            texts = texts_where(self.is_present, texts)
        return texts


# What JSON text must escape: quotes, backslashes, control characters.
@dataclass(frozen=True, eq=False, slots=True)
class Instants:
    """A property that is a time in each cell, such as Updated At or the time of an event.

    What a scope hands out in place of a :class:`Column` where it
    has times at hand: as a column they would be ISO 8601 text.

    Attributes
    ----------
    microseconds
        Since 1970 UTC, ``int64``; ``NO_TIME`` where the property is not set.
    """

    microseconds: Positions

    def __len__(self) -> int:
        return len(self.microseconds)

    def take(self, positions: Positions) -> Instants:
        """Return the cells at *positions*; a position of -1 gives a cell that is not set."""
        return Instants(np.append(self.microseconds, NO_TIME)[positions])

    def keep(self, mask: Mask) -> Instants:
        """Return the cells where *mask* is true."""
        return Instants(self.microseconds[mask])


_ESCAPED: Final = r'["\\\x00-\x1f]'


def _quoted(texts: pa.Array) -> pa.Array:
    special = pc.fill_null(pc.match_substring_regex(texts, pattern=_ESCAPED), False)
    if pc.any(special).as_py():
        quoted = texts.filter(special)
        written = pa.array([json_values.dumps(text)[1:-1] for text in quoted.to_pylist()], _TEXT)
        texts = pc.replace_with_mask(texts, special, written)
    quote = pa.scalar('"', _TEXT)
    return pc.binary_join_element_wise(quote, texts, quote, pa.scalar("", _TEXT))


def objects(cells: Sequence[Any], change: Callable[[Any], Any] | None = None) -> Any:
    """Return a one-dimensional object array; numpy alone would unpack the lists."""
    result = np.empty(len(cells), object)
    for position, cell in enumerate(cells):
        result[position] = cell if change is None else change(cell)
    return result


def cell_frame(columns: Mapping[str, Any], index: Any = None) -> pd.DataFrame:
    """Return a DataFrame of columns in which an object array stays one.

    pandas alone takes an array of texts for text, and a null in it for nothing.

    >>> cell_frame({"new": objects([None, "free"])})["new"].tolist()
    [None, 'free']
    """
    kept = {
        name: pd.Series(values, index, dtype=object)
        if isinstance(values, np.ndarray) and values.dtype == object
        else values
        for name, values in columns.items()
    }
    return pd.DataFrame(kept, index=index)


def _none_if_absent(cell: Any) -> Json:
    return None if cell is ABSENT else cell


def last_of_each(
    ids: pa.Array, columns: Mapping[str, Column]
) -> tuple[pa.Array, dict[str, Column], Positions]:
    """Return each ID once, with the last cell of each column that is present in its rows.

    IDs are in the order they first appear in; the last value is how many rows each had.
    """
    encoded = ids.dictionary_encode()
    once = encoded.dictionary
    if len(once) == len(ids):
        return ids, dict(columns), np.ones(len(ids), np.int64)
    codes = encoded.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    counts = np.diff(starts, append=len(order)).astype(np.int64)
    # For each ID the last row that has a cell, -1 for none.
    merged = {
        name: column.take(
            np.maximum.reduceat(np.where(column.is_present[order], order, -1), starts)
        )
        for name, column in columns.items()
    }
    return once, merged, counts
