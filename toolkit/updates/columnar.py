"""Updates in whole columns: a ``$set`` of a bulk import, the edits of a large undo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import ABSENT, NO_TIME
from toolkit.columns import Column, Mask, Positions, last_of_each
from toolkit.updates.messages import USERS, Message


@dataclass(frozen=True, slots=True)
class LoggedColumns:
    """A ``$set`` of whole columns: the form of a bulk import in the log.

    A row is a profile, an absent cell is a property that the update does not name. With
    ``times`` a row is an update: an ID may occur in several, and the rows are in the
    order of their times.
    """

    ids: pa.Array
    columns: Mapping[str, Column]
    #: What Updated At moves to, in microseconds; None if it stays (SEEN-2).
    seen: int | None
    group_key: str = USERS
    #: When it happened, in microseconds; None: when it arrived.
    time: int | None = None
    #: When each row happened, in microseconds, ascending; None: all of them at *time*.
    times: Positions | None = None

    def merged(self) -> LoggedColumns:
        """Return what the rows lead to: one row per profile, with its latest cells."""
        if self.times is None:
            return self
        ids, columns, _ = last_of_each(self.ids, self.columns)
        return replace(self, ids=ids, columns=columns, times=None)

    def rows(self, positions: Positions) -> LoggedColumns:
        """Return some of the rows."""
        columns = {name: column.take(positions) for name, column in self.columns.items()}
        times = None if self.times is None else self.times[positions]
        return replace(self, ids=self.ids.take(pa.array(positions)), columns=columns, times=times)

    def messages(self) -> Iterator[Message]:
        """Yield the rows as messages, without their times."""
        cells = [column.cells() for column in self.columns.values()]
        rows = zip(*cells, strict=True) if cells else ((),) * len(self.ids)
        for distinct_id, row in zip(self.ids.to_pylist(), rows, strict=True):
            named = {
                name: cell
                for name, cell in zip(self.columns, row, strict=True)
                if cell is not ABSENT
            }
            yield Message(
                distinct_id, (("$set", named),), self.seen, self.seen is None, self.group_key
            )

    def logged_messages(self, arrival: int) -> list[tuple[int, Message]]:
        """Return the rows as the messages of a batch, to the same effect.

        Parameters
        ----------
        arrival
            When the batch arrives, in microseconds.
        """
        moments = [self.time] * len(self.ids) if self.times is None else self.times.tolist()
        messages = zip(moments, self.messages(), strict=True)
        return [
            (place, self._dated(message, time, arrival))
            for place, (time, message) in enumerate(messages)
        ]

    def _dated(self, message: Message, time: int | None, arrival: int) -> Message:
        as_sent = self.seen == (arrival if time is None else time)
        seen = None if as_sent else self.seen
        return replace(message, time=time, ignore_time=not as_sent, seen=seen)

    def happened(self, arrival: int) -> int:
        """Return the effective time, in microseconds: its own, else that of arrival."""
        return arrival if self.time is None else self.time

    def of_profile(self, group_key: str, distinct_id: str) -> LoggedColumns | None:
        """Return the rows of one profile, None if it has none."""
        if group_key != self.group_key:
            return None
        positions = _rows_of(self.ids, distinct_id)
        return self.rows(positions) if len(positions) else None

    @property
    def names(self) -> list[str]:
        """The properties that a row may name."""
        return list(self.columns)

    def writing(self, name: str) -> Mask:
        """Return which rows write a property."""
        column = self.columns.get(name)
        return np.zeros(len(self.ids), np.bool_) if column is None else column.is_present


@dataclass(frozen=True, slots=True)
class LoggedEdits:
    """What many profiles are made of again, in whole columns: a large undo in the log.

    A row is a message, each ID is in one. It is a ``$delete``; or a ``$set`` of the
    cells that are not absent, and an ``$unset`` of those marked; or, with neither, a
    ``$set`` of ``{}``. Updated At stays, as after every edit by hand (SEEN-2).
    """

    ids: pa.Array
    columns: Mapping[str, Column]
    #: By property, the rows that unset it.
    unset: Mapping[str, Mask]
    deleted: Mask
    #: The Updated At that a profile written again gets back, else NO_TIME (UNDO-1).
    seen: Positions
    group_key: str = USERS

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def names(self) -> list[str]:
        """The properties that a row may name."""
        return list(dict.fromkeys([*self.columns, *self.unset]))

    @property
    def sets(self) -> Mask:
        """Which rows have a ``$set``, which creates a profile where there is none."""
        named = np.zeros(len(self), np.bool_)
        for column in self.columns.values():
            named |= column.is_present
        unset = np.zeros(len(self), np.bool_)
        for mask in self.unset.values():
            unset |= mask
        sets: Mask = ~self.deleted & (named | ~unset)
        return sets

    def writing(self, name: str) -> Mask:
        """Return which rows write, unset or delete a property."""
        found = self.deleted.copy()
        if name in self.columns:
            found |= self.columns[name].is_present
        if name in self.unset:
            found |= self.unset[name]
        return found

    def rows(self, positions: Positions) -> LoggedEdits:
        """Return some of the rows."""
        return replace(
            self,
            ids=self.ids.take(pa.array(positions)),
            columns={name: column.take(positions) for name, column in self.columns.items()},
            unset={name: mask[positions] for name, mask in self.unset.items()},
            deleted=self.deleted[positions],
            seen=self.seen[positions],
        )

    def messages(self) -> Iterator[Message]:
        """Yield the rows as messages."""
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
            self.deleted.tolist(),
            self.sets.tolist(),
            self.seen.tolist(),
            strict=True,
        )
        for at, (distinct_id, deleted, sets, seen) in enumerate(rows):
            operations: list[tuple[str, Any]] = [("$delete", "")] if deleted else []
            if sets:
                operations.append(("$set", written[at]))
            if at in unset:
                operations.append(("$unset", unset[at]))
            back = None if seen == NO_TIME else seen
            yield Message(distinct_id, tuple(operations), None, True, self.group_key, seen=back)

    def happened(self, arrival: int) -> int:
        """Return the effective time, in microseconds: that of arrival, as it names none."""
        return arrival

    def of_profile(self, group_key: str, distinct_id: str) -> LoggedEdits | None:
        """Return the row of one profile, None if it has none."""
        if group_key != self.group_key:
            return None
        positions = _rows_of(self.ids, distinct_id)
        return self.rows(positions) if len(positions) else None


def _rows_of(ids: pa.Array, distinct_id: str) -> Positions:
    own = pc.equal(ids, pa.scalar(distinct_id, pa.large_string()))
    return np.flatnonzero(own.to_numpy(zero_copy_only=False))


#: Updates in whole columns.
Columnar: TypeAlias = LoggedColumns | LoggedEdits
#: Updates of one form: those of a batch, or a part of them.
Updates: TypeAlias = list[tuple[int, Message]] | Columnar


def of_profile(updates: Updates, group_key: str, distinct_id: str) -> Updates | None:
    """Return those updates that are of one profile, None if none is."""
    if isinstance(updates, Columnar):
        return updates.of_profile(group_key, distinct_id)
    own = [
        (position, message)
        for position, message in updates
        if message.distinct_id == distinct_id and message.group_key == group_key
    ]
    return own or None


def keys_of(updates: Updates) -> set[str]:
    if isinstance(updates, Columnar):
        return {updates.group_key}
    return {message.group_key for _, message in updates}
