"""The log: every accepted update, in the order it arrived.

The log is the truth and the state follows from it: applying its batches in
order to an empty table gives the table. A batch is logged as its messages, or,
when it writes whole columns, as those columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.columns import Column
from toolkit.messages import USERS, Message
from toolkit.state import Change

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

    A row is a profile, an absent cell is a property that the update does not name.
    """

    ids: pa.Array
    columns: Mapping[str, Column]
    #: What Updated At moves to, in microseconds; None if it stays (SEEN-2).
    seen: int | None
    group_key: str = USERS
    #: When it happened, in microseconds; None: when it arrived.
    time: int | None = None

    def of_profile(self, group_key: str, distinct_id: str) -> LoggedColumns | None:
        """Return the row of one profile, None if it has none."""
        if group_key != self.group_key:
            return None
        position = pc.index(self.ids, pa.scalar(distinct_id, pa.large_string())).as_py()
        if position < 0:
            return None
        row = np.array([position], np.int64)
        columns = {name: column.take(row) for name, column in self.columns.items()}
        return replace(self, ids=self.ids.slice(position, 1), columns=columns)


#: The updates of one batch.
Updates: TypeAlias = list[tuple[int, Message]] | LoggedColumns


class Log(Protocol):
    """Where batches are kept."""

    def last(self) -> int:
        """Return the ID of the last batch, 0 if there is none."""

    def append(self, batch: Batch, updates: Updates, changes: Changes) -> None:
        """Add a batch and what it leads to: both or neither."""

    def batches(self) -> list[Batch]:
        """Return all batches, oldest first."""

    def updates(self, batch_id: int) -> Iterator[Updates]:
        """Yield the updates of a batch, in parts of moderate size."""

    def updates_of(self, group_key: str, distinct_id: str) -> Iterator[tuple[int, Updates]]:
        """Yield the updates of one profile, each with its batch, oldest first."""


class MemoryLog:
    """The log of a table in memory."""

    def __init__(self) -> None:
        self._entries: list[tuple[Batch, Updates, Changes]] = []

    def last(self) -> int:
        """Return the ID of the last batch, 0 if there is none."""
        return len(self._entries)

    def append(self, batch: Batch, updates: Updates, changes: Changes) -> None:
        """Add a batch and what it leads to."""
        self._entries.append((batch, updates, changes))

    def batches(self) -> list[Batch]:
        """Return all batches, oldest first."""
        return [batch for batch, _, _ in self._entries]

    def updates(self, batch_id: int) -> Iterator[Updates]:
        """Yield the updates of a batch."""
        yield self._entries[batch_id - 1][1]

    def updates_of(self, group_key: str, distinct_id: str) -> Iterator[tuple[int, Updates]]:
        """Yield the updates of one profile, each with its batch, oldest first."""
        for batch, updates, _ in self._entries:
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
        return self._entries[batch_id - 1][2]

    def settled(self, batch_id: int) -> None:
        """Let go of what a batch led to: it is part of the state now."""
        batch, updates, _ = self._entries[batch_id - 1]
        self._entries[batch_id - 1] = (batch, updates, {})
