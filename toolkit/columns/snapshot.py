"""A snapshot: many profiles as columns, at one moment, never changed.

What joins, reports and frames read. The table hands out a new snapshot after
each change, so whatever was worked out from one can be kept with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import ABSENT, Json, dumps, joined_texts
from toolkit.columns.column import Column, Mask, Positions, cell_frame

# Texts are few if the first so many of them hold at most so many different ones.
_LOOKED_AT: Final = 4_096
_FEW: Final = 256
# Codes of up to 16 bits are worth their memory.
_MOST_TEXTS: Final = 2**16 - 1


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Many profiles at one moment.

    Attributes
    ----------
    ids
        Distinct IDs in the order the profiles were created, pyarrow ``large_string``.
    columns
        A :class:`Column` of as many cells for each property ever written, in the
        order of its first write; a column may be absent throughout.
    last_seen
        Updated At in microseconds since 1970 UTC, ``int64``, NO_TIME for none.
    """

    ids: pa.Array
    columns: Mapping[str, Column]
    last_seen: Positions

    @classmethod
    def empty(cls, names: list[str] | None = None) -> Snapshot:
        """Return a snapshot without profiles."""
        columns = {name: Column.absent(0) for name in names or []}
        return cls(pa.array([], pa.large_string()), columns, np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        # Handed out as it is, so nobody may write to it.
        self.last_seen.setflags(write=False)
        for column in self.columns.values():
            column.state.setflags(write=False)
            if isinstance(column.values, np.ndarray):
                column.values.setflags(write=False)

    def __len__(self) -> int:
        return len(self.last_seen)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The properties that at least one profile has."""
        return tuple(name for name, column in self.columns.items() if column.state.any())

    @cached_property
    def _rows(self) -> dict[str, int]:
        return dict(zip(self.ids.to_pylist(), range(len(self)), strict=True))

    def knows_rows_of(self, base: Snapshot) -> Snapshot:
        """Take over what *base* knows of its rows, all of which are here too; return self."""
        earlier = base.__dict__.get("_rows")
        if earlier is not None:
            new = self.ids.slice(len(base)).to_pylist()
            if new:
                earlier = earlier | dict(zip(new, range(len(base), len(self)), strict=True))
            self.__dict__["_rows"] = earlier
        return self

    def __contains__(self, distinct_id: object) -> bool:
        return distinct_id in self._rows

    def position(self, distinct_id: str) -> int:
        """Return the row of one distinct ID, -1 if there is none."""
        return self._rows.get(distinct_id, -1)

    def positions(self, ids: pa.Array) -> Positions:
        """Return the row of each distinct ID, -1 where there is none."""
        asked, rows = self.__dict__.get("_asked_last", (None, None))
        if asked is not ids:
            # An import asks several times for the same million.
            rows = places(ids.cast(pa.large_string()), self.ids)
            self.__dict__["_asked_last"] = (ids, rows)
        result: Positions = rows.copy()
        return result

    def column(self, name: str) -> Column:
        """Return the column of a property, absent throughout if nobody has it."""
        column = self.columns.get(name)
        return Column.absent(len(self)) if column is None else column

    def coded(self, name: str) -> tuple[Any, Column] | None:
        """Return a property of few different texts as codes; None for any other property.

        What depends on the text alone is then worked out once a text. Coded once, when a
        filter first asks.

        Returns
        -------
        The position of each profile's text among the texts, and the texts as a column,
        whose last cell is absent and stands for no text.
        """
        codes = self.__dict__.setdefault("_coded", {})
        if name not in codes:
            codes[name] = _coded(self.column(name))
        coding: tuple[Any, Column] | None = codes[name]
        return coding

    def row(self, position: int) -> dict[str, Json]:
        """Return the properties of the profile in one row; the containers are the snapshot's."""
        cells = ((name, column.cell(position)) for name, column in self.columns.items())
        return {name: value for name, value in cells if value is not ABSENT}

    def rows(self, positions: Positions) -> list[dict[str, Json]]:
        """Return the properties of many profiles; the containers are the snapshot's."""
        result: list[dict[str, Json]] = [{} for _ in range(len(positions))]
        for name, column in self.columns.items():
            taken = column.take(positions)
            for properties, value in zip(result, taken.cells(), strict=True):
                if value is not ABSENT:
                    properties[name] = value
        return result

    def take(self, positions: Positions) -> Snapshot:
        """Return the snapshot of the profiles in some rows."""
        columns = {name: column.take(positions) for name, column in self.columns.items()}
        return Snapshot(self.ids.take(pa.array(positions)), columns, self.last_seen[positions])

    def keep(self, mask: Mask) -> Snapshot:
        """Return the snapshot of the profiles where *mask* is true."""
        columns = {name: column.keep(mask) for name, column in self.columns.items()}
        return Snapshot(self.ids.filter(pa.array(mask)), columns, self.last_seen[mask])

    def json_texts(self, positions: Positions) -> pa.Array:
        """Return the properties of some profiles as JSON text, pyarrow ``large_string``."""
        if not self.columns:
            return pa.array(["{}"] * len(positions), pa.large_string())
        empty, colon, opening, closing = (
            pa.scalar(each, pa.large_string()) for each in ("", ":", "{", "}")
        )
        names = [pa.scalar(dumps(name), pa.large_string()) for name in self.columns]
        texts = [column.take(positions).as_json_text() for column in self.columns.values()]
        parts = [
            pc.binary_join_element_wise(name, text, colon)
            for name, text in zip(names, texts, strict=True)
        ]
        inner = joined_texts(parts, ",")
        return pc.binary_join_element_wise(opening, inner, closing, empty)

    def frame(self, names: list[str]) -> pd.DataFrame:
        """Return the named properties and ``$last_seen`` as a new DataFrame."""
        data: dict[str, Any] = {
            name: self.column(name).as_array(null_is_missing=False) for name in names
        }
        data["$last_seen"] = pd.DatetimeIndex(self.last_seen.view("M8[us]")).tz_localize("UTC")
        return cell_frame(data, self.index)

    @property
    def index(self) -> pd.Index:
        """The distinct IDs as a pandas Index of ``str``, named ``distinct_id``."""
        dtype: Any = pd.StringDtype("pyarrow", na_value=np.nan)
        index: pd.Index = pd.Index(dtype.__from_arrow__(self.ids), name="distinct_id")
        return index

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids.to_pylist())


def places(ids: pa.Array, within: pa.Array) -> Positions:
    """Return where each distinct ID is in others, each of which is there once; -1 for none.

    >>> places(pa.array(["b", "x"]), pa.array(["a", "b"])).tolist()
    [1, -1]
    """
    if len(ids):
        # What is imported, undone or replayed is mostly asked for in the order it is in: to see
        # that takes a tenth of the time of looking each up.
        start = pc.index(within, ids[0]).as_py()
        if start >= 0 and within.slice(start, len(ids)).equals(ids):
            return np.arange(start, start + len(ids), dtype=np.int64)
    positions = pc.index_in(ids, value_set=within)
    rows: Positions = pc.fill_null(positions, -1).to_numpy().astype(np.int64)
    return rows


def _coded(column: Column) -> tuple[Any, Column] | None:
    if column.kind != "text":
        return None
    if pc.count_distinct(column.values.slice(0, _LOOKED_AT)).as_py() > _FEW:
        return None
    encoded = column.values.dictionary_encode()
    texts = encoded.dictionary
    if len(texts) > _MOST_TEXTS:
        return None
    codes = pc.fill_null(encoded.indices, len(texts)).to_numpy(zero_copy_only=False)
    codes = codes.astype(np.min_scalar_type(len(texts)))
    codes[~column.has_value] = len(texts)
    codes.setflags(write=False)
    return codes, Column.of_array(texts).followed_by(Column.absent(1))
