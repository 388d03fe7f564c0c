"""Updates in whole columns: a bulk import, a DataFrame, a large undo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import NO_TIME
from toolkit.columns import Column, Mask, Positions, last_of_each
from toolkit.updates.messages import USERS, Message


@dataclass(frozen=True, slots=True)
class ColumnarUpdates:
    """Updates of the profiles of one table in whole columns.

    A row is an update. It is a ``$delete``; or a ``$set`` of the cells that are not absent
    and an ``$unset`` of those marked; or, with neither, a ``$set`` of ``{}``. Each ID is
    in one row, except rows with ``times``, which only set.
    """

    ids: pa.Array
    columns: Mapping[str, Column]
    #: What Updated At moves to, in microseconds: of all rows, or of each (NO_TIME: it
    #: stays). None if it stays in all of them (SEEN-2).
    seen: int | Positions | None = None
    group_key: str = USERS
    #: When it happened, in microseconds; None: when it arrived.
    time: int | None = None
    #: When each row happened, in microseconds, ascending; None: all of them at *time*.
    times: Positions | None = None
    #: By property, the rows that unset it.
    unset: Mapping[str, Mask] = field(default_factory=dict)
    #: The rows that delete their profile; None if none does.
    deleted: Mask | None = None
    #: Columns say what is to be: a row of equal values changes nothing. Edits say what is
    #: to be done: each row counts as written, as a message does.
    form: Literal["columns", "edits"] = "columns"

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def names(self) -> list[str]:
        """The properties that a row may name."""
        return list(dict.fromkeys([*self.columns, *self.unset]))

    @property
    def deletes(self) -> Mask:
        """Which rows delete their profile."""
        return np.zeros(len(self), np.bool_) if self.deleted is None else self.deleted

    @property
    def sets(self) -> Mask:
        """Which rows have a ``$set``, which creates a profile where there is none."""
        if not self.unset:
            return ~self.deletes
        named = np.zeros(len(self), np.bool_)
        for column in self.columns.values():
            named |= column.is_present
        unset = np.zeros(len(self), np.bool_)
        for mask in self.unset.values():
            unset |= mask
        sets: Mask = ~self.deletes & (named | ~unset)
        return sets

    @property
    def moves(self) -> Positions:
        """What Updated At moves to in each row; NO_TIME where it stays."""
        seen = NO_TIME if self.seen is None else self.seen
        return np.full(len(self), seen, np.int64) if isinstance(seen, int) else seen

    def writing(self, name: str) -> Mask:
        """Return which rows write, unset or delete a property."""
        rows = self.deletes.copy()
        if name in self.columns:
            rows |= self.columns[name].is_present
        if name in self.unset:
            rows |= self.unset[name]
        return rows

    def happened(self, arrival: int) -> int:
        """Return the effective time, in microseconds: its own, else that of arrival."""
        return arrival if self.time is None else self.time

    def in_order(self) -> ColumnarUpdates:
        """Return the rows in the order of their times."""
        if self.times is None or not (np.diff(self.times) < 0).any():
            return self
        return self.rows(np.argsort(self.times, kind="stable"))

    def merged(self) -> ColumnarUpdates:
        """Return what the rows lead to: one row per profile, with its latest cells."""
        if self.times is None:
            return self
        ids, columns, _ = last_of_each(self.ids, self.columns)
        return replace(self, ids=ids, columns=columns, times=None)

    def rows(self, positions: Positions) -> ColumnarUpdates:
        """Return some of the rows."""
        return replace(
            self,
            ids=self.ids.take(pa.array(positions)),
            columns={name: column.take(positions) for name, column in self.columns.items()},
            seen=self.seen[positions] if isinstance(self.seen, np.ndarray) else self.seen,
            times=None if self.times is None else self.times[positions],
            unset={name: mask[positions] for name, mask in self.unset.items()},
            deleted=None if self.deleted is None else self.deleted[positions],
        )

    def of_profile(self, group_key: str, distinct_id: str) -> ColumnarUpdates | None:
        """Return the rows of one profile, None if it has none."""
        if group_key != self.group_key:
            return None
        own = pc.equal(self.ids, pa.scalar(distinct_id, pa.large_string()))
        positions = np.flatnonzero(own.to_numpy(zero_copy_only=False))
        return self.rows(positions) if len(positions) else None

    def messages(self, arrival: int | None = None) -> Iterator[Message]:
        """Yield the rows as messages to the same effect.

        Parameters
        ----------
        arrival
            When the batch arrives, in microseconds. A row that moves Updated At there
            need not say so.
        """
        written: list[dict[str, Any]] = [{} for _ in range(len(self))]
        for name, column in self.columns.items():
            present = np.flatnonzero(column.is_present)
            for at, cell in zip(present.tolist(), column.take(present).cells(), strict=True):
                written[at][name] = cell
        unset: dict[int, list[str]] = {}
        for name, mask in self.unset.items():
            for at in np.flatnonzero(mask).tolist():
                unset.setdefault(at, []).append(name)
        rows = zip(
            self.ids.to_pylist(),
            self.deletes.tolist(),
            self.sets.tolist(),
            self.moves.tolist(),
            [self.time] * len(self) if self.times is None else self.times.tolist(),
            strict=True,
        )
        for at, (distinct_id, deleted, sets, seen, time) in enumerate(rows):
            operations: list[tuple[str, Any]] = [("$delete", "")] if deleted else []
            if sets:
                operations.append(("$set", written[at]))
            if at in unset:
                operations.append(("$unset", unset[at]))
            as_sent = seen == (arrival if time is None else time)
            yield Message(
                distinct_id,
                tuple(operations),
                time,
                not as_sent,
                self.group_key,
                seen=None if as_sent or seen == NO_TIME else seen,
            )


#: Updates of one form: those of a batch, or a part of them.
Updates: TypeAlias = list[tuple[int, Message]] | ColumnarUpdates


def of_profile(updates: Updates, group_key: str, distinct_id: str) -> Updates | None:
    """Return those updates that are of one profile, None if none is."""
    if isinstance(updates, ColumnarUpdates):
        return updates.of_profile(group_key, distinct_id)
    own = [
        (position, message)
        for position, message in updates
        if message.distinct_id == distinct_id and message.group_key == group_key
    ]
    return own or None


def by_table(updates: Updates) -> Mapping[str, Updates]:
    """Return the updates of each table, by group key."""
    if isinstance(updates, ColumnarUpdates):
        return {updates.group_key: updates}
    tables: dict[str, Updates] = {}
    for each in updates:
        tables.setdefault(each[1].group_key, []).append(each)  # type: ignore[union-attr]
    return tables


def keys_of(updates: Updates) -> set[str]:
    """Return the group keys of the tables that updates are for."""
    if isinstance(updates, ColumnarUpdates):
        return {updates.group_key}
    return {message.group_key for _, message in updates}
