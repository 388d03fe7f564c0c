"""The log: every accepted update, in the order it arrived.

The log is the truth and the state follows from it: applying its batches in
order to an empty table gives the table. A batch is logged as its messages, or,
when it writes whole columns, as those columns: an import as a ``$set``, a large
undo as edits, a part for each table it reaches.

A log can be compacted: its first batches give way to the profiles they led to,
from which everything later follows as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base.times import NO_TIME
from toolkit.base.values import ABSENT
from toolkit.columns.column import Column, Mask, Positions, last_of_each
from toolkit.columns.snapshot import Snapshot
from toolkit.updates.messages import USERS, Message
from toolkit.updates.state import Change

#: What a batch leads to, a table each: by group key.
Changes: TypeAlias = Mapping[str, Change]


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of the log.

    Attributes
    ----------
    id
        1, 2, 3 … in the order of arrival.
    time
        Arrival, in microseconds since 1970 UTC.
    source
        Where it came from, in words.
    messages
        How many updates it holds.
    created, updated, deleted, unchanged, rejected
        What was made of them: how many created, changed or deleted a profile, had
        no effect, or were rejected (and so are not in the log).
    """

    id: int
    time: int
    source: str
    messages: int
    created: int
    updated: int
    deleted: int
    unchanged: int
    rejected: int
    #: The batch that this one undoes.
    undoes: int | None = None


@dataclass(frozen=True, slots=True)
class LoggedColumns:
    """A ``$set`` of whole columns: the form of a bulk import in the log.

    A row is a profile, an absent cell is a property that the update does not name. With
    ``times`` a row is an update: an ID may stand in several, and the rows stand in the
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

    A row is a message, each ID stands in one. It is a ``$delete``; or a ``$set`` of the
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


@dataclass(frozen=True, slots=True)
class Compaction:
    """Up to where a log has been compacted.

    Attributes
    ----------
    time
        The past is known from this moment on, in microseconds since 1970 UTC.
    batch
        The last batch that was compacted.
    through
        The last batch there was then: of the batches up to it, all that happened by
        *time* is part of the base.
    """

    time: int
    batch: int
    through: int


@dataclass(frozen=True, slots=True)
class Base:
    """The profiles of one table that a compacted log starts from.

    Attributes
    ----------
    arrived
        As the batches up to ``Compaction.batch`` left them.
    happened
        As of ``Compaction.time``, in effective time.
    """

    arrived: Snapshot
    happened: Snapshot


#: Updates in whole columns.
Columnar: TypeAlias = LoggedColumns | LoggedEdits
#: Updates of one form: those of a batch, or a part of them.
Updates: TypeAlias = list[tuple[int, Message]] | Columnar


def after(updates: Updates, batch: Batch, time: int) -> Updates:
    """Return those updates of a batch that happened after a time, in effective time."""
    if isinstance(updates, LoggedColumns) and updates.times is not None:
        later = np.flatnonzero(updates.times > time)
        return updates.rows(later) if len(later) else []
    if isinstance(updates, Columnar):
        return updates if updates.happened(batch.time) > time else []
    return [
        (position, message)
        for position, message in updates
        if (batch.time if message.time is None else message.time) > time
    ]


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


def _keys_of(updates: Updates) -> set[str]:
    if isinstance(updates, Columnar):
        return {updates.group_key}
    return {message.group_key for _, message in updates}


#: Up to so many rows of whole columns are logged as messages: people can read them, other
#: handles follow them profile by profile, and the history of a profile need not unpack them.
_AS_MESSAGES_AT_MOST: Final = 1_000


def logged(given: LoggedColumns, arrival: int) -> Updates:
    """Return whole columns in the form in which they are logged."""
    return given if len(given.ids) > _AS_MESSAGES_AT_MOST else given.logged_messages(arrival)


EMPTY_BASE: Final = Base(Snapshot.empty(), Snapshot.empty())


class Log(Protocol):
    """Where batches are kept."""

    def last(self) -> int:
        """Return the ID of the last batch, 0 if there is none."""

    def last_time(self) -> int | None:
        """Return when the last batch arrived, in microseconds; None if there is none."""

    def append(self, batch: Batch, parts: Sequence[Updates], changes: Changes) -> None:
        """Add a batch, whose updates may be of several forms, and what it leads to.

        Both or neither.
        """

    def batches(self) -> list[Batch]:
        """Return all batches, oldest first."""

    def updates(self, batch_id: int) -> Iterator[Updates]:
        """Yield the updates of a batch, in parts of moderate size."""

    def updates_of(self, group_key: str, distinct_id: str) -> Iterator[tuple[int, Updates]]:
        """Yield the updates of one profile, each with its batch, oldest first."""

    def keys(self, batch_id: int | None = None) -> set[str]:
        """Return the group keys that updates are for: of a batch, or of all."""

    def compaction(self) -> Compaction | None:
        """Return up to where the log has been compacted, None if it never was."""

    def base(self, group_key: str) -> Base:
        """Return the profiles that the compacted log starts from."""

    def compact(self, compaction: Compaction, bases: Mapping[str, Base]) -> None:
        """Start from *bases*, a table each, and forget the updates that are part of them.

        Updates of a time after ``compaction.time`` stay, whatever their batch: the past
        needs them.
        """


class _Entries(NamedTuple):
    """What a log in memory holds; batches by their ID, oldest first."""

    batches: dict[int, tuple[Batch, Sequence[Updates], Changes]]
    compaction: Compaction | None
    bases: Mapping[str, Base]


class MemoryLog:
    """The log of a table in memory."""

    def __init__(self) -> None:
        self._kept = _Entries({}, None, {})

    def last(self) -> int:
        """Return the ID of the last batch, 0 if there is none."""
        return next(reversed(self._kept.batches), 0)

    def last_time(self) -> int | None:
        """Return when the last batch arrived, in microseconds; None if there is none."""
        last = self.last()
        return self._kept.batches[last][0].time if last else None

    def append(self, batch: Batch, parts: Sequence[Updates], changes: Changes) -> None:
        """Add a batch and what it leads to."""
        self._kept.batches[batch.id] = (batch, parts, changes)

    def batches(self) -> list[Batch]:
        """Return the batches that are kept, oldest first."""
        return [batch for batch, _, _ in self._kept.batches.values()]

    def updates(self, batch_id: int) -> Iterator[Updates]:
        """Yield the updates of a batch."""
        yield from self._kept.batches[batch_id][1]

    def keys(self, batch_id: int | None = None) -> set[str]:
        """Return the group keys that updates are for: of a batch, or of all."""
        batches: Iterable[int] = self._kept.batches if batch_id is None else [batch_id]
        return {
            key
            for each in batches
            for part in self._kept.batches[each][1]
            for key in _keys_of(part)
        }

    def compaction(self) -> Compaction | None:
        """Return up to where the log has been compacted, None if it never was."""
        return self._kept.compaction

    def base(self, group_key: str) -> Base:
        """Return the profiles that the compacted log starts from."""
        return self._kept.bases.get(group_key, EMPTY_BASE)

    def compact(self, compaction: Compaction, bases: Mapping[str, Base]) -> None:
        """Start from *bases*, and forget the updates that are part of them."""
        kept: dict[int, tuple[Batch, Sequence[Updates], Changes]] = {}
        for batch, parts, changes in self._kept.batches.values():
            if batch.id <= compaction.batch:
                later = (after(part, batch, compaction.time) for part in parts)
                parts = [part for part in later if not isinstance(part, list) or part]
            if batch.id >= compaction.batch or parts:
                kept[batch.id] = (batch, parts, changes)
        # In one step, so that an interrupt finds the log as it was or as it will be.
        self._kept = _Entries(kept, compaction, bases)

    def updates_of(self, group_key: str, distinct_id: str) -> Iterator[tuple[int, Updates]]:
        """Yield the updates of one profile, each with its batch, oldest first."""
        for batch, parts, _ in self._kept.batches.values():
            for part in parts:
                found = of_profile(part, group_key, distinct_id)
                if found is not None:
                    yield batch.id, found

    def changes(self, batch_id: int) -> Changes:
        """Return what a batch led to, as long as nobody has called :meth:`settled`."""
        return self._kept.batches[batch_id][2]

    def settled(self, batch_id: int) -> None:
        """Let go of what a batch led to: it is part of the state now."""
        batch, parts, _ = self._kept.batches[batch_id]
        self._kept.batches[batch_id] = (batch, parts, {})
