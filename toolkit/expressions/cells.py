"""Values of any types as whole columns, each type apart.

The cells of one column may hold numbers, texts and lists side by side. What an
operation does depends on the type, so :class:`Cells` keeps an array for each
type that occurs, and operations go type by type over whole arrays. Only big
integers, lists and objects are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import ABSENT, NO_TIME, Json, texts_where
from toolkit.columns import IS_ABSENT, IS_VALUE, Column, Instants, Kind, Mask, Positions

#: The types a cell may be of. A number is an ``"int"`` of 64 bits, a finite
#: ``"float"``, or a ``"big"`` integer beyond 64 bits.
Family: TypeAlias = Literal["bool", "int", "float", "big", "text", "time", "list", "object"]

NUMBERS: Final[frozenset[Family]] = frozenset({"int", "float", "big"})
TEXT: Final = pa.large_string()

_INT64: Final = np.iinfo(np.int64)
_KINDS: Final[dict[Family, Kind]] = {
    "bool": "bool",
    "int": "int",
    "float": "float",
    "text": "text",
}
_TYPES: Final[dict[Family, type]] = {
    **{"bool": bool, "int": int, "float": float, "text": str, "list": list, "object": dict}
}
_FAMILIES: Final[dict[type, int]] = {bool: 1, int: 2, float: 3, str: 4, list: 5, dict: 6}


class Part(NamedTuple):
    """The cells of one type: where they are, and an array that means something there only."""

    at: Mask
    values: Any


@dataclass(frozen=True, eq=False, slots=True)
class Cells:
    """Many cells, each of which holds a value of some type or none.

    Attributes
    ----------
    length
        How many cells; 1 for a constant, which then stands for as many as needed.
    parts
        The types that occur, each with its cells. No cell is in two parts. The
        arrays have *length* elements: numpy ``bool``, ``int64``, ``float64`` (finite
        throughout) or ``object`` (big integers, lists, objects), ``int64``
        microseconds for times, pyarrow ``large_string`` for text.
    """

    length: int
    parts: Mapping[Family, Part]

    @classmethod
    def of(cls, column: Column | Instants) -> Cells:
        """Return the cells of a property; absent and null are not values."""
        if isinstance(column, Instants):
            at = column.microseconds != NO_TIME
            return cls.joined(len(column), [("time", at, column.microseconds)])
        if column.kind == "json":
            return cls.of_objects(column.values, column.has_value)
        if column.kind == "float":
            return cls.joined(len(column), [finite(column.values, column.has_value)])
        return cls.joined(len(column), [(column.kind, column.has_value, column.values)])

    @classmethod
    def of_objects(cls, values: Any, at: Mask) -> Cells:
        """Return the cells of a numpy object array of JSON values, none where *at* is false."""
        families = np.array([_FAMILIES.get(type(value), 0) for value in values], np.int8)
        families[~at] = 0
        is_int, is_text = families == _FAMILIES[int], families == _FAMILIES[str]
        pieces: list[tuple[Family, Mask, Any]] = [
            ("bool", *_packed(values, families == _FAMILIES[bool], np.bool_)),
            ("float", *_packed(values, families == _FAMILIES[float], np.float64)),
            ("list", families == _FAMILIES[list], values),
            ("object", families == _FAMILIES[dict], values),
        ]
        try:
            pieces.append(("int", *_packed(values, is_int, np.int64)))
        except OverflowError:
            big = np.zeros(len(values), np.bool_)
            big[is_int] = [not _INT64.min <= n <= _INT64.max for n in values[is_int]]
            pieces.append(("int", *_packed(values, is_int & ~big, np.int64)))
            pieces.append(("big", big, values))
        if is_text.any():
            pieces.append(("text", is_text, pa.array(values, TEXT, mask=~is_text)))
        return cls.joined(len(values), pieces)

    @classmethod
    def constant(cls, value: Json) -> Cells:
        """Return one cell that stands for as many as needed."""
        return cls.of(Column.of([value]))

    @classmethod
    def joined(cls, length: int, pieces: Iterable[tuple[Family, Mask, Any]]) -> Cells:
        """Return the cells of several pieces, each a type, its places and its values.

        No cell is in two pieces; several pieces may be of one type.
        """
        parts: dict[Family, Part] = {}
        for family, at, values in pieces:
            if not at.any():
                continue
            before = parts.get(family)
            if before is not None:
                if family == "text":
                    values = texts_where(at, values, before.values)
                else:
                    values = np.where(at, values, before.values)
                at = at | before.at
            parts[family] = Part(at, values)
        return cls(length, parts)

    @property
    def has_value(self) -> Mask:
        """Whether each cell holds a value."""
        result = np.zeros(self.length, np.bool_)
        for part in self.parts.values():
            result |= part.at
        return result

    def where(self, family: Family) -> Mask:
        """Return whether each cell holds a value of the type *family*."""
        part = self.parts.get(family)
        return np.zeros(self.length, np.bool_) if part is None else part.at

    def only(self, *families: Family) -> list[tuple[Family, Mask, Any]]:
        """Return the pieces of some types, for :meth:`joined`."""
        return [(family, *self.parts[family]) for family in families if family in self.parts]

    def take(self, positions: Positions) -> Cells:
        """Return the cells at *positions*; a constant fills any number of them."""
        if self.length == 1:
            positions = np.zeros(len(positions), np.int64)
        pieces: list[tuple[Family, Mask, Any]] = []
        for family, (at, values) in self.parts.items():
            picked = pa.array(positions) if family == "text" else positions
            pieces.append((family, at[positions], values.take(picked)))
        return Cells.joined(len(positions), pieces)

    def objects(self) -> Any:
        """Return a numpy object array of the JSON values, ``ABSENT`` where there is none.

        Times are ISO 8601 text.
        """
        result = np.full(self.length, ABSENT, object)
        for family, (at, values) in self.parts.items():
            if family == "time":
                values = iso_texts(values, at)
            if isinstance(values, pa.Array):
                values = values.to_numpy(zero_copy_only=False)
            result[at] = values[at].astype(object)
        return result

    def column(self, length: int) -> Column:
        """Return *length* cells as a column, absent where there is not a value."""
        cells = self if self.length == length else self.take(np.zeros(length, np.int64))
        if not cells.parts:
            return Column.absent(length)
        (family, (at, values)), *others = cells.parts.items()
        state = np.where(at, IS_VALUE, IS_ABSENT)
        if family == "time" and not others:
            return Column("text", iso_texts(values, at), state)
        if family not in _KINDS or others:
            return Column.of(cells.objects().tolist())
        return Column(_KINDS[family], values, state)


def families_of(column: Column | Instants) -> frozenset[Family]:
    """Return the types of the values in a column, far faster than :meth:`Cells.of`."""
    if isinstance(column, Instants):
        return frozenset({"time"} if (column.microseconds != NO_TIME).any() else ())
    if column.kind != "json":
        return frozenset({column.kind} if column.has_any_value else ())
    types = set(map(type, column.values[column.has_value]))
    return frozenset(family for family, number in _TYPES.items() if number in types)


def _packed(values: Any, at: Mask, dtype: type) -> tuple[Mask, Any]:
    packed: Any = np.zeros(len(values), dtype)
    packed[at] = values[at].astype(dtype)
    return at, packed


def finite(floats: Any, at: Mask) -> tuple[Family, Mask, Any]:
    """Return the piece of the finite floats: NaN and infinities are not JSON, so no values."""
    is_finite = np.isfinite(floats)
    if is_finite.all():
        return "float", at, floats
    return "float", at & is_finite, np.where(is_finite, floats, 0.0)


def iso_texts(microseconds: Positions, at: Mask) -> pa.Array:
    """Return times as ISO 8601 text, pyarrow ``large_string``; where *at* is false, any text."""
    moments = np.datetime_as_string(np.where(at, microseconds, 0).view("M8[us]"))
    whole = pc.replace_substring(pa.array(moments.astype(object), TEXT), ".000000", "")
    return pc.binary_join_element_wise(whole, pa.scalar("Z", TEXT), pa.scalar("", TEXT))


def text_series(texts: pa.Array) -> pd.Series[str]:
    """Return a pyarrow text array as a pandas Series, not copied."""
    dtype: Any = pd.StringDtype("pyarrow", na_value=np.nan)
    return pd.Series(dtype.__from_arrow__(texts))
