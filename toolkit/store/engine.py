"""The engine of a table: a log, the states it leads to, and the way from one to the other.

Every change takes the same road. It is worked out in full without touching any
state; then the log takes it, in one step that either happens or does not; then
the states catch up with the log. A table interrupted anywhere on the way is as
it was before, or catches up when it is next used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from os import PathLike
from pathlib import Path
from threading import RLock
from types import FrameType
from typing import Final, TypeAlias, TypeVar

from toolkit.base import Progress, ReadOnlyError, StoreError, as_json, times
from toolkit.columns import Snapshot
from toolkit.store.backup import BackupReport, write_backup
from toolkit.store.check import CheckReport, check_store
from toolkit.store.compaction import CompactReport, compacted_bases, compaction_for, kept_batches
from toolkit.store.erasing import deleted_ids, erased, named_ids
from toolkit.store.file import Store
from toolkit.store.log import Batch, Changes, Compaction, Log, MemoryLog
from toolkit.store.notes import Notes
from toolkit.store.rows import Edited, StoredProfiles, edited_since
from toolkit.updates import USERS, Change, State, Updates

T = TypeVar("T")
#: Microseconds: a clock further back than a day was put right, and is believed (PAST-5).
_CLOCK_IS_BACK: Final = 86_400_000_000
#: The batches of a log, up to where it was compacted, and to where it is to be.
_Compacting: TypeAlias = tuple[list[Batch], Compaction | None, Compaction | None]


class Engine:
    """The log and the states of one file, or of one table in memory."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store
        self.log: Log = MemoryLog() if store is None else store
        self._states: dict[str, State] = {}
        # The batch up to which the states have caught up.
        self._version = self.log.last()
        self._lock = RLock()
        #: What forms keep beside the profiles.
        self.notes = Notes(store)
        self._moment_told: str | None = None
        # The code that is in a moment of its own.
        self._moment: FrameType | None = None
        # When the batch of that moment arrives.
        self._arrival: int | None = None
        # What was logged but is not yet part of the states.
        self._pending: tuple[int, Changes] | None = None

    @classmethod
    def of_the_past(cls, snapshots: Mapping[str, Snapshot], moment: str) -> Engine:
        """Return an engine of profiles as they were, which refuses to be written to."""
        engine = cls()
        engine._states = {key: State.of(snapshot) for key, snapshot in snapshots.items()}
        engine._moment_told = moment
        return engine

    @property
    def moment_told(self) -> str | None:
        """For profiles of the past: of when they are, in words."""
        return self._moment_told

    def close(self) -> None:
        """Close the file, once no thread is using it."""
        with self._lock:
            if self.store is not None:
                self.store.close()

    def group_keys(self) -> list[str]:
        """Return the group keys that have a table."""
        return self._at_one_moment(self._group_keys, write=False)

    def _group_keys(self) -> list[str]:
        if self.store is not None:
            return self.store.group_keys()
        return sorted(
            key for key, state in self._states.items() if key != USERS and state.was_written
        )

    def _all_keys(self) -> list[str]:
        """Return the keys of all tables, those too that hold nothing any more."""
        return sorted({USERS, *self._group_keys(), *self.log.keys()})

    def read(self, group_key: str, ask: Callable[[State], T]) -> T:
        """Return the answer of the latest state, of one moment."""
        return self._at_one_moment(lambda: ask(self._state(group_key)), write=False)

    def write(self, work: Callable[[Callable[[str], State]], T]) -> T:
        """Return what *work* returns, which gets the latest states and may :meth:`commit`.

        No other writer comes in between. What a call of a group key returns is its state.
        """
        if self._moment_told is not None:
            raise ReadOnlyError(
                f"these are the profiles {self._moment_told}; the past cannot be changed. "
                "Change the table itself."
            )
        return self._at_one_moment(lambda: work(self._state), write=True)

    def check(self, *, repair: bool) -> CheckReport:
        """Return whether the file's state follows from its log; with *repair* make it so."""
        store = self.store
        if store is None:
            raise StoreError("these profiles are in memory; only a file can be checked")
        report = self._at_one_moment(lambda: check_store(store, repair=repair), write=repair)
        if repair:
            for state in self._states.values():
                state.forget()
        return report

    def compact(self, keep: object, *, dry_run: bool) -> CompactReport:
        """Let the first batches of the log give way to the profiles they led to."""
        store = None if dry_run else self.store
        size = None if store is None else store.size()

        told: list[str] = []

        def work(_: Callable[[str], State]) -> _Compacting:
            log = self.log
            batches, done = kept_batches(log), log.compaction()
            to = compaction_for(log, keep, times.now())
            if to is not None and not dry_run:
                kept = self.notes.kinds()
                deleted = deleted_ids(log, to) if kept else set()
                log.compact(to, compacted_bases(log, self._all_keys(), to))
                gone = self._gone(deleted) if deleted else deleted
                told[:] = [note for kind in kept for note in self._erase(kind, gone)]
            return batches, done, to

        if dry_run and self._moment_told is None:
            batches, done, to = self._at_one_moment(lambda: work(self._state), write=False)
        else:
            batches, done, to = self.write(work)
        report = replace(CompactReport.of(batches, done, to, dry_run=dry_run), notes=tuple(told))
        if store is None:
            return report
        # Where the log was compacted, but the file could not be shrunk then, it is now.
        if to is None and (done is None or not store.can_shrink()):
            return report
        notes = store.shrink()
        notes = (*report.notes, *notes)
        return replace(report, bytes_before=size, bytes_after=store.size(), notes=notes)

    def _erase(self, kind: str, gone: set[str]) -> list[str]:
        """Take who is gone out of what is remembered, inside a moment; return notes."""
        changes, notes = erased(kind, self.notes.read(kind), gone)
        if changes:
            self.notes.replace(kind, changes)
        return notes

    def _gone(self, ids: set[str]) -> set[str]:
        """Return those of some IDs that neither the profiles nor the log know any more."""
        left = ids - named_ids(self.log)
        for key in self._all_keys() if left else ():
            left -= self._state(key).rows(left).keys()
            left -= set(self.log.base(key).happened)
        return left

    def backup(
        self, path: str | PathLike[str], *, overwrite: bool, progress: Progress
    ) -> BackupReport:
        """Write a file that holds what this one does, or this table in memory."""
        if self._moment_told is not None:
            raise ReadOnlyError(
                f"these are the profiles {self._moment_told}, without a past of their own; the "
                "table itself can be backed up. tk.write_messages(profiles, path) writes these."
            )
        source = None if self.store is None else self.store.path
        return write_backup(
            path,
            lambda target: self._at_one_moment(
                lambda: self._copy_to(target, progress), write=False
            ),
            source,
            overwrite,
        )

    def _copy_to(self, target: Path, progress: Progress) -> None:
        if self.store is not None:
            self.store.copy_to(target, progress)
            return
        copy = Store(target)
        try:
            snapshots = {key: self._state(key).snapshot() for key in self._all_keys()}
            copy.fill(self.log, snapshots, self.notes, progress)
        finally:
            copy.close()

    def arrival(self) -> int:
        """Return the time at which a batch that is being written arrives.

        That is what the clock says, unless a batch before it arrived later: order of
        arrival and times of arrival go together, though clocks are put back a little.
        """
        if self._arrival is None:  # a moment is that of one batch
            now, last = times.now(), self.log.last_time()
            is_back = last is not None and now < last <= now + _CLOCK_IS_BACK
            self._arrival = last if is_back else now
        return self._arrival  # type: ignore[return-value]

    def commit(
        self,
        source: str,
        counts: dict[str, int],
        parts: Sequence[Updates],
        changes: Changes,
        time: int,
        undoes: int | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Log a batch and what it leads to; return its ID. Only while writing.

        What *progress* raises leaves everything as it was.
        """
        self._refuse_second_batch()
        as_json(source)
        batch = Batch(self.log.last() + 1, time, source, undoes=undoes, **counts)
        rows = sum(change.writes for change in changes.values())
        with self.watched("Writing", rows, progress):
            self.log.append(batch, parts, changes)
        if progress is not None and self.store is not None and rows:
            # One statement may have written many: the last it told of were fewer.
            progress("Writing", rows, rows)
        self._refuse_second_batch()
        self._pending = (batch.id, changes)
        return batch.id

    def _refuse_second_batch(self) -> None:
        # Each batch was worked out from states that know nothing of the other.
        if self._pending is not None:
            raise StoreError(
                "the profiles were written to while a batch was being written, by what progress "
                "or a signal calls. Write before or after."
            )

    def watched(
        self, stage: str, rows: int, progress: Progress | None
    ) -> AbstractContextManager[None]:
        """Tell *progress* how many rows the file has taken, while it is read or written inside.

        What *progress* raises stops that.
        """
        if progress is None or self.store is None:
            return nullcontext()
        # A few rows more are written, of the log and of the checkpoint.
        return self.store.watched(lambda done: progress(stage, min(done, rows), rows))

    def _at_one_moment(self, work: Callable[[], T], *, write: bool) -> T:
        """Return what *work* returns; all it writes is kept, or nothing.

        All it reads is of one moment. Inside another one it is part of that. An interrupt
        may arrive at any line, those that tidy up after an interrupt included. What it
        leaves behind must not matter: whether a moment is on is not what a counter says,
        but whether the code that began it still runs.
        """
        with self._lock:
            if self._is_within(sys._getframe().f_back):
                return work()
            result = self._own_moment(work, write)
            # Committed. Were this interrupted, the next use would catch up.
            self._install_pending()
            return result

    def _own_moment(self, work: Callable[[], T], write: bool) -> T:
        self._pending = self._arrival = None
        self._moment = sys._getframe()
        try:
            if self.store is None:
                self._catch_up()
                return work()
            with self.store.transaction(write=write):
                self._catch_up()
                return work()
        finally:
            self._moment = None

    def _is_within(self, frame: FrameType | None) -> bool:
        """Whether this is called from inside a moment."""
        while frame is not None:
            if frame is self._moment:
                return True
            frame = frame.f_back
        return False

    def _state(self, group_key: str) -> State:
        if group_key not in self._states:
            stored = None if self.store is None else StoredProfiles(self.store, group_key)
            self._states[group_key] = State(stored)
        return self._states[group_key]

    def _install_pending(self) -> None:
        if self._pending is not None:
            self._install(*self._pending)
            self._pending = None

    def _install(self, version: int, changes: Changes) -> None:
        for group_key, change in changes.items():
            self._state(group_key).install(change)
        if isinstance(self.log, MemoryLog):
            self.log.settled(version)
        self._version = version

    def _catch_up(self) -> None:
        """Bring the states up to the log's last batch, whoever wrote it."""
        last = self.log.last()
        if last == self._version:
            return
        if isinstance(self.log, MemoryLog):
            while self._version < last:
                self._install(self._version + 1, self.log.changes(self._version + 1))
            return
        assert self.store is not None
        # A log that went back is another one: an older file was put in the place of this.
        edited = None if last < self._version else edited_since(self.store, self._version)
        for group_key, state in self._states.items():
            if edited is None:
                state.forget()
            elif state.is_loaded and group_key in edited:
                state.install(self._read_again(group_key, edited[group_key]))
        self._version = last

    def _read_again(self, group_key: str, edited: Edited) -> Change:
        state = self._states[group_key]
        stored = StoredProfiles(self.store, group_key)  # type: ignore[arg-type]
        known = state.rows(edited)
        rows = stored.edits(edited, known)
        # A row that was fresh before is so still.
        for key, row in rows.items():
            if row is not None and key in known and known[key].fresh:
                rows[key] = row._replace(fresh=True)
        born = frozenset(
            key
            for key, row in rows.items()
            if row is not None and (edited[key] or key not in known)
        )
        return Change(tuple(stored.names()), rows, born=born)
