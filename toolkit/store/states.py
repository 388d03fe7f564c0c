"""The states that a log leads to, a table each, and how far they have followed it."""

from __future__ import annotations

from toolkit.store.file import Store
from toolkit.store.log import Changes, Log, MemoryLog
from toolkit.store.rows import Edited, StoredProfiles, edited_since
from toolkit.updates import USERS, Change, State


class States:
    """The latest states of a log, by group key."""

    def __init__(self, log: Log, store: Store | None) -> None:
        self._log = log
        self._store = store
        self._states: dict[str, State] = {}
        # The batch up to which they have caught up.
        self._version = log.last()

    def __getitem__(self, group_key: str) -> State:
        """Return the state of a table, which is made if there was none."""
        if group_key not in self._states:
            stored = None if self._store is None else StoredProfiles(self._store, group_key)
            self._states[group_key] = State(stored)
        return self._states[group_key]

    def __setitem__(self, group_key: str, state: State) -> None:
        self._states[group_key] = state

    def group_keys(self) -> list[str]:
        """Return the group keys that have a table."""
        if self._store is not None:
            return self._store.group_keys()
        return sorted(
            key for key, state in self._states.items() if key != USERS and state.was_written
        )

    def all_keys(self) -> list[str]:
        """Return the keys of all tables, those too that hold nothing any more."""
        return sorted({USERS, *self.group_keys(), *self._log.keys()})

    def forget(self) -> None:
        """Read everything from the file again when next asked."""
        for state in self._states.values():
            state.forget()

    def install(self, version: int, changes: Changes) -> None:
        """Make what a batch leads to part of the states; doing it twice is doing it once."""
        for group_key, change in changes.items():
            self[group_key].install(change)
        if isinstance(self._log, MemoryLog):
            self._log.settled(version)
        self._version = version

    def catch_up(self) -> None:
        """Bring the states up to the log's last batch, whoever wrote it."""
        last = self._log.last()
        if last == self._version:
            return
        if isinstance(self._log, MemoryLog):
            while self._version < last:
                self.install(self._version + 1, self._log.changes(self._version + 1))
            return
        assert self._store is not None
        # A log that went back is another one: an older file was put in the place of this.
        edited = None if last < self._version else edited_since(self._store, self._version)
        for group_key, state in self._states.items():
            if edited is None:
                state.forget()
            elif state.is_loaded and group_key in edited:
                state.install(self._read_again(group_key, edited[group_key]))
        self._version = last

    def _read_again(self, group_key: str, edited: Edited) -> Change:
        state = self._states[group_key]
        stored = StoredProfiles(self._store, group_key)  # type: ignore[arg-type]
        earlier = state.rows(edited)
        rows = stored.edits(edited, earlier)
        # A row that was fresh before is so still.
        for key, row in rows.items():
            if row is not None and key in earlier and earlier[key].fresh:
                rows[key] = row._replace(fresh=True)
        born = frozenset(
            key
            for key, row in rows.items()
            if row is not None and (edited[key] or key not in earlier)
        )
        return Change(tuple(stored.names()), rows, born=born)
