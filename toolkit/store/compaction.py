"""Compacting a log: its first batches give way to the profiles they led to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from toolkit.base import (
    ArgumentError,
    InvalidTimeError,
    argument,
    count,
    durations,
    glimpse,
    html,
    times,
)
from toolkit.store.engine import Engine
from toolkit.store.erasing import deleted_ids, erased, named_ids
from toolkit.store.history import snapshot_as_of, state_after
from toolkit.store.log import Base, Batch, Compaction, Log

# A number of batches that nobody has, but a date or a time written as a number is (TIME-1).
_MANY = 10_000_000
_ALLOWED = 'a duration such as "90d", a moment such as "2026-05-01", or a number of batches is'


@dataclass(frozen=True)
class CompactReport:
    """What compacting did, or would do.

    Attributes
    ----------
    since
        From when on the past is known; None if it is known from the start.
    batches, updates
        How many batches gave way to the profiles they led to, and how many updates
        those held.
    kept
        How many batches are kept as they arrived.
    dry_run
        Whether nothing was changed.
    bytes_before, bytes_after
        The size of the file, as it is when what its ``-wal`` holds is written back; None for a
        table in memory and a dry run.
    notes
        What else there is to know, as sentences.
    """

    since: pd.Timestamp | None
    batches: int
    updates: int
    kept: int
    dry_run: bool = False
    bytes_before: int | None = None
    bytes_after: int | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, kept: list[Batch], done: Compaction | None, to: Compaction | None, *, dry_run: bool
    ) -> CompactReport:
        """Return the report of a log that kept some batches and goes *to* a compaction."""
        gone = [] if to is None else [batch for batch in kept if batch.id <= to.batch]
        compaction = done if to is None else to
        return cls(
            None if compaction is None else times.timestamp(compaction.time),
            len(gone),
            sum(batch.outcome.applied for batch in gone),
            len(kept) - len(gone),
            dry_run,
        )

    def __repr__(self) -> str:
        return "\n".join(
            [f"<CompactReport: {self._summary}>", *(f"  {note}" for note in self.notes)]
        )

    @property
    def _summary(self) -> str:
        if not self.batches:
            return f"nothing to compact; {count(self.kept, 'batch')} kept"
        deed = "would be compacted" if self.dry_run else "compacted"
        parts = [
            f"{count(self.batches, 'batch')} of {count(self.updates, 'update')} {deed}",
            f"{self.kept:,} kept",
        ]
        if self.since is not None:
            parts.append(f"the past is known from {self.since.isoformat()}")
        if self.bytes_before is not None and self.bytes_after is not None:
            before, now = self.bytes_before / 1e6, self.bytes_after / 1e6
            parts.append(f"{before:,.1f} MB before, {now:,.1f} MB now")
        return "; ".join(parts)

    def _repr_html_(self) -> str:
        return html.card(f"Compacting: {self._summary}", html.notes(self.notes))


def compact(engine: Engine, keep: object, *, dry_run: bool) -> CompactReport:
    """Let the first batches of the log give way to the profiles they led to.

    Parameters
    ----------
    engine
        Of the table.
    keep
        What stays: a duration before now, a moment, or a number of batches.
    dry_run
        Whether only to say what would be done.
    """
    store, log = None if dry_run else engine.store, engine.log
    size = None if store is None else store.size()
    notes: list[str] = []
    with engine.lock, engine.moment(write=not dry_run or engine.past_moment is not None):
        done = log.compaction()
        start = 0 if done is None else done.batch
        batches = [batch for batch in log.batches() if batch.id > start]
        to = compaction_for(log, keep, times.now())
        if to is not None and not dry_run:
            notes = _compact(engine, to)
    report = CompactReport.of(batches, done, to, dry_run=dry_run)
    # Where the log was compacted, but the file could not be shrunk then, it is now.
    if store is not None and (to is not None or (done is not None and store.can_shrink())):
        notes += store.shrink()
        report = replace(report, bytes_before=size, bytes_after=store.size())
    return replace(report, notes=tuple(notes))


def _compact(engine: Engine, to: Compaction) -> list[str]:
    """Start the log from a compaction, inside a moment; return notes."""
    log, keys = engine.log, engine.states.all_keys()
    kinds = engine.notes.kinds()
    gone = deleted_ids(log, to) if kinds else set()
    bases = {
        key: Base(state_after(log, key, to.batch).snapshot(), snapshot_as_of(log, key, to.time))
        for key in keys
    }
    log.compact(to, bases)
    if gone:  # of them forget only those that neither the log nor the profiles have
        gone -= named_ids(log)
        for key in keys if gone else ():
            gone -= engine.states[key].rows(gone).keys()
            gone -= set(log.base(key).happened)
    notes: list[str] = []
    for kind in kinds:
        changes, said = erased(kind, engine.notes.read(kind), gone)
        if changes:
            engine.notes.replace(kind, changes)
        notes += said
    return notes


def compaction_for(log: Log, keep: object, now: int) -> Compaction | None:
    """Return up to where compacting goes, None if there is nothing to compact.

    Parameters
    ----------
    log
        The log as it is.
    keep
        What stays: a duration before *now*, a moment, or a number of batches.
    now
        Microseconds since 1970 UTC.

    Raises
    ------
    ArgumentError
        If *keep* is none of those, or a moment to come.
    """
    batches, last = log.batches(), log.last()
    if isinstance(keep, int | np.integer) and not isinstance(keep, bool | np.timedelta64):
        if not 0 <= keep < _MANY:
            hint = " would be a number of batches; write a moment as text" if keep > 0 else ""
            raise ArgumentError(f"{argument('keep', keep)}{hint}; {_ALLOWED} allowed")
        until = last - int(keep)
        time = max((batch.time for batch in batches if batch.id <= until), default=0)
    else:
        time = _moment(keep, now)
        if time > now:
            raise ArgumentError(f"{argument('keep', keep)} is yet to come; {_ALLOWED} allowed")
        until = max((batch.id for batch in batches if batch.time <= time), default=0)
    done = log.compaction()
    if until < 1 or (done is not None and until <= done.batch):
        return None
    return Compaction(time if done is None else max(time, done.time), until, last)


def _moment(keep: object, now: int) -> int:
    if (length := durations.length(keep)) is not None:
        return now - length
    if not isinstance(keep, str | date | np.datetime64):
        raise ArgumentError(f"{argument('keep', keep)}; {_ALLOWED} allowed")
    try:
        return times.parse_time(keep)
    except InvalidTimeError as error:
        raise ArgumentError(
            f"{argument('keep', glimpse(keep))} is neither a duration nor a moment; "
            f"{durations.advice(keep)}, "
            'or a moment such as "2026-05-01", or a number of batches'
        ) from error
