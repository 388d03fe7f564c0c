"""The profiles of one table in the SQLite file: read, and brought up to date."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from sqlite3 import Cursor
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa

from toolkit.base import (
    ABSENT,
    NO_TIME,
    StoreDamagedError,
    dumps,
    either,
    glimpse,
    loads,
    loads_many,
    times,
)
from toolkit.columns import Column, Positions, Snapshot
from toolkit.store import parquet as bulk
from toolkit.store.connection import Connection
from toolkit.updates import OPERATORS, USERS, Change, Profile, Row, settle

# Rows read or written at a time: enough to be fast, few enough to be small.
_CHUNK: Final = 50_000
# From so many new rows on, if they are half of the table or more, an index built
# at the end is faster than one kept up row by row.
_INDEX_LATER_FROM: Final = 20_000
# A batch that writes or deletes so many rows, and half of the table or more, leaves a
# checkpoint: reading columns back is several times faster than reading JSON.
_CHECKPOINT_FROM: Final = 20_000
_IDS_A_QUERY: Final = 500


#: IDs that were written to, and whether one of the updates deleted.
Edited: TypeAlias = dict[str, bool]


def edited_since(store: Connection, batch_id: int) -> dict[str, Edited] | None:
    """Return the profiles that later batches wrote to, by group key.

    None where a batch among them was too large to list, or was compacted.
    """
    with store.explained():
        unlisted = store.execute(
            "SELECT 1 FROM bulk_updates WHERE batch_id > ?"
            " UNION ALL SELECT 1 FROM compactions WHERE batch_id > ? LIMIT 1",
            [batch_id, batch_id],
        ).fetchone()
        if unlisted:
            return None
        names = (name for name, operator in OPERATORS.items() if operator.deletes)
        deletes = " OR ".join(f"message ->> '$.\"{name}\"' IS NOT NULL" for name in names)
        rows = store.execute(
            f"SELECT group_key, distinct_id, max({deletes}) FROM updates"
            " WHERE batch_id > ? GROUP BY group_key, distinct_id",
            [batch_id],
        ).fetchall()
    edited: dict[str, Edited] = {}
    for group_key, distinct_id, deleted in rows:
        edited.setdefault(group_key, {})[distinct_id] = bool(deleted)
    return edited


class StoredProfiles:
    """The profiles of one table in the file: those of the users, or of a group key."""

    def __init__(self, store: Connection, group_key: str) -> None:
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

    def _select(self, sql: str, values: Iterable[Any] = ()) -> Cursor:
        with self._store.explained():
            return self._store.execute(self._sql(sql), [*self._prefix, *values])

    def _scan(self, sql: str) -> Cursor:
        with self._store.explained():
            return self._store.scan(self._sql(sql), self._prefix)

    def _sql(self, sql: str) -> str:
        return f"SELECT {sql}".replace("FROM *", f"FROM {self._table} WHERE {self._where}")

    def count(self) -> int:
        """Return how many profiles there are."""
        count: int = self._select("count(*) FROM *").fetchone()[0]
        return count

    def ids(self) -> Iterable[str]:
        """Return every distinct ID, in the order the profiles were created."""
        return [row[0] for row in self._select(f"{self._id} FROM * ORDER BY rowid").fetchall()]

    def names(self) -> list[str]:
        """Return every property ever written, in the order of its first write."""
        sql = "SELECT name FROM properties WHERE group_key = ? ORDER BY id"
        with self._store.explained():
            return [row[0] for row in self._store.execute(sql, [self._key]).fetchall()]

    def rows(self, ids: Iterable[str]) -> dict[str, tuple[Profile, int]]:
        """Return properties and last_seen of the profiles there are, oldest first."""
        rows: list[tuple[int, str, str, str | None]] = []
        pending = iter(ids)
        while part := list(islice(pending, _IDS_A_QUERY)):
            marks = ", ".join("?" * len(part))
            rows += self._select(
                f"rowid, {self._id}, properties, last_seen FROM * AND {self._id} IN ({marks})", part
            ).fetchall()
        rows.sort()
        return {
            distinct_id: (_profile(text), int(_read_times([seen])[0]))
            for _, distinct_id, text, seen in rows
        }

    def load(self, *, trusting_rows: bool = True) -> Snapshot:
        """Return all profiles: those of the last checkpoint, and what changed since.

        A checkpoint that cannot be read is ignored, unless *trusting_rows* is false.
        """
        checkpoint, parts = self._checkpoint()
        if parts:
            edited = edited_since(self._store, checkpoint)
            try:
                # Passed by a later import it serves no more, and yet may be looked at.
                unused = edited is None and trusting_rows
                base = None if unused else bulk.read_snapshot(parts)
            except bulk.UnreadableError:
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

        A profile that was deleted and is again, or that *base* does not know, is
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
        cursor = self._scan(f"{self._id}, properties, last_seen FROM * ORDER BY rowid")
        ids: list[pa.Array] = []
        parts: list[list[Column]] = []
        seen: list[Positions] = []
        while rows := cursor.fetchmany(_CHUNK):
            profiles = _profiles([text for _, text, _ in rows])
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
            if change.writes >= _CHECKPOINT_FROM and change.writes * 2 >= len(change.snapshot):
                self._write_checkpoint(change.snapshot, batch_id)

    def rebuild(self, snapshot: Snapshot, batch_id: int) -> None:
        """Rebuild all profiles as of a batch, inside a transaction."""
        self._store.execute(f"DELETE FROM {self._table} WHERE {self._where}", self._prefix)
        self._store.execute("DELETE FROM checkpoints WHERE group_key = ?", [self._key])
        self._store.execute("DELETE FROM properties WHERE group_key = ?", [self._key])
        everybody = np.arange(len(snapshot), dtype=np.int64)
        self.write(Change(tuple(snapshot.columns), {}, snapshot, everybody), batch_id)

    def _write_rows(self, change: Change) -> None:
        self._delete(key for key, row in change.rows.items() if row is None or key in change.born)
        self._upsert(
            (key, dumps(dict(row.properties)), _written_time(row.last_seen))
            for key, row in change.rows.items()
            if row is not None
        )

    def _write_snapshot(self, snapshot: Snapshot, touched: Positions, dropped: Positions) -> None:
        """Write the touched rows of a snapshot whose rows are in the order of the file's."""
        rowids = self._rowids()
        if len(dropped):
            self._delete_rows(rowids[dropped], len(rowids))
            rowids = np.delete(rowids, dropped)
        touched = np.sort(touched)
        new = len(touched) - int(np.searchsorted(touched, len(rowids)))
        with self._index_later(new, len(snapshot)):
            for part, ids, texts, seen in _json_parts(snapshot, touched):
                old = int(np.searchsorted(part, len(rowids)))
                if old:
                    self._store.execute_many(
                        f"UPDATE {self._table} SET properties = ?, last_seen = ? WHERE rowid = ?",
                        zip(texts[:old], seen[:old], rowids[part[:old]].tolist(), strict=True),
                    )
                if old < len(part):
                    self._insert(zip(ids[old:], texts[old:], seen[old:], strict=True))

    @contextmanager
    def _index_later(self, rows: int, of: int) -> Iterator[None]:
        """Build the index at the end, if so many rows of the table are written inside."""
        later = rows >= _INDEX_LATER_FROM and rows * 2 >= of
        index = f"{self._table}_{self._id}"
        if later:
            self._store.execute(f"DROP INDEX {index}")
        yield
        if later:
            self._store.execute(
                f"CREATE UNIQUE INDEX {index} ON {self._table} ({', '.join(self._identifier)})"
            )

    def _delete_rows(self, rowids: Positions, of: int) -> None:
        """Delete some of the rows there are, run by run."""
        rowids = np.sort(rowids)
        starts = np.flatnonzero(np.diff(rowids, prepend=rowids[0] - 2) > 1)
        stops = np.append(starts[1:], len(rowids))
        # A statement for so many rows: progress is reported between them.
        runs = (
            (int(rowids[at]), int(rowids[min(at + _CHUNK, stop) - 1]))
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
            for at in range(start, stop, _CHUNK)
        )
        with self._index_later(len(rowids), of):
            self._store.execute_many(f"DELETE FROM {self._table} WHERE rowid BETWEEN ? AND ?", runs)

    def _rowids(self) -> Positions:
        """Return the rowid of each row, in order."""
        count, last = self._select("count(*), max(rowid) FROM *").fetchone()
        if count == last:  # none was ever deleted
            return np.arange(1, count + 1)
        rows = self._select("rowid FROM * ORDER BY rowid").fetchall()
        return np.fromiter((row[0] for row in rows), np.int64, count)

    def _write_checkpoint(self, snapshot: Snapshot, batch_id: int) -> None:
        self._store.execute("DELETE FROM checkpoints WHERE group_key = ?", [self._key])
        self._store.execute_many(
            "INSERT INTO checkpoints (batch_id, group_key, profiles, parquet) VALUES (?, ?, ?, ?)",
            (
                (batch_id, self._key, count, content)
                for count, content in self._store.reported(bulk.written_snapshot(snapshot))
            ),
        )

    def renew_checkpoint(self, gone: int, last: int) -> None:
        """Replace a checkpoint older than a batch, for the updates up to it are to go.

        Parameters
        ----------
        gone
            That batch.
        last
            The last one of all, of which the new checkpoint is.
        """
        if self.has_checkpoint() and self._checkpoint()[0] < gone:
            self._write_checkpoint(self.load_rows(), last)

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


def _json_parts(
    snapshot: Snapshot, positions: Positions
) -> Iterator[tuple[Positions, list[str], list[str], list[str | None]]]:
    """Yield, part by part, positions with their distinct IDs, properties as JSON and last_seen."""

    def written(start: int) -> tuple[Positions, Any, Any, list[str | None]]:
        part = positions[start : start + _CHUNK]
        ids, texts = snapshot.ids.take(pa.array(part)), snapshot.json_texts(part)
        return part, ids, texts, _written_times(snapshot.last_seen[part])

    starts = range(0, len(positions), _CHUNK)
    # Arrow writes the next part while SQLite takes this one.
    with ThreadPoolExecutor(1) as ahead:
        pending = [ahead.submit(written, start) for start in starts[:1]]
        for following in [*starts[1:], None]:
            if not pending:
                return
            part, ids, texts, seen = pending.pop().result()
            if following is not None:
                pending.append(ahead.submit(written, following))
            yield part, ids.to_pylist(), texts.to_pylist(), seen


def _profile(text: str) -> Profile:
    try:
        profile = loads(text)
    except (TypeError, ValueError):  # a damaged page may hold no text at all
        profile = None
    if not isinstance(profile, dict):
        repair = either("profiles.check(repair=True)", "`profile-toolkit check --repair`")
        raise StoreDamagedError(
            f"a profile holds {glimpse(text)!r}, which is not a JSON object. The file was changed "
            f"by something else; {repair} rebuilds it from the log."
        )
    return profile


def _profiles(texts: list[str]) -> list[Profile]:
    try:
        profiles = loads_many(texts)
    except (TypeError, ValueError):
        profiles = []
    if len(profiles) == len(texts) and all(isinstance(each, dict) for each in profiles):
        return profiles
    return [_profile(text) for text in texts]  # which says what the culprit holds


def _written_time(microseconds: int) -> str | None:
    return None if microseconds == NO_TIME else times.iso(microseconds)


def _written_times(microseconds: Positions) -> list[str | None]:
    different, codes = np.unique(microseconds, return_inverse=True)
    texts = [_written_time(moment) for moment in different.tolist()]
    return [texts[code] for code in codes.tolist()]


def _read_times(texts: list[str | None]) -> Positions:
    with bulk.readable("the times of Updated At"):
        moments = {
            text: NO_TIME if text is None else times.parse_time(text)
            for text in dict.fromkeys(texts)
        }
    return np.array([moments[text] for text in texts], np.int64)
