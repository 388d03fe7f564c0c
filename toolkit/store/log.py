"""The log: every accepted update, in the order it arrived.

The log is the truth and the state follows from it: applying its batches in
order to an empty table gives the table. A batch is logged as its messages, or,
when it writes whole columns, as those columns: an import as a ``$set``, a large
undo as edits, one part per table it reaches.

A log can be compacted: its first batches give way to the profiles they led to,
from which everything later follows as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypeAlias

import numpy as np

from toolkit.columns import Snapshot
from toolkit.updates import Change, ColumnarUpdates, Outcome, Updates, keys_of, of_profile

#: What a batch leads to in each table, by group key.
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
    outcome
        What became of the updates it holds.
    rejected
        How many were rejected, and so are not in the log.
    undoes
        The batch that this one undoes.
    """

    id: int
    time: int
    source: str
    outcome: Outcome
    rejected: int
    undoes: int | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many updates it holds, and what became of them."""
        effects = self.outcome.effects
        return {"messages": self.outcome.applied, **effects, "rejected": self.rejected}


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


def after(updates: Updates, batch: Batch, time: int) -> Updates:
    """Return those updates of a batch that happened after a time, in effective time."""
    if isinstance(updates, ColumnarUpdates) and updates.times is not None:
        later = np.flatnonzero(updates.times > time)
        return updates.rows(later) if len(later) else []
    if isinstance(updates, ColumnarUpdates):
        return updates if updates.happened(batch.time) > time else []
    return [
        (position, message)
        for position, message in updates
        if (batch.time if message.time is None else message.time) > time
    ]


#: Up to so many rows of whole columns are logged as messages: people can read them, other
#: handles follow them profile by profile, and the history of a profile need not unpack them.
_AS_MESSAGES_AT_MOST: Final = 1_000


def logged(updates: ColumnarUpdates, arrival: int) -> Updates:
    """Return whole columns in the form in which they are logged."""
    if len(updates) > _AS_MESSAGES_AT_MOST:
        return updates
    return list(enumerate(updates.messages(arrival)))


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
            key for each in batches for part in self._kept.batches[each][1] for key in keys_of(part)
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
                own = of_profile(part, group_key, distinct_id)
                if own is not None:
                    yield batch.id, own

    def changes(self, batch_id: int) -> Changes:
        """Return what a batch led to, as long as nobody has called :meth:`settled`."""
        return self._kept.batches[batch_id][2]

    def settled(self, batch_id: int) -> None:
        """Let go of what a batch led to: it is part of the state now."""
        batch, parts, _ = self._kept.batches[batch_id]
        self._kept.batches[batch_id] = (batch, parts, {})
