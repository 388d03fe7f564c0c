"""The SQLite file: the log, the state it leads to, and other processes.

Any tool can read it:

==================  ==============================================================
``profiles``        ``distinct_id``, ``properties`` (a JSON object), ``last_seen``
``group_profiles``  the same, under ``group_key`` and ``group_id``
``batches``         one row per batch: ``time`` of arrival, ``source``, counts
``updates``         the log: one row per message, as JSON
``bulk_updates``    the log of large batches: Parquet files of many updates each
``properties``      every property ever written, in the order of its first write
``checkpoints``     all profiles as of a batch, as Parquet: what opening starts from
``compactions``     up to where the log was compacted: one row, or none
``bases``           the profiles that a compacted log starts from, as Parquet
``lineage``         one row: which ``-wal`` belongs to the file
==================  ==============================================================

A batch is written in one transaction, log and state together. Times are ISO
8601 text in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from toolkit.base import Progress, StoreDamagedError, times
from toolkit.columns import Snapshot
from toolkit.store import parquet as bulk
from toolkit.store.connection import Connection
from toolkit.store.log import Base, Batch, Changes, Compaction, Log, after
from toolkit.store.notes import Notes
from toolkit.store.rows import StoredProfiles
from toolkit.updates import USERS, ColumnarUpdates, Outcome, Updates, of_profile

#: Batches of more messages are logged as Parquet.
_MESSAGES_AS_ROWS: Final = 10_000


class Store(Connection):
    """One SQLite file of profiles: the log, and the state it leads to.

    Parameters and errors are those of :class:`Connection`.
    """

    def fill(
        self,
        log: Log,
        snapshots: Mapping[str, Snapshot],
        notes: Notes,
        progress: Progress,
    ) -> None:
        """Take over another log and what it leads to, into an empty file."""
        with self.transaction():
            batches = log.batches()
            for done, batch in enumerate(batches):
                progress("Copying", done, len(batches))
                self.append(batch, list(log.updates(batch.id)), {})
            compaction = log.compaction()
            if compaction is not None:
                self._start_from(compaction, {key: log.base(key) for key in snapshots})
            for group_key, snapshot in snapshots.items():
                StoredProfiles(self, group_key).rebuild(snapshot, self.last())
            Notes(self).take_over(notes)
        self._connection.execute("PRAGMA journal_mode = DELETE")

    # The log

    def last(self) -> int:
        """Return the ID of the last batch, 0 if there is none."""
        with self.explained():
            last = self._connection.execute("SELECT max(id) FROM batches").fetchone()[0]
        return last or 0

    def last_time(self) -> int | None:
        """Return when the last batch arrived, in microseconds; None if there is none."""
        row = self._connection.execute("SELECT time FROM batches ORDER BY id DESC").fetchone()
        with bulk.readable("the time of a batch"):
            return None if row is None else times.parse_time(row[0])

    def append(self, batch: Batch, parts: Sequence[Updates], changes: Changes) -> None:
        """Add a batch and what it leads to, inside a transaction."""
        about = batch.id, times.iso(batch.time), batch.source
        self._connection.execute(
            f"INSERT INTO batches ({_BATCH_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*about, *batch.counts.values(), batch.undoes),
        )
        for part in parts:
            self._append_part(batch, part)
        for group_key, change in changes.items():
            StoredProfiles(self, group_key).write(change, batch.id)

    def _append_part(self, batch: Batch, updates: Updates) -> None:
        if isinstance(updates, ColumnarUpdates):
            # What the edits of rows have of their own goes with the rows.
            seen = updates.seen if updates.form == "columns" else None
            about = updates.group_key, _written_time(updates.time), _written_time(seen)
            self._append_bulk(batch, updates.form, about, bulk.written_updates(updates))
        elif len(updates) > _MESSAGES_AS_ROWS:
            about = USERS, None, None
            self._append_bulk(batch, "messages", about, bulk.written_messages(updates))
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

    def _append_bulk(
        self,
        batch: Batch,
        form: str,
        about: tuple[str, str | None, str | None],
        parts: Iterable[tuple[int, bytes]],
    ) -> None:
        self._connection.executemany(
            "INSERT INTO bulk_updates"
            " (batch_id, form, group_key, time, last_seen, updates, parquet)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((batch.id, form, *about, count, content) for count, content in self.reported(parts)),
        )

    def batches(self) -> list[Batch]:
        """Return all batches, oldest first."""
        with self.explained():
            rows = self._connection.execute(
                f"SELECT {_BATCH_FIELDS} FROM batches ORDER BY id"
            ).fetchall()
            with bulk.readable("the list of batches"):
                return [_batch(row) for row in rows]

    def updates(self, batch_id: int) -> Iterator[Updates]:
        """Yield the updates of a batch, in parts of moderate size."""
        with self.explained():
            rows = self._connection.execute(
                "SELECT position, message FROM updates WHERE batch_id = ? ORDER BY position",
                [batch_id],
            ).fetchall()
            if rows:
                messages = bulk.logged_messages([text for _, text in rows])
                yield [(row[0], message) for row, message in zip(rows, messages, strict=True)]
            bulky = self.scan(f"{_SELECT_BULK} WHERE batch_id = ? ORDER BY id", [batch_id])
            for row in bulky:
                yield _bulk_updates(row)

    def updates_of(self, group_key: str, distinct_id: str) -> Iterator[tuple[int, Updates]]:
        """Yield the updates of one profile, each with its batch, oldest first."""
        with self.explained():
            rows = self._connection.execute(
                "SELECT batch_id, position, message FROM updates"
                " WHERE group_key = ? AND distinct_id = ? ORDER BY batch_id, position",
                [group_key, distinct_id],
            ).fetchall()
            messages = bulk.logged_messages([text for *_, text in rows])
            updates: list[tuple[int, Updates]] = [
                (batch_id, [(position, message)])
                for (batch_id, position, _), message in zip(rows, messages, strict=True)
            ]
            bulky = self.scan(
                f"{_SELECT_BULK} WHERE form = 'messages' OR group_key = ? ORDER BY id", [group_key]
            )
            for row in bulky:
                named = _naming(row, distinct_id)
                own = None if named is None else of_profile(named, group_key, distinct_id)
                if own is not None:
                    updates.append((row[0], own))
        yield from sorted(updates, key=lambda each: each[0])

    def keys(self, batch_id: int | None = None) -> set[str]:
        """Return the group keys that updates are for: of a batch, or of all."""
        of_batch, values = ("1", []) if batch_id is None else ("batch_id = ?", [batch_id])
        with self.explained():
            rows = self._connection.execute(
                f"SELECT DISTINCT group_key FROM updates WHERE {of_batch} UNION SELECT DISTINCT"
                f" group_key FROM bulk_updates WHERE form <> 'messages' AND {of_batch}",
                values * 2,
            ).fetchall()
            keys = {row[0] for row in rows}
            mixed = self.scan(
                f"SELECT parquet FROM bulk_updates WHERE form = 'messages' AND {of_batch}", values
            )
            for (content,) in mixed:
                keys |= bulk.keys_of_messages(content)
            if not all(isinstance(key, str) for key in keys):
                raise bulk.UnreadableError("the group keys of the log cannot be read")
        return keys

    def compaction(self) -> Compaction | None:
        """Return up to where the log has been compacted, None if it never was."""
        with self.explained():
            row = self._connection.execute(
                "SELECT time, batch_id, through_batch_id FROM compactions"
            ).fetchone()
            with bulk.readable("up to where the log was compacted"):
                return None if row is None else Compaction(times.parse_time(row[0]), *row[1:])

    def base(self, group_key: str) -> Base:
        """Return the profiles that the compacted log starts from."""
        snapshots = []
        for clock in _CLOCKS:
            with self.explained():
                rows = self._connection.execute(
                    "SELECT parquet FROM bases WHERE group_key = ? AND clock = ? ORDER BY id",
                    [group_key, clock],
                ).fetchall()
            try:
                snapshots.append(bulk.read_snapshot([row[0] for row in rows]) or Snapshot.empty())
            except bulk.UnreadableError as error:
                raise StoreDamagedError(
                    f"{self.path} was damaged: the profiles that the compacted log starts from "
                    f"cannot be read, though the latest profiles are unharmed: {error}"
                ) from error
        return Base(*snapshots)

    def compact(self, compaction: Compaction, bases: Mapping[str, Base]) -> None:
        """Start from *bases*, and forget the updates that are part of them, in a transaction."""
        self._connection.execute(
            # Without its Z the text of a time sorts like the time: "…00" before "…00.5".
            "DELETE FROM updates WHERE batch_id <= ? AND rtrim(time, 'Z') <= rtrim(?, 'Z')",
            [compaction.batch, times.iso(compaction.time)],
        )
        batches = {batch.id: batch for batch in self.batches()}
        bulky = self.scan(
            f"SELECT id, {_BULK_FIELDS} FROM bulk_updates WHERE batch_id <= ?", [compaction.batch]
        )
        parts = [
            row[0]
            for row in bulky
            if not after(_bulk_updates(row[1:]), batches[row[1]], compaction.time)
        ]
        self._connection.executemany(
            "DELETE FROM bulk_updates WHERE id = ?", ((part,) for part in parts)
        )
        self._connection.execute(
            "DELETE FROM batches WHERE id < ?"
            " AND id NOT IN (SELECT batch_id FROM updates UNION SELECT batch_id FROM bulk_updates)",
            [compaction.batch],
        )
        self._start_from(compaction, bases)
        for group_key in bases:
            StoredProfiles(self, group_key).renew_checkpoint(compaction.batch, self.last())

    def _start_from(self, compaction: Compaction, bases: Mapping[str, Base]) -> None:
        self._connection.execute("DELETE FROM compactions")
        self._connection.execute("DELETE FROM bases")
        self._connection.execute(
            "INSERT INTO compactions (time, batch_id, through_batch_id) VALUES (?, ?, ?)",
            [times.iso(compaction.time), compaction.batch, compaction.through],
        )
        for group_key, base in bases.items():
            for clock, snapshot in zip(_CLOCKS, (base.arrived, base.happened), strict=True):
                self._connection.executemany(
                    "INSERT INTO bases (group_key, clock, profiles, parquet) VALUES (?, ?, ?, ?)",
                    ((group_key, clock, *part) for part in bulk.written_snapshot(snapshot)),
                )

    def group_keys(self) -> list[str]:
        """Return the group keys that have ever had a profile."""
        with self.explained():
            rows = self._connection.execute(
                "SELECT DISTINCT group_key FROM properties WHERE group_key <> ''"
                " UNION SELECT DISTINCT group_key FROM group_profiles ORDER BY 1"
            ).fetchall()
        return [row[0] for row in rows]


_BATCH_FIELDS: Final = (
    "id, time, source, messages, created, updated, deleted, unchanged, rejected, undoes"
)
_BULK_FIELDS: Final = "batch_id, form, group_key, time, last_seen, parquet"
_SELECT_BULK: Final = f"SELECT {_BULK_FIELDS} FROM bulk_updates"
#: The two clocks that a compacted log keeps a base of, in the order of :class:`Base`.
_CLOCKS: Final = ("arrival", "effective")


def _batch(row: Sequence[Any]) -> Batch:
    number, time, source, *counts, rejected, undoes = row
    whole = (number, *counts, rejected, undoes or 0)
    if not isinstance(source, str) or not all(isinstance(each, int) for each in whole):
        raise ValueError(f"batch {number!r} holds {row!r}")
    return Batch(number, times.parse_time(time), source, Outcome(*counts), rejected, undoes)


def _naming(
    row: tuple[int, str, str, str | None, str | None, bytes], distinct_id: str
) -> Updates | None:
    """Return updates among which are those of one profile; None where there are none."""
    _, form, *_, content = row
    if form == "messages":
        return bulk.messages_naming(content, distinct_id)
    return _bulk_updates(row) if bulk.holds(content, distinct_id) else None


def _bulk_updates(row: tuple[int, str, str, str | None, str | None, bytes]) -> Updates:
    _, form, group_key, time, seen, content = row
    if form == "messages":
        return bulk.read_messages(content)
    if form not in ("columns", "edits"):
        raise bulk.UnreadableError(f"updates of the form {form!r} are unknown")
    with bulk.readable("the time of updates in columns"):
        moments = [None if text is None else times.parse_time(text) for text in (seen, time)]
    nobody = pa.array([], pa.large_string())
    about = ColumnarUpdates(
        nobody,
        {},
        moments[0],
        group_key,
        moments[1],
        form=form,  # type: ignore[arg-type]
    )
    return bulk.read_updates(content, about)


def _written_time(microseconds: Any) -> str | None:
    return None if microseconds is None else times.iso(microseconds)
