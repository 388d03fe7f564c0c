"""The engine of a table: a log, the states it leads to, and moments to read and write them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import sqlite_utils

from toolkit.base import ReadOnlyError, StoreError
from toolkit.columns import Snapshot
from toolkit.store.file import Store
from toolkit.store.log import Log, MemoryLog
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
        self.states = States(self.log, store)
        self._lock = threading.RLock()
        # Each thread notes here in which moment it is.
        self._here = threading.local()
        #: What forms keep next to the profiles.
        self.notes = Notes(store)
        #: For profiles of the past: of when they are, in words.
        self.past_moment: str | None = None

    @classmethod
    def of_the_past(cls, snapshots: Mapping[str, Snapshot], moment: str) -> Engine:
        """Return an engine of profiles as they were, which refuses to be written to."""
        engine = cls()
        for key, snapshot in snapshots.items():
            engine.states[key] = State.of(snapshot)
        engine.past_moment = moment
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
        if write and self.past_moment is not None:
            raise ReadOnlyError(
                f"these are the profiles {self.past_moment}; the past cannot be changed. "
                "Change the table itself."
            )
        if self._here.moment is not None:
            return nullcontext(self._here.moment)
        return Moment(self.log, self.store, self.states, self._here, write=write)

    def close(self) -> None:
        """Close the file, once no thread is using it."""
        with self._lock:
            if self.store is not None:
                self.store.close()

    def group_keys(self) -> list[str]:
        """Return the group keys that have a table."""
        with self.lock, self.reading():
            return self.states.group_keys()

    def database(self) -> sqlite_utils.Database:
        """Return the file for questions in SQL, which cannot write."""
        if self.past_moment is not None or self.store is None:
            whose = self.past_moment or "in memory"
            raise StoreError(
                f"these profiles are {whose}, and SQL needs the file of a table as it is now. "
                'profiles.backup("shop.db") of the table itself writes one; then '
                'query tk.ProfileTable("shop.db").database'
            )
        with self.lock, self.reading():
            return self.store.questions()
