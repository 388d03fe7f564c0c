"""The SQLite file: the log, the state it leads to, and other processes.

Any tool can read it:

==================  ==============================================================
``profiles``        ``distinct_id``, ``properties`` (a JSON object), ``last_seen``
``group_profiles``  the same, under ``group_key`` and ``group_id``
``batches``         one row a batch: ``time`` of arrival, ``source``, counts
``updates``         the log: one row a message, as JSON
``bulk_updates``    the log of large batches: Parquet files of many updates each
``properties``      every property ever written, in the order of its first write
``checkpoints``     all profiles as of a batch, as Parquet: what opening starts from
==================  ==============================================================

A batch is written in one transaction, log and state together. Times are ISO
8601 text in UTC.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, fields
from itertools import islice
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import sqlite_utils

from toolkit import bulk, times
from toolkit.columns import Column, Positions
from toolkit.errors import StoreBusyError, StoreError
from toolkit.log import Batch, Changes, LoggedColumns, Updates
from toolkit.messages import USERS
from toolkit.operators import Profile
from toolkit.snapshot import Snapshot
from toolkit.state import Change, Row, settle
from toolkit.times import NO_TIME
from toolkit.values import ABSENT, dumps, loads, loads_many

#: Marks a file as ours (``PRAGMA application_id``): "prof".
APPLICATION_ID: Final = 0x70726F66
#: The layout below (``PRAGMA user_version``).
SCHEMA_VERSION: Final = 1
#: Seconds a writer waits for another process to finish its transaction.
TIMEOUT: Final = 30.0

#: Batches of more messages are logged as Parquet.
_MESSAGES_AS_ROWS: Final = 10_000
# Rows read or written at a time: enough to be fast, few enough to be small.
_CHUNK: Final = 50_000
# From so many new rows on, if they are half of the table or more, an index built
# at the end is faster than one kept up row by row.
_INDEX_LATER_FROM: Final = 20_000
# A batch that touches so many rows, and half of the table or more, leaves a
# checkpoint: reading columns back is several times faster than reading JSON.
_CHECKPOINT_FROM: Final = 20_000
_IDS_A_QUERY: Final = 500

_SCHEMA: Final = """
CREATE TABLE profiles (
    distinct_id TEXT NOT NULL, properties TEXT NOT NULL, last_seen TEXT);
CREATE UNIQUE INDEX profiles_distinct_id ON profiles (distinct_id);
CREATE TABLE group_profiles (
    group_key TEXT NOT NULL, group_id TEXT NOT NULL, properties TEXT NOT NULL, last_seen TEXT);
CREATE UNIQUE INDEX group_profiles_group_id ON group_profiles (group_key, group_id);
CREATE TABLE properties (
    id INTEGER PRIMARY KEY, group_key TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (group_key, name));
CREATE TABLE batches (
    id INTEGER PRIMARY KEY, time TEXT NOT NULL, source TEXT NOT NULL, messages INTEGER NOT NULL,
    created INTEGER NOT NULL, updated INTEGER NOT NULL, deleted INTEGER NOT NULL,
    unchanged INTEGER NOT NULL, rejected INTEGER NOT NULL, undoes INTEGER REFERENCES batches (id));
CREATE TABLE updates (
    id INTEGER PRIMARY KEY, batch_id INTEGER NOT NULL REFERENCES batches (id),
    position INTEGER NOT NULL, group_key TEXT NOT NULL, distinct_id TEXT NOT NULL,
    time TEXT NOT NULL, message TEXT NOT NULL);
CREATE INDEX updates_batch_id ON updates (batch_id);
CREATE INDEX updates_distinct_id ON updates (group_key, distinct_id);
CREATE TABLE bulk_updates (
    id INTEGER PRIMARY KEY, batch_id INTEGER NOT NULL REFERENCES batches (id),
    form TEXT NOT NULL, group_key TEXT NOT NULL, time TEXT, last_seen TEXT,
    updates INTEGER NOT NULL, parquet BLOB NOT NULL);
CREATE INDEX bulk_updates_batch_id ON bulk_updates (batch_id);
CREATE TABLE checkpoints (
    id INTEGER PRIMARY KEY, batch_id INTEGER NOT NULL REFERENCES batches (id),
    group_key TEXT NOT NULL, profiles INTEGER NOT NULL, parquet BLOB NOT NULL);
"""


#: IDs that were written to, and whether a ``$delete`` was among it.
Edited: TypeAlias = dict[str, bool]


class Store:
    """One SQLite file of profiles.

    Parameters
    ----------
    path
        The file; it is made if missing.
    timeout
        Seconds to wait for another process's transaction.

    Raises
    ------
    StoreError
        If the file cannot be opened, is no SQLite file, holds tables of
        something else, or was written by a later version of the toolkit.
    """

    def __init__(self, path: str | PathLike[str], timeout: float = TIMEOUT) -> None:
        self.path = Path(fspath(path))
        self._timeout = timeout
        self._process = os.getpid()
        self.is_closed = False
        with self._explained():
            # Absolute: SQLite may read a name that begins with "file:" as an address.
            self._connection = sqlite3.connect(
                self.path.absolute(), timeout=timeout, isolation_level=None, check_same_thread=False
            )
        try:
            created = self.path.stat()
            self._identity = (created.st_dev, created.st_ino)
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        # Plugins of sqlite-utils that the user has are not ours to run.
        self.database = sqlite_utils.Database(self._connection, execute_plugins=False)
        with self._explained():
            if self._pragma("application_id") == APPLICATION_ID:
                self._check_version()
            else:
                self._create()
            self._connection.execute("PRAGMA journal_mode = WAL")
            # A commit is on disk when it returns, power loss included.
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA cache_size = -65536")

    def _pragma(self, name: str) -> Any:
        return self._connection.execute(f"PRAGMA {name}").fetchone()[0]

    def _check_version(self) -> None:
        version = self._pragma("user_version")
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} has layout {version}; this toolkit reads layout {SCHEMA_VERSION}. "
                "It was written by another version of the toolkit: use that one, or a later one."
            )

    def _create(self) -> None:
        with self.transaction():
            if self._pragma("application_id") == APPLICATION_ID:
                return  # another process was faster
            tables = self.database.table_names()
            if tables:
                raise StoreError(
                    f"{self.path} is an SQLite file of something else (its tables: "
                    f"{', '.join(tables[:5])}). Give the profiles a file of their own."
                )
            for statement in _SCHEMA.split(";"):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _check_file(self) -> None:
        """Refuse a connection that SQLite cannot know to be stale."""
        if os.getpid() != self._process:
            raise StoreError(
                f"{self.path} was opened by another process, of which this one is a fork. "
                "Open it again in this process."
            )
        try:
            found = self.path.stat()
        except FileNotFoundError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != self._identity:
            raise StoreError(
                f"{self.path} was deleted or replaced while it was open. What it held is in the "
                "file it was; open it again."
            )

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._connection.close()
        self.is_closed = True

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            text = str(error)
            if "locked" in text or "busy" in text:
                raise StoreBusyError(
                    f"{self.path} was being written by another process for more than "
                    f"{self._timeout:g} seconds. Nothing was changed; try again."
                ) from error
            if isinstance(error, sqlite3.ProgrammingError) and "closed" in text:
                raise StoreError(f"{self.path} was closed; open it again.") from error
            raise StoreError(f"{self.path}: {text}. Nothing was changed.") from error

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[None]:
        """All or nothing: what is written inside is committed at the end, or not at all.

        With ``write=False``: everything read inside is of one moment.
        """
        with self._explained():
            self._check_file()
            try:
                # Inside: an interrupt may arrive when it has begun and not yet returned.
                self._connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    # The log

    def last(self) -> int:
        """Return the ID of the last batch, 0 if there is none."""
        with self._explained():
            found = self._connection.execute("SELECT max(id) FROM batches").fetchone()[0]
        return found or 0

    def append(self, batch: Batch, updates: Updates, changes: Changes) -> None:
        """Add a batch and what it leads to, inside a transaction."""
        row = (batch.id, times.iso(batch.time), *astuple(batch)[2:])
        marks = ", ".join("?" * len(row))
        names = ", ".join(each.name for each in fields(Batch))
        self._connection.execute(f"INSERT INTO batches ({names}) VALUES ({marks})", row)
        if isinstance(updates, LoggedColumns):
            self._append_bulk(batch, "columns", updates, bulk.written_columns(updates))
        elif len(updates) > _MESSAGES_AS_ROWS:
            self._append_bulk(batch, "messages", None, bulk.written_messages(updates))
        else:
            self._connection.executemany(
                "INSERT INTO updates (batch_id, position, group_key, distinct_id, time, message)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (
                        *(batch.id, position, message.group_key, message.distinct_id),
                        times.iso(batch.time if message.time is None else message.time),
                        message.as_text(),
                    )
                    for position, message in updates
                ),
            )
        for group_key, change in changes.items():
            StoredProfiles(self, group_key).write(change, batch.id)

    def _append_bulk(
        self,
        batch: Batch,
        form: str,
        columns: LoggedColumns | None,
        parts: Iterable[tuple[int, bytes]],
    ) -> None:
        about = (
            (USERS, None, None)
            if columns is None
            else (columns.group_key, _optional_time(columns.time), _optional_time(columns.seen))
        )
        self._connection.executemany(
            "INSERT INTO bulk_updates"
            " (batch_id, form, group_key, time, last_seen, updates, parquet)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((batch.id, form, *about, count, content) for count, content in parts),
        )

    def batches(self) -> list[Batch]:
        """Return all batches, oldest first."""
        names = ", ".join(each.name for each in fields(Batch))
        with self._explained():
            rows = self._connection.execute(f"SELECT {names} FROM batches ORDER BY id").fetchall()
        return [Batch(row[0], times.parse_time(row[1]), *row[2:]) for row in rows]

    def updates(self, batch_id: int) -> Iterator[Updates]:
        """Yield the updates of a batch, in parts of moderate size."""
        with self._explained():
            rows = self._connection.execute(
                "SELECT position, message FROM updates WHERE batch_id = ? ORDER BY position",
                [batch_id],
            ).fetchall()
            if rows:
                yield [(position, bulk.logged_message(text)) for position, text in rows]
            bulky = self._connection.execute(
                f"{_SELECT_BULK} WHERE batch_id = ? ORDER BY id", [batch_id]
            )
            for row in bulky:
                yield _bulk_updates(row)

    def updates_of(self, group_key: str, distinct_id: str) -> Iterator[tuple[int, Updates]]:
        """Yield the updates of one profile, each with its batch, oldest first."""
        with self._explained():
            rows = self._connection.execute(
                "SELECT batch_id, position, message FROM updates"
                " WHERE group_key = ? AND distinct_id = ? ORDER BY batch_id, position",
                [group_key, distinct_id],
            ).fetchall()
            found: list[tuple[int, Updates]] = [
                (batch_id, [(position, bulk.logged_message(text))])
                for batch_id, position, text in rows
            ]
            for row in self._connection.execute(f"{_SELECT_BULK} ORDER BY id"):
                updates = _bulk_updates(row)
                if isinstance(updates, LoggedColumns):
                    own: Updates | None = updates.of_profile(group_key, distinct_id)
                else:
                    own = [
                        (position, message)
                        for position, message in updates
                        if message.distinct_id == distinct_id and message.group_key == group_key
                    ]
                if own:
                    found.append((row[0], own))
        yield from sorted(found, key=lambda each: each[0])

    def edited_since(self, batch_id: int) -> dict[str, Edited] | None:
        """Return the profiles that later batches wrote to, by group key.

        None where a batch among them was too large to list.
        """
        with self._explained():
            bulky = self._connection.execute(
                "SELECT 1 FROM bulk_updates WHERE batch_id > ? LIMIT 1", [batch_id]
            ).fetchone()
            if bulky:
                return None
            rows = self._connection.execute(
                "SELECT group_key, distinct_id, max(message ->> '$.\"$delete\"' IS NOT NULL)"
                " FROM updates WHERE batch_id > ? GROUP BY group_key, distinct_id",
                [batch_id],
            ).fetchall()
        edited: dict[str, Edited] = {}
        for group_key, distinct_id, deleted in rows:
            edited.setdefault(group_key, {})[distinct_id] = bool(deleted)
        return edited

    def group_keys(self) -> list[str]:
        """Return the group keys that have ever had a profile."""
        with self._explained():
            rows = self._connection.execute(
                "SELECT DISTINCT group_key FROM properties WHERE group_key <> ''"
                " UNION SELECT DISTINCT group_key FROM group_profiles ORDER BY 1"
            ).fetchall()
        return [row[0] for row in rows]

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self._connection.execute(sql, values)

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of values."""
        self._connection.executemany(sql, rows)


class StoredProfiles:
    """The profiles of one table in the file: those of the users, or of a group key."""

    def __init__(self, store: Store, group_key: str) -> None:
        self._store = store
        self._key = group_key
        if group_key == USERS:
            self._table, self._id, self._where = "profiles", "distinct_id", "1"
            self._identifier = ["distinct_id"]
            self._prefix: tuple[str, ...] = ()
        else:
            self._table, self._id, self._where = "group_profiles", "group_id", "group_key = ?"
            self._identifier = ["group_key", "group_id"]
            self._prefix = (group_key,)

    def _select(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        sql = f"SELECT {sql}".replace("FROM *", f"FROM {self._table} WHERE {self._where}")
        with self._store._explained():
            return self._store.execute(sql, [*self._prefix, *values])

    def count(self) -> int:
        """Return how many profiles there are."""
        count: int = self._select("count(*) FROM *").fetchone()[0]
        return count

    def ids(self) -> Iterable[str]:
        """Return every distinct ID, in the order the profiles were created."""
        return [row[0] for row in self._select(f"{self._id} FROM * ORDER BY rowid")]

    def names(self) -> list[str]:
        """Return every property ever written, in the order of its first write."""
        sql = "SELECT name FROM properties WHERE group_key = ? ORDER BY id"
        with self._store._explained():
            return [row[0] for row in self._store.execute(sql, [self._key])]

    def rows(self, ids: Iterable[str]) -> dict[str, tuple[Profile, int]]:
        """Return properties and last_seen of the profiles there are, oldest first."""
        found: list[tuple[int, str, str, str | None]] = []
        pending = iter(ids)
        while part := list(islice(pending, _IDS_A_QUERY)):
            marks = ", ".join("?" * len(part))
            found += self._select(
                f"rowid, {self._id}, properties, last_seen FROM * AND {self._id} IN ({marks})", part
            ).fetchall()
        found.sort()
        return {
            distinct_id: (_profile(text), NO_TIME if seen is None else times.parse_time(seen))
            for _, distinct_id, text, seen in found
        }

    def load(self, *, trusting_rows: bool = True) -> Snapshot:
        """Return all profiles: those of the last checkpoint, and what changed since.

        A checkpoint that cannot be read is passed over, unless *trusting_rows* is false.
        """
        checkpoint, parts = self._checkpoint()
        if parts:
            edited = self._store.edited_since(checkpoint)
            try:
                base = None if edited is None else bulk.read_snapshot(parts)
            except (KeyError, ValueError, pa.ArrowException):
                if not trusting_rows:
                    raise
                base = None
            if edited is not None and base is not None:
                return settle(base, self.edits(edited.get(self._key, {}), base), self.names())
        return self.load_rows()

    def has_checkpoint(self) -> bool:
        """Return whether there is a checkpoint."""
        sql = "SELECT 1 FROM checkpoints WHERE group_key = ? LIMIT 1"
        return self._store.execute(sql, [self._key]).fetchone() is not None

    def _checkpoint(self) -> tuple[int, list[bytes]]:
        rows = self._store.execute(
            "SELECT batch_id, parquet FROM checkpoints WHERE group_key = ? ORDER BY id", [self._key]
        ).fetchall()
        return (rows[0][0] if rows else 0), [row[1] for row in rows]

    def edits(self, edited: Edited, base: Container[str]) -> dict[str, Row | None]:
        """Return the rows of edited profiles as they are now, in the order of creation.

        A profile that was deleted and stands again, or that *base* does not know, is
        fresh; one that is not there is None.
        """
        now = self.rows(edited)
        rows: dict[str, Row | None] = {key: None for key in edited if key not in now}
        for key, (properties, seen) in now.items():
            rows[key] = Row(properties, seen, edited[key] or key not in base)
        return rows

    def load_rows(self) -> Snapshot:
        """Return all profiles as their rows have them, whatever the checkpoint says."""
        names = self.names()
        cursor = self._select(f"{self._id}, properties, last_seen FROM * ORDER BY rowid")
        ids: list[pa.Array] = []
        parts: list[list[Column]] = []
        seen: list[Positions] = []
        while rows := cursor.fetchmany(_CHUNK):
            profiles = loads_many([text for _, text, _ in rows])
            parts.append(
                [Column.of([each.get(name, ABSENT) for each in profiles]) for name in names]
            )
            ids.append(pa.array([key for key, _, _ in rows], pa.large_string()))
            seen.append(_read_times([moment for _, _, moment in rows]))
        if not ids:
            return Snapshot.empty(names)
        columns = {
            name: Column.joined([part[at] for part in parts]) for at, name in enumerate(names)
        }
        return Snapshot(pa.concat_arrays(ids), columns, np.concatenate(seen))

    def write(self, change: Change, batch_id: int) -> None:
        """Bring the rows up to date with *change*, inside a transaction."""
        self._store.execute_many(
            "INSERT OR IGNORE INTO properties (group_key, name) VALUES (?, ?)",
            ((self._key, name) for name in change.names),
        )
        if change.snapshot is None:
            self._write_rows(change)
        elif change.touched is not None:
            self._write_snapshot(change.snapshot, change.touched, change.dropped)
            touched = len(change.touched)
            if touched >= _CHECKPOINT_FROM and touched * 2 >= len(change.snapshot):
                self._write_checkpoint(change.snapshot, batch_id)

    def rebuild(self, snapshot: Snapshot) -> None:
        """Write all profiles anew, inside a transaction."""
        self._store.execute(f"DELETE FROM {self._table} WHERE {self._where}", self._prefix)
        self._store.execute("DELETE FROM checkpoints WHERE group_key = ?", [self._key])
        self._store.execute("DELETE FROM properties WHERE group_key = ?", [self._key])
        everybody = np.arange(len(snapshot), dtype=np.int64)
        self.write(Change(tuple(snapshot.columns), {}, snapshot, everybody), self._store.last())

    def _write_rows(self, change: Change) -> None:
        self._delete(key for key, row in change.rows.items() if row is None or key in change.born)
        self._upsert(
            (key, dumps(dict(row.properties)), _written_time(row.last_seen))
            for key, row in change.rows.items()
            if row is not None
        )

    def _write_snapshot(
        self, snapshot: Snapshot, touched: Positions, dropped: Iterable[str]
    ) -> None:
        """Write the touched rows of a snapshot whose rows stand in the order of the file's."""
        self._delete(dropped)
        rowids = [row[0] for row in self._select("rowid FROM * ORDER BY rowid")]
        touched = np.sort(touched)
        known, new = touched[touched < len(rowids)], touched[touched >= len(rowids)]
        self._store.execute_many(
            f"UPDATE {self._table} SET properties = ?, last_seen = ? WHERE rowid = ?",
            (
                (text, seen, rowids[position])
                for position, (_, text, seen) in zip(
                    known.tolist(), _json_rows(snapshot, known), strict=True
                )
            ),
        )
        later = len(new) >= _INDEX_LATER_FROM and len(new) * 2 >= len(snapshot)
        index = f"{self._table}_{self._id}"
        if later:
            self._store.execute(f"DROP INDEX {index}")
        self._insert(_json_rows(snapshot, new))
        if later:
            self._store.execute(
                f"CREATE UNIQUE INDEX {index} ON {self._table} ({', '.join(self._identifier)})"
            )

    def _write_checkpoint(self, snapshot: Snapshot, batch_id: int) -> None:
        self._store.execute("DELETE FROM checkpoints WHERE group_key = ?", [self._key])
        self._store.execute_many(
            "INSERT INTO checkpoints (batch_id, group_key, profiles, parquet) VALUES (?, ?, ?, ?)",
            (
                (batch_id, self._key, count, content)
                for count, content in bulk.written_snapshot(snapshot)
            ),
        )

    def _delete(self, ids: Iterable[str]) -> None:
        self._store.execute_many(
            f"DELETE FROM {self._table} WHERE {self._where} AND {self._id} = ?",
            ((*self._prefix, key) for key in ids),
        )

    def _insert(self, rows: Iterable[tuple[str, str, str | None]], suffix: str = "") -> None:
        names = [*self._identifier, "properties", "last_seen"]
        marks = ", ".join("?" * len(names))
        self._store.execute_many(
            f"INSERT INTO {self._table} ({', '.join(names)}) VALUES ({marks}){suffix}",
            ((*self._prefix, *row) for row in rows) if self._prefix else rows,
        )

    def _upsert(self, rows: Iterable[tuple[str, str, str | None]]) -> None:
        self._insert(
            rows,
            f" ON CONFLICT ({', '.join(self._identifier)}) DO UPDATE"
            " SET properties = excluded.properties, last_seen = excluded.last_seen",
        )


def _json_rows(snapshot: Snapshot, positions: Positions) -> Iterator[tuple[str, str, str | None]]:
    """Yield (distinct ID, properties as JSON, last_seen) of some rows."""

    def written(start: int) -> tuple[Any, Any, list[str | None]]:
        part = positions[start : start + _CHUNK]
        return (
            snapshot.ids.take(pa.array(part)),
            snapshot.json_texts(part),
            _written_times(snapshot.last_seen[part]),
        )

    starts = range(0, len(positions), _CHUNK)
    # Arrow writes the next rows while SQLite takes these.
    with ThreadPoolExecutor(1) as ahead:
        pending = [ahead.submit(written, start) for start in starts[:1]]
        for following in [*starts[1:], None]:
            if not pending:
                return
            ids, texts, seen = pending.pop().result()
            if following is not None:
                pending.append(ahead.submit(written, following))
            yield from zip(ids.to_pylist(), texts.to_pylist(), seen, strict=True)


def _profile(text: str) -> Profile:
    try:
        profile = loads(text)
    except ValueError:
        profile = None
    if not isinstance(profile, dict):
        raise StoreError(
            f"a profile holds {text[:60]!r}, which is no JSON object. The file was changed by "
            "something else; profiles.check(repair=True) writes it anew from the log."
        )
    return profile


_SELECT_BULK: Final = "SELECT batch_id, form, group_key, time, last_seen, parquet FROM bulk_updates"


def _bulk_updates(row: tuple[int, str, str, str | None, str | None, bytes]) -> Updates:
    _, form, group_key, time, seen, content = row
    if form == "messages":
        return bulk.read_messages(content)
    moments = [None if text is None else times.parse_time(text) for text in (seen, time)]
    return bulk.read_columns(content, moments[0], group_key, moments[1])


def _optional_time(microseconds: int | None) -> str | None:
    return None if microseconds is None else times.iso(microseconds)


def _written_time(microseconds: int) -> str | None:
    return None if microseconds == NO_TIME else times.iso(microseconds)


def _written_times(microseconds: Positions) -> list[str | None]:
    different, codes = np.unique(microseconds, return_inverse=True)
    texts = [_written_time(moment) for moment in different.tolist()]
    return [texts[code] for code in codes.tolist()]


def _read_times(texts: list[str | None]) -> Positions:
    known = {
        text: NO_TIME if text is None else times.parse_time(text) for text in dict.fromkeys(texts)
    }
    return np.array([known[text] for text in texts], np.int64)
