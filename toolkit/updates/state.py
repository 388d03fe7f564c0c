"""The latest state of many profiles: a snapshot, and the few rows changed since.

A million-row column must not be copied to set one property. So a small batch
changes rows in a dictionary next to the snapshot, and the two are merged when
somebody next looks at whole columns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from toolkit.base import ABSENT, NO_TIME
from toolkit.columns import Column, Positions, Snapshot
from toolkit.updates.operators import Profile

# For so few rows, picking cells beats taking columns.
_CELL_BY_CELL: Final = 20


class Row(NamedTuple):
    """One profile.

    ``fresh`` says that it was created after the snapshot, and so is behind
    the snapshot's rows, even if an older profile of the same ID is there.
    """

    properties: Profile
    last_seen: int
    fresh: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What a batch leads to, worked out but not yet part of any state.

    Either *rows* says how single rows are afterwards (None: deleted), in the
    order they were created, or *snapshot* is the whole state afterwards.

    Attributes
    ----------
    names
        Properties written, in the order of the first write.
    touched
        With *snapshot*: the rows of it that are new or not as before.
    dropped
        With *snapshot*: the rows of the state before that were deleted, whether or not
        created again.
    born
        With *rows*: IDs of the profiles created, which are behind all others.
    """

    names: tuple[str, ...] = ()
    rows: Mapping[str, Row | None] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    touched: Positions | None = None
    dropped: Positions = field(default_factory=lambda: np.zeros(0, np.int64))
    born: frozenset[str] = frozenset()

    @property
    def writes(self) -> int:
        """How many rows are written or deleted."""
        written = self.rows if self.touched is None else self.touched
        return len(written) + len(self.dropped)


class StoredRows(Protocol):
    """Where the rows of a state are on disk."""

    def count(self) -> int:
        """Return how many profiles there are."""

    def ids(self) -> Iterable[str]:
        """Return every distinct ID, in the order the profiles were created."""

    def names(self) -> list[str]:
        """Return every property ever written, in the order of its first write."""

    def rows(self, ids: Iterable[str]) -> dict[str, tuple[Profile, int]]:
        """Return properties and last_seen of the profiles there are, oldest first."""

    def load(self) -> Snapshot:
        """Return all profiles."""


class State:
    """The latest state of the profiles of one table.

    With *stored* rows, single profiles are read from there until somebody asks
    for whole columns; only then is everything loaded.
    """

    def __init__(self, stored: StoredRows | None = None) -> None:
        self._stored = stored
        self._base: Snapshot | None = Snapshot.empty() if stored is None else None
        self._edits: dict[str, Row | None] = {}
        self._names: dict[str, None] = {}
        # The place of each property in the table, as far as it was asked for.
        self._order: dict[str, int] = {}

    @classmethod
    def of(cls, snapshot: Snapshot) -> State:
        """Return a state that holds a snapshot."""
        state = cls()
        state._base = snapshot
        return state

    @property
    def is_loaded(self) -> bool:
        """Whether all profiles are in memory."""
        return self._base is not None

    @property
    def was_written(self) -> bool:
        """Whether a property was ever written, or there is a profile."""
        return bool(self._names) or len(self) > 0

    def row(self, distinct_id: str) -> Row | None:
        """Return one profile, None if there is none."""
        if distinct_id in self._edits:
            return self._edits[distinct_id]
        if self._base is None:
            return self._read([distinct_id]).get(distinct_id)
        position = self._base.position(distinct_id)
        if position < 0:
            return None
        return Row(self._base.row(position), int(self._base.last_seen[position]), False)

    def rows(self, ids: Iterable[str]) -> dict[str, Row]:
        """Return the profiles there are under *ids*."""
        result: dict[str, Row] = {}
        unknown = []
        for distinct_id in ids:
            if distinct_id not in self._edits:
                unknown.append(distinct_id)
            elif (row := self._edits[distinct_id]) is not None:
                result[distinct_id] = row
        if self._base is None:
            result.update(self._read(unknown))
            return result
        stored = [
            (distinct_id, position)
            for distinct_id in unknown
            if (position := self._base.position(distinct_id)) >= 0
        ]
        positions = np.array([position for _, position in stored], np.int64)
        if len(stored) <= _CELL_BY_CELL:
            properties = [self._base.row(position) for _, position in stored]
        else:
            properties = self._base.rows(positions)
        seen = self._base.last_seen[positions].tolist()
        for (distinct_id, _), profile, last_seen in zip(stored, properties, seen, strict=True):
            result[distinct_id] = Row(profile, last_seen, False)
        return result

    def _read(self, ids: list[str]) -> dict[str, Row]:
        assert self._stored is not None
        read = self._stored.rows(ids) if ids else {}
        order = self.order(dict.fromkeys(name for profile, _ in read.values() for name in profile))
        return {
            key: Row(in_order(profile, order), seen, False) for key, (profile, seen) in read.items()
        }

    def order(self, names: Collection[str]) -> Mapping[str, int]:
        """Return the place of each property in the table (ORDER-1).

        Those of the *names* that no profile ever had are last, in their order.
        """
        if all(name in self._order for name in names):
            return self._order
        if self._base is None:
            assert self._stored is not None
            names_so_far: Iterable[str] = self._stored.names()
        else:
            names_so_far = chain(self._base.columns, self._names)
        self._order = dict(zip(dict.fromkeys(names_so_far), count()))
        return dict(zip(dict.fromkeys(chain(self._order, names)), count()))

    def __len__(self) -> int:
        if self._base is None:
            assert self._stored is not None
            return self._stored.count()
        length = len(self._base)
        for distinct_id, row in self._edits.items():
            if row is None or row.fresh:
                length += (row is not None) - (self._base.position(distinct_id) >= 0)
        return length

    def __iter__(self) -> Iterator[str]:
        if self._base is None:
            assert self._stored is not None
            return iter(self._stored.ids())
        if not self._edits:
            return iter(self._base)
        replaced = {key for key, row in self._edits.items() if row is None or row.fresh}
        fresh = (key for key, row in self._edits.items() if row is not None and row.fresh)
        return chain((key for key in self._base if key not in replaced), fresh)

    def snapshot(self) -> Snapshot:
        """Return all profiles as columns; the same object until something changes."""
        if self._base is None:
            assert self._stored is not None
            self._base = self._stored.load()
        if self._edits:
            settled = settle(self._base, self._edits, self._names)
            # The merged snapshot takes over first: an interrupt between the two
            # lines leaves edits that are merged once more, to the same effect.
            self._base = settled
            self._edits = {}
        return self._base

    def install(self, change: Change) -> None:
        """Make *change* part of the state; doing it twice is doing it once."""
        self._names.update(dict.fromkeys(change.names))
        if change.snapshot is not None:
            self._edits, self._base = {}, change.snapshot
        elif self._base is not None:
            for distinct_id, row in change.rows.items():
                if distinct_id in change.born:
                    self._edits.pop(distinct_id, None)
                self._edits[distinct_id] = row

    def forget(self) -> None:
        """Read everything from the stored rows again when next asked."""
        assert self._stored is not None
        self._base, self._edits, self._names, self._order = None, {}, {}, {}


def in_order(profile: Profile, order: Mapping[str, int]) -> Profile:
    """Return a profile with its properties in an order, as columns would give it back."""
    places = [order.get(name, len(order)) for name in profile]
    if places == sorted(places):
        return profile
    return {name: profile[name] for _, name in sorted(zip(places, profile, strict=True))}


def settle(base: Snapshot, edits: Mapping[str, Row | None], names: Iterable[str]) -> Snapshot:
    """Return *base* with the edited rows merged in."""
    base = without_rows(base, [key for key, row in edits.items() if row is None or row.fresh])
    kept = {key: row for key, row in edits.items() if row is not None}
    profiles = [row.properties for row in kept.values()]
    cells = {
        name: Column.of([profile.get(name, ABSENT) for profile in profiles])
        for name in dict.fromkeys(chain(base.columns, names))
    }
    positions = np.array([-1 if row.fresh else base.position(key) for key, row in kept.items()])
    seen = np.array([row.last_seen for row in kept.values()], np.int64)
    ids = pa.array(list(kept), pa.large_string())
    return merge(base, ids, positions.astype(np.int64), cells, seen)[0]


def without_rows(base: Snapshot, ids: Iterable[str]) -> Snapshot:
    """Return *base* without the profiles under *ids*, of which it may know none."""
    positions = np.array([base.position(key) for key in ids], np.int64)
    stored = positions[positions >= 0]
    if not len(stored):
        return base
    mask = np.ones(len(base), np.bool_)
    mask[stored] = False
    return base.keep(mask)


def merge(
    base: Snapshot,
    ids: pa.Array,
    positions: Positions,
    cells: Mapping[str, Column],
    seen: Positions,
) -> tuple[Snapshot, Positions]:
    """Return *base* with some rows replaced or added, and where those rows now are.

    Parameters
    ----------
    base
        The snapshot before.
    ids
        The rows to write, each ID once.
    positions
        Where each is in *base*; -1 for a new one, appended in the order given.
    cells
        The cells of those rows afterwards, for every property that may differ.
    seen
        Updated At of those rows afterwards.
    """
    new = positions < 0
    at_old, at_new = np.flatnonzero(~new), np.flatnonzero(new)
    columns: dict[str, Column] = {}
    for name in dict.fromkeys(chain(base.columns, cells)):
        column = base.column(name)
        after = cells.get(name)
        if after is not None and len(at_old):
            replaced = after.take(at_old)
            if not _identical(column.take(positions[at_old]), replaced):
                column = column.put(positions[at_old], replaced)
        if len(at_new):
            added = Column.absent(len(at_new)) if after is None else after.take(at_new)
            column = column.followed_by(added)
        columns[name] = column
    places = positions.copy()
    places[at_new] = np.arange(len(base), len(base) + len(at_new))
    last_seen = np.concatenate([base.last_seen, np.full(len(at_new), NO_TIME, np.int64)])
    last_seen[places] = seen
    all_ids = base.ids
    if len(at_new):
        all_ids = pa.concat_arrays([base.ids, ids.take(pa.array(at_new))])
    return Snapshot(all_ids, columns, last_seen).knows_rows_of(base), places


def _identical(left: Column, right: Column) -> bool:
    """Whether nothing at all differs; JSON takes longer to compare than to write."""
    return "json" not in (left.kind, right.kind) and bool(left.identical(right).all())
