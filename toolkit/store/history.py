"""The log seen as time: what was when, and what led to it.

Two orders are kept apart. *Arrival* is the order of the log; the latest state
is what its updates lead to in that order. *Effective time* is when an update
says it happened: its ``$time``, else its arrival. The past follows effective
time: an update that arrived late, or was imported with older times, is part of
the past from the time it names.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import (
    ABSENT,
    CompactedError,
    InvalidTimeError,
    Progress,
    count,
    is_whole,
    quoted,
    silent,
    times,
)
from toolkit.columns import Column, Positions, Snapshot
from toolkit.store.log import Batch, Compaction, Log
from toolkit.updates import (
    OPERATORS,
    ColumnarUpdates,
    Message,
    Row,
    State,
    Updates,
    apply,
    plan,
)


class Update(NamedTuple):
    """One update of the log.

    ``time`` is its effective time, in microseconds since 1970 UTC.
    """

    batch: Batch
    position: int
    time: int
    message: Message


#: Updates of one kind: messages with their effective times, or whole columns with theirs.
Run: TypeAlias = list[Update] | tuple[int, ColumnarUpdates]


def runs(log: Log, group_key: str, until: int | None = None) -> Iterator[tuple[Batch, Run]]:
    """Yield the updates of one table in the order of arrival, up to a batch.

    Those that are part of a compacted log's base are left out.
    """
    compaction = log.compaction()
    start = 0 if compaction is None else compaction.batch
    for batch in log.batches():
        if until is not None and batch.id > until:
            return
        if batch.id > start:
            yield from _runs(log, group_key, batch)


def runs_of(log: Log, group_key: str, batches: Container[int]) -> Iterator[tuple[Batch, Run]]:
    """Yield the updates of one table in some batches, in the order of arrival."""
    for batch in log.batches():
        if batch.id in batches:
            yield from _runs(log, group_key, batch)


def _runs(log: Log, group_key: str, batch: Batch) -> Iterator[tuple[Batch, Run]]:
    for part in log.updates(batch.id):
        if isinstance(part, ColumnarUpdates):
            if part.group_key == group_key:
                yield batch, (part.happened(batch.time), part)
        elif run := _dated(batch, part, group_key):
            yield batch, run


def _dated(batch: Batch, part: list[tuple[int, Message]], group_key: str) -> list[Update]:
    return [
        Update(batch, position, batch.time if message.time is None else message.time, message)
        for position, message in part
        if message.group_key == group_key
    ]


def by_time(log: Log, group_key: str, until: int) -> Iterator[Run]:
    """Yield the updates of one table that had happened by a time, in effective time.

    What happened at the same time is in the order of arrival. Updates that are
    part of a compacted log's base are left out; a late one, which arrived after the
    compaction, follows the base whatever time it names.
    """
    compaction = log.compaction()
    pieces: list[_Piece] = []
    dated: list[tuple[int, Batch, ColumnarUpdates]] = []
    for rank, batch in enumerate(log.batches()):
        since = _NEVER
        if compaction is not None and batch.id <= compaction.through:
            since = compaction.time
        for _, run in _runs(log, group_key, batch):
            if not isinstance(run, tuple):
                timed = [_Piece(update.time, rank, update) for update in run]
            elif run[1].times is None:
                timed = [_Piece(run[0], rank, run[1])]
            else:
                within = (run[1].times > since) & (run[1].times <= until)
                dated.append((rank, batch, run[1].rows(np.flatnonzero(within))))
                continue
            pieces += [piece for piece in timed if since < piece.time <= until]
    pieces.sort(key=lambda piece: piece.time)
    if dated:
        pieces = _with_dated(pieces, dated)
    yield from _joined(pieces)


class _Piece(NamedTuple):
    """One update, or a whole import, and when it happened; *rank* is the order of arrival."""

    time: int
    rank: int
    what: Update | ColumnarUpdates


_NEVER: Final = int(np.iinfo(np.int64).min)
# Rows with times of their own are applied in whole columns, cut where something else
# happened in between. More cuts than this cost more than going row by row.
_CUTS: Final = 50


def _with_dated(
    pieces: list[_Piece], dated: list[tuple[int, Batch, ColumnarUpdates]]
) -> list[_Piece]:
    """Return the pieces with dated rows between them, where they belong in effective time."""
    rows = ColumnarUpdates(
        pa.concat_arrays([part.ids for _, _, part in dated]),
        {
            name: Column.joined(
                [part.columns.get(name, Column.absent(len(part.ids))) for _, _, part in dated]
            )
            for name in dict.fromkeys(name for _, _, part in dated for name in part.columns)
        },
        group_key=dated[0][2].group_key,
        times=np.concatenate([part.times for _, _, part in dated if part.times is not None]),
    )
    ranks = np.concatenate([np.full(len(part.ids), rank) for rank, _, part in dated])
    assert rows.times is not None
    order = np.lexsort((ranks, rows.times))
    rows, ranks = rows.rows(order), ranks[order]
    happened = rows.times
    assert happened is not None
    places = _places(happened, ranks, pieces)
    cuts = np.unique(places)
    if len(cuts) > _CUTS:
        batches = {rank: batch for rank, batch, _ in dated}
        each = zip(happened.tolist(), ranks.tolist(), rows.messages(), strict=True)
        pieces = pieces + [
            _Piece(time, rank, Update(batches[rank], 0, time, message))
            for time, rank, message in each
        ]
        return sorted(pieces, key=lambda piece: piece[:2])
    merged: list[_Piece] = []
    start = passed = 0
    for stop in dict.fromkeys([*cuts.tolist(), len(happened)]):
        if stop > start:
            part = rows.rows(np.arange(start, stop))
            merged.append(_Piece(int(happened[stop - 1]), -1, part))
        until = int(np.searchsorted(places, stop, side="right"))
        merged += pieces[passed:until]
        start, passed = stop, until
    return merged


def _places(times_: Positions, ranks: Positions, pieces: list[_Piece]) -> Positions:
    """Return how many dated rows come before each piece."""
    at = np.array([piece.time for piece in pieces], np.int64)
    lows, highs = np.searchsorted(times_, at), np.searchsorted(times_, at, side="right")
    return np.array(
        [
            low + np.searchsorted(ranks[low:high], piece.rank)
            for low, high, piece in zip(lows, highs, pieces, strict=True)
        ],
        np.int64,
    )


def _joined(pieces: list[_Piece]) -> Iterator[Run]:
    """Yield pieces in their order, single updates that follow each other as one run."""
    for is_columns, group in groupby(pieces, lambda piece: isinstance(piece.what, ColumnarUpdates)):
        if is_columns:
            yield from ((piece.time, piece.what) for piece in group)  # type: ignore[misc]
        else:
            yield [piece.what for piece in group]  # type: ignore[misc]


def state_after(log: Log, group_key: str, batch_id: int, progress: Progress = silent) -> State:
    """Return the state after a batch: what the table held when it had arrived.

    Raises
    ------
    CompactedError
        If a compacted log starts with a later batch.
    """
    compaction = log.compaction()
    if compaction is not None and batch_id < compaction.batch:
        raise CompactedError(
            f"the table after batch {batch_id} is no longer known: batches up to "
            f"{compaction.batch} were compacted. batch={compaction.batch} is the first."
        )
    state = State() if compaction is None else State.of(log.base(group_key).arrived)
    start = 0 if compaction is None else compaction.batch
    total = sum(batch.outcome.applied for batch in log.batches() if start < batch.id <= batch_id)
    done = 0
    for batch, run in runs(log, group_key, batch_id):
        length = len(run[1].ids) if isinstance(run, tuple) else len(run)
        replay(state, run, batch.time, _looking_back(progress, done, length, total))
        done += length
    return state


def states_around(
    log: Log, group_key: str, batch_id: int, progress: Progress = silent
) -> tuple[Snapshot, Snapshot]:
    """Return what the table held before a batch had arrived, and after.

    Errors as for :func:`state_after`.
    """
    state = state_after(log, group_key, batch_id - 1, progress)
    before = state.snapshot()
    for batch, run in runs_of(log, group_key, {batch_id}):
        replay(state, run, batch.time, _looking_back(progress, 0, 0, 0))
    return before, state.snapshot()


def _looking_back(progress: Progress, before: int, length: int, total: int) -> Progress:
    """Return a progress of one run, reported as how many updates of the log have been replayed."""

    def tell(_stage: str, done: int, of: int, /) -> None:
        progress("Looking back", before + (done * length // of if of else 0), total)

    return tell


def snapshot_as_of(log: Log, group_key: str, time: int) -> Snapshot:
    """Return the profiles as of an effective time, in microseconds since 1970 UTC.

    Raises
    ------
    CompactedError
        If a compacted log starts later.
    """
    compaction = log.compaction()
    if compaction is not None and time < compaction.time:
        raise before_compaction(compaction, f"the table as of {times.iso(time)} is")
    state = State() if compaction is None else State.of(log.base(group_key).happened)
    for run in by_time(log, group_key, time):
        replay(state, run, time)
    return state.snapshot()


def before_compaction(compaction: Compaction, what: str) -> CompactedError:
    """Return the error that something lies before the past that is known."""
    return CompactedError(
        f"{what} no longer known: what happened before {times.iso(compaction.time)} was "
        "compacted. Ask for that time or a later one."
    )


def replay(state: State, run: Run, arrival: int, progress: Progress = silent) -> None:
    """Bring a state of the past up to date with a run."""
    progress("Replaying", 0, 0)
    if isinstance(run, tuple):
        state.install(plan(state, run[1], arrival, progress=progress).change)
        return
    messages = [(place, _with_time(update)) for place, update in enumerate(run)]
    state.install(plan(state, messages, arrival, progress=progress).change)


def _with_time(update: Update) -> Message:
    message = update.message
    return message if message.time is not None else replace(message, time=update.time)


def updates_of(log: Log, group_key: str, distinct_id: str) -> list[Update]:
    """Return the updates of one profile in the order of arrival."""
    batches = {batch.id: batch for batch in log.batches()}
    compaction = log.compaction()
    updates: list[Update] = []
    if compaction is not None:
        updates = _of_base(log, group_key, distinct_id, compaction, batches[compaction.batch])
    for batch_id, part in log.updates_of(group_key, distinct_id):
        if compaction is None or batch_id > compaction.batch:
            updates += _of_profile(batches[batch_id], part, group_key)
    return updates


def _of_profile(batch: Batch, part: Updates, group_key: str) -> list[Update]:
    """Return what a batch holds of one profile, a row of whole columns as a message."""
    if isinstance(part, ColumnarUpdates):
        part = [(0, message) for message in part.messages(batch.time)]
    return _dated(batch, part, group_key)


def _of_base(
    log: Log, group_key: str, distinct_id: str, compaction: Compaction, last: Batch
) -> list[Update]:
    """Return what a compacted log starts a profile from, as one update."""
    base = log.base(group_key).arrived
    position = base.position(distinct_id)
    if position < 0:
        return []
    source = f"compacted history up to batch {last.id}"
    operations = (("$set", base.row(position)),)
    message = Message(distinct_id, operations, None, True, group_key)
    return [Update(replace(last, source=source), 0, compaction.time, message)]


@dataclass(frozen=True, eq=False)
class ProfilePast:
    """One profile through time: what it was at any moment, from its own updates alone.

    Attributes
    ----------
    start
        What the known past begins with, None for no profile.
    updates
        The updates after that, in effective time.
    since
        What was before this moment is not known, for the log was compacted; None if
        all is.
    """

    start: Row | None
    updates: tuple[Update, ...]
    since: int | None = None

    @property
    def moments(self) -> tuple[int, ...]:
        """The moments at which something was written, microseconds since 1970 UTC, ascending."""
        moments: dict[int, None] = {}
        if self.since is not None and self.start is not None:
            moments[self.since] = None
        row = self.start
        for update in self.updates:
            row, wrote = _applied(row, update)
            if wrote:  # COMPACT-3: what arrived late counts from where the known past begins
                moments[update.time if self.since is None else max(update.time, self.since)] = None
        return tuple(moments)

    def at(self, moment: int) -> Row | None:
        """Return the profile as of a moment, as ``as_of`` has it; None where there was none.

        Raises
        ------
        InvalidTimeError
            If *moment* is not a whole number of microseconds since 1970 UTC.
        CompactedError
            If it is before the past that is known.
        """
        if not is_whole(moment):
            raise InvalidTimeError(
                f"moment={quoted(moment):.60}; microseconds since 1970 UTC are needed, such as one "
                'of moments. profiles.as_of("2026-05-01") takes times in words'
            )
        if self.since is not None and moment < self.since:
            raise CompactedError(
                f"what happened before {times.iso(self.since)} was compacted. "
                "Ask for that time or a later one."
            )
        row = self.start
        for update in self.updates[: bisect_right(self.updates, moment, key=lambda u: u.time)]:
            row, _ = _applied(row, update)
        return row


def _applied(row: Row | None, update: Update) -> tuple[Row | None, bool]:
    message = update.message
    after, wrote = apply(None if row is None else row.properties, message.operations)
    if after is None or not wrote:
        return (None if after is None else row), wrote
    seen = times.NO_TIME if row is None else row.last_seen
    return Row(after, max(seen, message.moves_to(update.time)), False), wrote


def past_of(log: Log, group_key: str, distinct_id: str) -> ProfilePast:
    """Return one profile through time."""
    batches = {batch.id: batch for batch in log.batches()}
    compaction = log.compaction()
    start = None
    if compaction is not None:
        base = log.base(group_key).happened
        position = base.position(distinct_id)
        if position >= 0:
            start = Row(base.row(position), int(base.last_seen[position]), False)
    past: list[Update] = []
    for batch_id, part in log.updates_of(group_key, distinct_id):
        updates = _of_profile(batches[batch_id], part, group_key)
        if compaction is not None and batch_id <= compaction.through:
            updates = [update for update in updates if update.time > compaction.time]
        past += updates
    past.sort(key=lambda update: update.time)
    return ProfilePast(start, tuple(past), None if compaction is None else compaction.time)


@dataclass(frozen=True, eq=False)
class Timeline:
    """One property of all profiles, as it changed.

    Attributes
    ----------
    ids
        Distinct IDs, each once: pyarrow ``large_string``.
    codes
        Whose change it is: a position in *ids*, ascending.
    times
        When, in microseconds since 1970 UTC; ascending within a code.
    values
        What the property was from then on.
    since
        What was before this moment is not known, for the log was compacted; None if
        all is.
    """

    ids: pa.Array
    codes: Positions
    times: Positions
    values: Column
    since: int | None = None

    def require_past(self, moments: Positions, whose: str) -> None:
        """Raise if the events of some moments happened before the past that is known.

        Raises
        ------
        CompactedError
            Naming *whose* past it is, such as "users".
        """
        if self.since is None:
            return
        moments = moments[moments != times.NO_TIME]
        if early := int((moments < self.since).sum()):
            raise CompactedError(
                f"{count(early, 'event')} happened before {times.iso(self.since)}; what their "
                f"{whose} were then is no longer known, for the history was compacted. Use "
                'at="latest", or only events from then on.'
            )

    def at(self, ids: pa.Array, codes: Positions, moments: Positions) -> Column:
        """Return the property of some users at some moments.

        Parameters
        ----------
        ids
            Distinct IDs, pyarrow ``large_string``.
        codes
            A position in *ids* for each moment, -1 for nobody.
        moments
            Microseconds since 1970 UTC.
        """
        if not len(self.codes) or not len(ids):
            return Column.absent(len(codes))
        places = pc.fill_null(pc.index_in(ids, value_set=self.ids), -1).to_numpy().astype(np.int64)
        who = np.where(codes >= 0, places[codes], -1)
        # One number for who and when: the last change not after it is the answer.
        distinct = np.unique(self.times)
        step = len(distinct) + 1
        changes = self.codes * step + np.searchsorted(distinct, self.times) + 1
        asked = who * step + np.searchsorted(distinct, moments, side="right")
        last = np.searchsorted(changes, asked, side="right") - 1
        missing = (who < 0) | (last < 0)
        last[missing] = 0
        missing |= self.codes[last] != who
        last[missing] = -1
        return self.values.take(last)


def timeline(log: Log, group_key: str, name: str) -> Timeline:
    """Return how a property of all profiles changed, in effective time."""
    keys: list[pa.Array] = []
    moments: list[Positions] = []
    values: list[Column] = []
    # Operators whose result depends on what was stored, by place in the whole.
    relative: dict[int, tuple[str, Any]] = {}
    length = 0
    compaction = log.compaction()
    since = None if compaction is None else compaction.time
    if since is not None:
        base = log.base(group_key).happened
        column_then = base.column(name)
        present = np.flatnonzero(column_then.is_present)
        keys.append(base.ids.take(pa.array(present)))
        values.append(column_then.take(present))
        moments.append(np.full(len(present), since, np.int64))
        length = len(present)
    for run in by_time(log, group_key, np.iinfo(np.int64).max):
        if isinstance(run, tuple):
            time, updates = run
            present = np.flatnonzero(updates.writing(name))
            if not len(present):
                continue
            column = updates.columns.get(name, Column.absent(len(updates)))
            keys.append(updates.ids.take(pa.array(present)))
            values.append(column.take(present))
            dated = (
                np.full(len(updates), time, np.int64) if updates.times is None else updates.times
            )
            moments.append(dated[present])
        else:
            ids, at, cells = _changes(run, name, length, relative)
            keys.append(pa.array(ids, pa.large_string()))
            values.append(Column.of(cells))
            moments.append(np.array(at, np.int64))
        length += len(moments[-1])
    if not length:
        empty = np.zeros(0, np.int64)
        nobody = pa.array([], pa.large_string())
        return Timeline(nobody, empty, empty, Column.absent(0), since)
    encoded = pa.concat_arrays(keys).dictionary_encode()
    codes = encoded.indices.to_numpy().astype(np.int64)
    column = _resolved(name, codes, Column.joined(values), relative)
    order = np.argsort(codes, kind="stable")
    times_ = np.concatenate(moments)[order]
    if since is not None:  # a late update counts from where the known past begins
        times_ = np.maximum(times_, since)
    return Timeline(encoded.dictionary, codes[order], times_, column.take(order), since)


def _changes(
    run: list[Update], name: str, start: int, relative: dict[int, tuple[str, Any]]
) -> tuple[list[str], list[int], list[Any]]:
    """Return who, when and what of the changes to one property; note the relative ones."""
    ids: list[str] = []
    at: list[int] = []
    cells: list[Any] = []
    for update in run:
        for operator, argument in update.message.operations:
            kind = OPERATORS[operator]
            if not kind.deletes and name not in argument:
                continue
            value = argument[name] if kind.argument == "values" else None
            cell: Any = ABSENT
            if not kind.resets:
                relative[start + len(ids)] = (operator, value)
            elif not kind.deletes:
                cell = kind({}, kind.one(name, value)).get(name, ABSENT)
            ids.append(update.message.distinct_id)
            at.append(update.time)
            cells.append(cell)
    return ids, at, cells


def _resolved(
    name: str, codes: Positions, column: Column, relative: dict[int, tuple[str, Any]]
) -> Column:
    """Return the column with the results of the relative operators in place."""
    if not relative:
        return column
    concerned = np.isin(codes, codes[list(relative)])
    places = np.flatnonzero(concerned)
    stored: dict[int, Any] = {}
    results = []
    cells = column.take(places).cells()
    for place, code, cell in zip(places.tolist(), codes[places].tolist(), cells, strict=True):
        if place in relative:
            operator, argument = relative[place]
            before = stored.get(code, ABSENT)
            properties = {} if before is ABSENT else {name: before}
            kind = OPERATORS[operator]
            after = kind(properties, kind.one(name, argument))
            cell = after.get(name, ABSENT)
        stored[code] = cell
        results.append(cell)
    return column.put(places, Column.of(results))
