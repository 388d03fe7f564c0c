"""The log: every accepted update, in the order it arrived.

The log is the truth and the state follows from it: applying its batches in
order to an empty table gives the table. A batch is logged as its messages, or,
when it writes whole columns, as those columns.

A log can be compacted: its first batches give way to the profiles they led to,
from which everything later follows as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.columns import Column, Positions, last_of_each
from toolkit.messages import USERS, Message
from toolkit.snapshot import Snapshot
from toolkit.state import Change
from toolkit.values import ABSENT

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
        """Return what the rows lead to: one row a profile, with its latest cells."""
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

    def happened(self, arrival: int) -> int:
        """Return the effective time, in microseconds: its own, else that of arrival."""
        return arrival if self.time is None else self.time

    def of_profile(self, group_key: str, distinct_id: str) -> LoggedColumns | None:
        """Return the rows of one profile, None if it has none."""
        if group_key != self.group_key:
            return None
        own = pc.equal(self.ids, pa.scalar(distinct_id, pa.large_string()))
        positions = np.flatnonzero(own.to_numpy(zero_copy_only=False))
        return self.rows(positions) if len(positions) else None


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


#: The updates of one batch.
Updates: TypeAlias = list[tuple[int, Message]] | LoggedColumns


def after(updates: Updates, batch: Batch, time: int) -> Updates:
    """Return those updates of a batch that happened after a time, in effective time."""
    if isinstance(updates, LoggedColumns) and updates.times is not None:
        later = np.flatnonzero(updates.times > time)
        return updates.rows(later) if len(later) else []
    if isinstance(updates, LoggedColumns):
        return updates if updates.happened(batch.time) > time else []
    return [
        (position, message)
        for position, message in updates
        if (batch.time if message.time is None else message.time) > time
    ]


EMPTY_BASE: Final = Base(Snapshot.empty(), Snapshot.empty())


class Log(Protocol):
    """Where batches are kept."""

    def last(self) -> int:
        """Return the ID of the last batch, 0 if there is none."""

    def last_time(self) -> int | None:
        """Return when the last batch arrived, in microseconds; None if there is none."""

    def append(self, batch: Batch, updates: Updates, changes: Changes) -> None:
        """Add a batch and what it leads to: both or neither."""

    def batches(self) -> list[Batch]:
        """Return all batches, oldest first."""

    def updates(self, batch_id: int) -> Iterator[Updates]:
        """Yield the updates of a batch, in parts of moderate size."""

    def updates_of(self, group_key: str, distinct_id: str) -> Iterator[tuple[int, Updates]]:
        """Yield the updates of one profile, each with its batch, oldest first."""

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

    batches: dict[int, tuple[Batch, Updates, Changes]]
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

    def append(self, batch: Batch, updates: Updates, changes: Changes) -> None:
        """Add a batch and what it leads to."""
        self._kept.batches[batch.id] = (batch, updates, changes)

    def batches(self) -> list[Batch]:
        """Return the batches that are kept, oldest first."""
        return [batch for batch, _, _ in self._kept.batches.values()]

    def updates(self, batch_id: int) -> Iterator[Updates]:
        """Yield the updates of a batch."""
        yield self._kept.batches[batch_id][1]

    def compaction(self) -> Compaction | None:
        """Return up to where the log has been compacted, None if it never was."""
        return self._kept.compaction

    def base(self, group_key: str) -> Base:
        """Return the profiles that the compacted log starts from."""
        return self._kept.bases.get(group_key, EMPTY_BASE)

    def compact(self, compaction: Compaction, bases: Mapping[str, Base]) -> None:
        """Start from *bases*, and forget the updates that are part of them."""
        kept: dict[int, tuple[Batch, Updates, Changes]] = {}
        for batch, updates, changes in self._kept.batches.values():
            if batch.id <= compaction.batch:
                updates = after(updates, batch, compaction.time)
            if batch.id >= compaction.batch or updates:
                kept[batch.id] = (batch, updates, changes)
        # In one step, so that an interrupt finds the log as it was or as it will be.
        self._kept = _Entries(kept, compaction, bases)

    def updates_of(self, group_key: str, distinct_id: str) -> Iterator[tuple[int, Updates]]:
        """Yield the updates of one profile, each with its batch, oldest first."""
        for batch, updates, _ in self._kept.batches.values():
            if isinstance(updates, LoggedColumns):
                found = updates.of_profile(group_key, distinct_id)
                if found is not None:
                    yield batch.id, found
                continue
            messages = [
                (position, message)
                for position, message in updates
                if message.distinct_id == distinct_id and message.group_key == group_key
            ]
            if messages:
                yield batch.id, messages

    def changes(self, batch_id: int) -> Changes:
        """Return what a batch led to, as long as nobody has called :meth:`settled`."""
        return self._kept.batches[batch_id][2]

    def settled(self, batch_id: int) -> None:
        """Let go of what a batch led to: it is part of the state now."""
        batch, updates, _ = self._kept.batches[batch_id]
        self._kept.batches[batch_id] = (batch, updates, {})
