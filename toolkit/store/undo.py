"""Undoing a batch: the edits that put back what it changed, or why they cannot.

An undo is a batch of its own at the end of the log, so nothing is ever taken out
of the log, and undoing the undo is the redo. All of it is worked out in whole
columns; a small one is logged as its messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa

from toolkit.base import ABSENT, NO_TIME, Progress, UndoError, argument, quoted, silent
from toolkit.columns import Column, Mask, Positions, Snapshot, places
from toolkit.store.history import Run, replay, runs_of, state_after, states_around
from toolkit.store.log import Batch, Log
from toolkit.updates import CellRejections, ColumnarUpdates, State, rejection_frame, rejections_of

#: Up to so many edits an undo is logged as messages, which people can read, and which
#: other handles and checkpoints follow profile by profile.
_AS_MESSAGES_AT_MOST: Final = 1_000

_MADE: Final = "created by the batch, and updated since"
_GONE: Final = "deleted by the batch, and written again since"
_CHANGED: Final = "changed by the batch, and written again since"


def edits_to_undo(
    log: Log,
    batch_id: int,
    only_untouched: bool,
    latest: Callable[[str], Snapshot],
    progress: Progress = silent,
) -> tuple[int, list[ColumnarUpdates], bool]:
    """Return the edits that put back what a batch changed, a part for each table.

    Before them, the batch they undo: where the batch asked for was undone and
    redone, that is the redo. After them, whether they put back all of it. *latest*
    gives the profiles of a group key as they are now.

    Raises
    ------
    UndoError
        If there is no such batch, it is undone already, or later updates wrote to
        what it changed and *only_untouched* is false.
    """
    compaction = log.compaction()
    if compaction is not None and 0 < batch_id <= compaction.batch:
        raise UndoError(
            f"batch {batch_id} cannot be undone: its updates were compacted, as were all up to "
            f"batch {compaction.batch}"
        )
    batches = log.batches()
    batch_id = _standing(batches, batch_id)
    conflicts: list[CellRejections] = []
    planned = [
        plan_undo(log, key, batch_id, latest, conflicts, progress)
        for key in sorted(log.keys(batch_id))
    ]
    if conflicts and not only_untouched:
        first = "; ".join(
            f"{each.distinct_id!r} {each.property or '(profile)'}: {each.reason}"
            for each in islice(rejections_of(conflicts), 3)
        )
        number = sum(len(ids) for ids, _, _ in conflicts)
        raise UndoError(
            f"batch {batch_id} cannot be undone whole: later updates wrote to {number:,} "
            f"of its cells or profiles ({first}). Nothing was changed. "
            f"{argument('only_untouched', True)} undoes the rest.",
            rejection_frame(rejections_of(conflicts), ("distinct_id", "property", "reason")),
        )
    return batch_id, [part for part in planned if len(part)], not conflicts


def is_small(parts: list[ColumnarUpdates]) -> bool:
    """Return whether an undo is to be logged, and applied, as its messages."""
    return sum(map(len, parts)) <= _AS_MESSAGES_AT_MOST


def _standing(batches: list[Batch], batch_id: int) -> int:
    """Return the batch whose undoing undoes a batch: itself, or the last redo of it."""
    if not any(batch.id == batch_id for batch in batches):
        raise UndoError(
            f"there is no batch {quoted(batch_id)}; profiles.batches lists {len(batches):,}"
        )
    undone_by = {batch.undoes: batch.id for batch in batches if batch.undoes is not None}
    while (undo := undone_by.get(batch_id)) is not None:
        redo = undone_by.get(undo)
        if redo is None:
            raise UndoError(f"batch {batch_id} is undone already, by batch {undo}")
        batch_id = redo
    return batch_id


def _standing_after(batches: list[Batch], batch_id: int) -> set[int]:
    """Return the batches after one that are neither undone nor an undo."""
    standing: set[int] = set()
    for batch in batches:
        if batch.id <= batch_id:
            continue
        if batch.undoes in standing:
            standing.remove(batch.undoes)
        else:
            standing.add(batch.id)
    return standing


class _Touched:
    """Which of some profiles and cells the batches after one left other than they were.

    A batch counts for what it changed, exactly: an update that writes what is there
    already, or that the same batch takes back, changes nothing. A batch that was undone
    since changed nothing, so the last batches can be undone one after the other; what its
    undo did not put back counts.

    Parameters
    ----------
    ids
        The profiles asked about.
    after
        Those of them that there were after the batch, as they were then.
    """

    def __init__(self, ids: pa.Array, after: Snapshot) -> None:
        self.ids = ids
        #: Which of them changed at all, and which were made, deleted or made again.
        self.named: Mask = np.zeros(len(ids), np.bool_)
        self.whole: Mask = np.zeros(len(ids), np.bool_)
        self._cells: dict[str, Mask] = {}
        self._after = after
        self._state = State.of(after)
        self._rows = dict(zip(ids.to_pylist(), range(len(ids)), strict=True))

    def cells(self, name: str) -> Mask:
        """Return whose property changed."""
        cells = self._cells.get(name)
        return self.whole if cells is None else cells | self.whole

    def add(self, batch: Batch, runs: Iterable[Run], *, counts: bool) -> None:
        """Follow a batch, the next in the order of arrival; add what it changed if it *counts*."""
        own = [mine for run in runs if (mine := self._own(run)) is not None]
        if not own:
            return
        keys, names, deleted = _named(own)
        before = self._held(keys, names)
        for run in own:
            replay(self._state, run, batch.time)
        if counts:
            at = np.array([self._rows[key] for key in keys.to_pylist()], np.int64)
            if len(deleted):
                self.whole[at[before[0] & (places(keys, deleted) >= 0)]] = True
            self._compare(at, before, self._held(keys, names))

    def add_differences(self, progress: Progress) -> None:
        """Add what is not as it was after the batch, now that all batches were followed."""
        now = self._state.snapshot()
        then, here = self._after.positions(self.ids), now.positions(self.ids)
        at = np.arange(len(self.ids))
        for name in _reported(
            dict.fromkeys([*self._after.columns, *now.columns]), len(at), progress
        ):
            before = {name: self._after.column(name).take(then)}
            after = {name: now.column(name).take(here)}
            self._compare(at, (then >= 0, before), (here >= 0, after))

    def _compare(self, at: Positions, before: _Held, after: _Held) -> None:
        """Add what differs of the profiles *at* some places."""
        changed = before[0] != after[0]
        self.whole[at[changed]] = True
        for name, column in before[1].items():
            differs = ~column.identical(after[1][name])
            changed |= differs
            if differs.any():
                cells = self._cells.setdefault(name, np.zeros(len(self.ids), np.bool_))
                cells[at[differs]] = True
        self.named[at[changed]] = True
        self.named |= self.whole

    def _own(self, run: Run) -> Run | None:
        """Return what a run says of the profiles asked about, None if it names none."""
        if not isinstance(run, tuple):
            return [each for each in run if each.message.distinct_id in self._rows] or None
        time, updates = run
        at = np.flatnonzero(places(updates.ids, self.ids) >= 0)
        return (time, updates.rows(at)) if len(at) else None

    def _held(self, keys: pa.Array, names: list[str]) -> _Held:
        """Return which profiles there are now, and their cells."""
        if len(keys) > _AS_MESSAGES_AT_MOST:
            held = self._state.snapshot()
            at = held.positions(keys)
            return at >= 0, {name: held.column(name).take(at) for name in names}
        rows = self._state.rows(keys.to_pylist())
        profiles = [rows[key].properties if key in rows else {} for key in keys.to_pylist()]
        exists = np.array([key in rows for key in keys.to_pylist()], np.bool_)
        columns = {name: Column.of([each.get(name, ABSENT) for each in profiles]) for name in names}
        return exists, columns


#: Which of some profiles there are, and their cells by property.
_Held: TypeAlias = tuple[Mask, dict[str, Column]]


def _named(runs: Iterable[Run]) -> tuple[pa.Array, list[str], pa.Array]:
    """Return the profiles and the properties that updates name, and the profiles they delete."""
    keys: list[pa.Array] = []
    deleted: list[pa.Array] = [pa.array([], pa.large_string())]
    names: dict[str, None] = {}
    for run in runs:
        if isinstance(run, tuple):
            keys.append(run[1].ids)
            names.update(dict.fromkeys(run[1].names))
            deleted.append(run[1].ids.filter(pa.array(run[1].deletes)))
            continue
        keys.append(pa.array([each.message.distinct_id for each in run], pa.large_string()))
        gone = []
        for _, _, _, message in run:
            if message.deletes:
                gone.append(message.distinct_id)
                continue
            for _, properties in message.operations:
                names.update(dict.fromkeys(properties))
        deleted.append(pa.array(gone, pa.large_string()))
    return pa.concat_arrays(keys).unique(), list(names), pa.concat_arrays(deleted).unique()


def _reported(names: Iterable[str], rows: int, progress: Progress) -> Iterator[str]:
    """Yield names of properties, and report how much of the table has been looked at."""
    all_names = list(names)
    for done, name in enumerate(all_names):
        progress("Looking back", done * rows // len(all_names), rows)
        yield name


def plan_undo(
    log: Log,
    group_key: str,
    batch_id: int,
    latest: Callable[[str], Snapshot],
    conflicts: list[CellRejections],
    progress: Progress = silent,
) -> ColumnarUpdates:
    """Return what putting back a batch takes, in the table of a group key.

    Add to *conflicts* what later updates touched.
    """
    before, after = _around(log, group_key, batch_id, latest, progress)
    ids, then, now = _aligned(before, after)
    was, is_now = then >= 0, now >= 0
    made, gone, stayed = ~was & is_now, was & ~is_now, was & is_now
    differing: dict[str, Mask] = {}
    changed = made | gone
    # Only a profile that is in both has cells to compare.
    left, right = np.where(stayed, then, -1), np.where(stayed, now, -1)
    alike = np.array_equal(left, right)
    for name in _reported(dict.fromkeys([*before.columns, *after.columns]), len(ids), progress):
        if alike and before.columns.get(name) is after.columns.get(name):
            continue  # a replay leaves a column that nobody writes to as it is
        differs = ~before.column(name).take(left).identical(after.column(name).take(right))
        if differs.any():
            differing[name] = differs
            changed |= differs

    # What the batch left alone is of no concern.
    concerned = np.flatnonzero(changed)
    ids, then, now = ids.take(pa.array(concerned)), then[concerned], now[concerned]
    made, gone = made[concerned], gone[concerned]
    touched = _touched(log, group_key, batch_id, ids, after.take(now[now >= 0]), progress)
    later: list[tuple[Mask, str | None, str]] = [
        (made & touched.named, None, _MADE),
        (gone & touched.named, None, _GONE),
    ]
    writes: dict[str, Mask] = {}
    unset: dict[str, Mask] = {}
    for name, mask in differing.items():
        differs = mask[concerned]
        again = touched.cells(name)
        later.append((differs & again, name, _CHANGED))
        differs &= ~again
        is_present = before.column(name).take(then).is_present
        writes[name] = differs & is_present
        unset[name] = differs & ~is_present
    conflicts += [
        CellRejections(ids.filter(pa.array(mask)), name, reason)
        for mask, name, reason in later
        if mask.any()
    ]
    made &= ~touched.named
    gone &= ~touched.named
    changed = np.zeros(len(ids), np.bool_)
    for mask in (*writes.values(), *unset.values()):
        changed |= mask
    # Profiles written again come last, in the order they were in.
    rows = np.concatenate([np.flatnonzero(mask) for mask in (made, gone, changed)])
    again = gone[rows]
    columns: dict[str, Column] = {}
    for name in _reported(before.columns, len(ids), progress):
        restored = again | writes[name][rows] if name in writes else again
        if restored.any():
            cells = before.column(name).take(np.where(restored, then[rows], -1))
            if cells.state.any():
                columns[name] = cells
    taken = {name: mask[rows] for name, mask in unset.items() if mask.any()}
    seen = np.full(len(rows), NO_TIME, np.int64)
    seen[again] = before.last_seen[then[rows[again]]]
    return ColumnarUpdates(
        ids.take(pa.array(rows)),
        columns,
        seen,
        group_key,
        unset=taken,
        deleted=made[rows],
        form="edits",
    )


def _around(
    log: Log,
    group_key: str,
    batch_id: int,
    latest: Callable[[str], Snapshot],
    progress: Progress,
) -> tuple[Snapshot, Snapshot]:
    """Return the table before and after a batch."""
    [batch] = [each for each in log.batches() if each.id == batch_id]
    if batch_id == log.last() and batch.outcome.applied > _AS_MESSAGES_AT_MOST:
        # What it led to is there, and is needed anyway.
        after = latest(group_key)
        return state_after(log, group_key, batch_id - 1, progress).snapshot(), after
    return states_around(log, group_key, batch_id, progress)


def _aligned(before: Snapshot, after: Snapshot) -> tuple[pa.Array, Positions, Positions]:
    """Return the IDs of both, those of *after* first, and where each is in either."""
    shared = min(len(before), len(after))
    if before.ids.slice(0, shared).equals(after.ids.slice(0, shared)):
        # Nearly always: a batch adds profiles at the end, an undo takes them away there.
        ids = after.ids if len(after) > shared else before.ids
        rows = np.arange(len(ids))
        return ids, np.where(rows < len(before), rows, -1), np.where(rows < len(after), rows, -1)
    ids = pa.concat_arrays([after.ids, before.ids]).unique()
    return ids, before.positions(ids), after.positions(ids)


def _touched(
    log: Log,
    group_key: str,
    batch_id: int,
    ids: pa.Array,
    after: Snapshot,
    progress: Progress,
) -> _Touched:
    touched = _Touched(ids, after)
    if not len(ids):
        return touched
    later = {batch.id for batch in log.batches() if batch.id > batch_id}
    standing = _standing_after(log.batches(), batch_id)
    for batch, group in groupby(runs_of(log, group_key, later), lambda each: each[0]):
        progress("Looking back", batch.id - batch_id, len(later))
        touched.add(batch, (run for _, run in group), counts=batch.id in standing)
    if len(standing) < len(later):
        touched.add_differences(progress)
    return touched
