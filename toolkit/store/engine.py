"""The engine of a table: a log, the states it leads to, and moments to read and write them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from os import PathLike
from pathlib import Path

import sqlite_utils

from toolkit.base import Progress, ReadOnlyError, StoreError, times
from toolkit.columns import Snapshot
from toolkit.store.backup import BackupReport, write_backup
from toolkit.store.check import CheckReport, check_store
from toolkit.store.compaction import CompactReport, compacted_bases, compaction_for, kept_batches
from toolkit.store.erasing import deleted_ids, erased, named_ids
from toolkit.store.file import Store
from toolkit.store.log import Compaction, Log, MemoryLog
from toolkit.store.notes import Notes
from toolkit.store.states import States
from toolkit.store.writer import Moment
from toolkit.updates import State


class Engine:
    """The log and the states of one file, or of one table in memory.

    They are read and written in moments::

        with engine.lock, engine.writing() as batch:
            batch.write(batch.plan([messages]), "a source")

    Inside a moment another one is part of it.
    """

    def __init__(self, store: Store | None = None) -> None:
        self.store = store
        self.log: Log = MemoryLog() if store is None else store
        self._states = States(self.log, store)
        self._lock = threading.RLock()
        # Each thread notes here in which moment it is.
        self._here = threading.local()
        #: What forms keep beside the profiles.
        self.notes = Notes(store)
        #: For profiles of the past: of when they are, in words.
        self.moment_told: str | None = None

    @classmethod
    def of_the_past(cls, snapshots: Mapping[str, Snapshot], moment: str) -> Engine:
        """Return an engine of profiles as they were, which refuses to be written to."""
        engine = cls()
        for key, snapshot in snapshots.items():
            engine._states[key] = State.of(snapshot)
        engine.moment_told = moment
        return engine

    @property
    def lock(self) -> AbstractContextManager[bool]:
        """What a thread holds during a moment, so that others wait for its end.

        It is not part of the moment because nothing written in Python can be sure to
        give it back: an interrupt may arrive at any line. The lock is written in C.
        """
        if not self._lock._is_owned():  # type: ignore[attr-defined]
            # Whatever an interrupted moment of this thread left noted, it is over.
            self._here.moment = None
        return self._lock

    def reading(self) -> AbstractContextManager[Moment]:
        """Return a moment to read, for whoever holds the lock."""
        return self.moment(write=False)

    def writing(self) -> AbstractContextManager[Moment]:
        """Return a moment to write one batch, for whoever holds the lock.

        No other writer comes in between.
        """
        return self.moment(write=True)

    def moment(self, *, write: bool) -> AbstractContextManager[Moment]:
        """Return the moment that the thread is in, else a new one."""
        if write and self.moment_told is not None:
            raise ReadOnlyError(
                f"these are the profiles {self.moment_told}; the past cannot be changed. "
                "Change the table itself."
            )
        if self._here.moment is not None:
            return nullcontext(self._here.moment)
        return Moment(self.log, self.store, self._states, self._here, write=write)

    def close(self) -> None:
        """Close the file, once no thread is using it."""
        with self._lock:
            if self.store is not None:
                self.store.close()

    def group_keys(self) -> list[str]:
        """Return the group keys that have a table."""
        with self.lock, self.reading():
            return self._states.group_keys()

    def database(self) -> sqlite_utils.Database:
        """Return the file for questions in SQL, which cannot write."""
        if self.moment_told is not None or self.store is None:
            whose = self.moment_told or "in memory"
            raise StoreError(
                f"these profiles are {whose}, and SQL asks a file of the latest ones. "
                'profiles.backup("shop.db") of the table itself writes one; then '
                'tk.ProfileTable("shop.db").database asks it'
            )
        with self.lock, self.reading():
            return self.store.questions()

    def check(self, *, repair: bool) -> CheckReport:
        """Return whether the file's state follows from its log; with *repair* make it so."""
        store = self.store
        if store is None:
            raise StoreError("these profiles are in memory; only a file can be checked")
        with self.lock, self.moment(write=repair):
            report = check_store(store, repair=repair)
        if repair:
            self._states.forget()
        return report

    def compact(self, keep: object, *, dry_run: bool) -> CompactReport:
        """Let the first batches of the log give way to the profiles they led to."""
        store = None if dry_run else self.store
        size = None if store is None else store.size()

        told: list[str] = []
        with self.lock, self.moment(write=not dry_run or self.moment_told is not None):
            batches, done = kept_batches(self.log), self.log.compaction()
            to = compaction_for(self.log, keep, times.now())
            if to is not None and not dry_run:
                told = self._compact(to)
        report = replace(CompactReport.of(batches, done, to, dry_run=dry_run), notes=tuple(told))
        if store is None:
            return report
        # Where the log was compacted, but the file could not be shrunk then, it is now.
        if to is None and (done is None or not store.can_shrink()):
            return report
        notes = store.shrink()
        notes = (*report.notes, *notes)
        return replace(report, bytes_before=size, bytes_after=store.size(), notes=notes)

    def _compact(self, to: Compaction) -> list[str]:
        """Start the log from a compaction, inside a moment; return notes."""
        kept = self.notes.kinds()
        deleted = deleted_ids(self.log, to) if kept else set()
        self.log.compact(to, compacted_bases(self.log, self._states.all_keys(), to))
        gone = self._gone(deleted) if deleted else deleted
        return [note for kind in kept for note in self._erase(kind, gone)]

    def _erase(self, kind: str, gone: set[str]) -> list[str]:
        """Take who is gone out of what is remembered, inside a moment; return notes."""
        changes, notes = erased(kind, self.notes.read(kind), gone)
        if changes:
            self.notes.replace(kind, changes)
        return notes

    def _gone(self, ids: set[str]) -> set[str]:
        """Return those of some IDs that neither the profiles nor the log know any more."""
        left = ids - named_ids(self.log)
        for key in self._states.all_keys() if left else ():
            left -= self._states[key].rows(left).keys()
            left -= set(self.log.base(key).happened)
        return left

    def backup(
        self, path: str | PathLike[str], *, overwrite: bool, progress: Progress
    ) -> BackupReport:
        """Write a file that holds what this one does, or this table in memory."""
        if self.moment_told is not None:
            raise ReadOnlyError(
                f"these are the profiles {self.moment_told}, without a past of their own; the "
                "table itself can be backed up. tk.write_messages(profiles, path) writes these."
            )
        source = None if self.store is None else self.store.path
        return write_backup(path, lambda target: self._copy_to(target, progress), source, overwrite)

    def _copy_to(self, target: Path, progress: Progress) -> None:
        with self.lock, self.reading():
            if self.store is not None:
                self.store.copy_to(target, progress)
                return
            copy = Store(target)
            try:
                keys = self._states.all_keys()
                snapshots = {key: self._states[key].snapshot() for key in keys}
                copy.fill(self.log, snapshots, self.notes, progress)
            finally:
                copy.close()
