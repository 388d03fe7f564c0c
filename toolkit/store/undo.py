"""Undoing a batch: the edits that put back what it changed, or why they cannot.

An undo is a batch of its own at the end of the log, so nothing is ever taken out
of the log, and undoing the undo is the redo. All of it is worked out in whole
columns; a small one is logged as its messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.base import NO_TIME, Progress, UndoError, argument, quoted, silent
from toolkit.columns import Column, Mask, Positions, Snapshot, cell_frame, objects, places
from toolkit.store.history import Run, Update, runs_of, state_after, states_around
from toolkit.store.log import Batch, Log
from toolkit.updates import LoggedEdits

#: Up to so many edits an undo is logged as messages, which people can read, and which
#: other handles and checkpoints follow profile by profile.
_AS_MESSAGES_AT_MOST: Final = 1_000

_MADE: Final = "created by the batch, and updated since"
_GONE: Final = "deleted by the batch, and written again since"
_CHANGED: Final = "changed by the batch, and written again since"


@dataclass
class Conflicts:
    """What later updates touched, and so is not put back."""

    #: Distinct IDs, a property or None for the whole profile, and the reason.
    parts: list[tuple[pa.Array, str | None, str]] = field(default_factory=list)

    def add(self, ids: pa.Array, name: str | None, reason: str) -> None:
        """Add the same property of some profiles."""
        if len(ids):
            self.parts.append((ids, name, reason))

    def __len__(self) -> int:
        return sum(len(ids) for ids, _, _ in self.parts)

    def first(self, at_most: int) -> list[tuple[str, str | None, str]]:
        """Return the first of them: distinct ID, property, reason."""
        found = [
            (key, name, reason)
            for ids, name, reason in self.parts[:at_most]
            for key in ids.slice(0, at_most).to_pylist()
        ]
        return found[:at_most]

    def frame(self) -> pd.DataFrame:
        """Return a row each: ``distinct_id``, ``property``, ``reason`` (``object``)."""
        lengths = [len(ids) for ids, _, _ in self.parts]
        data = {
            "distinct_id": objects([key for ids, _, _ in self.parts for key in ids.to_pylist()]),
            "property": np.repeat(objects([name for _, name, _ in self.parts]), lengths),
            "reason": np.repeat(objects([reason for _, _, reason in self.parts]), lengths),
        }
        return cell_frame(data)


def edits_to_undo(
    log: Log,
    batch_id: int,
    only_untouched: bool,
    latest: Callable[[str], Snapshot],
    progress: Progress = silent,
) -> tuple[int, list[LoggedEdits], bool]:
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
    conflicts = Conflicts()
    planned = [
        plan_undo(log, key, batch_id, latest, conflicts, progress)
        for key in sorted(log.keys(batch_id))
    ]
    if len(conflicts) and not only_untouched:
        told = [
            f"{key!r} {name or '(profile)'}: {reason}" for key, name, reason in conflicts.first(3)
        ]
        raise UndoError(
            f"batch {batch_id} cannot be undone whole: later updates wrote to {len(conflicts):,} "
            f"of its cells or profiles ({'; '.join(told)}). Nothing was changed. "
            f"{argument('only_untouched', True)} undoes the rest.",
            conflicts.frame(),
        )
    return batch_id, [part for part in planned if len(part)], not len(conflicts)


def is_small(parts: list[LoggedEdits]) -> bool:
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
    """Return the batches after one that stand: with an effect, and neither undone nor an undo."""
    standing: set[int] = set()
    idle = {batch.id for batch in batches if not batch.created + batch.updated + batch.deleted}
    for batch in batches:
        if batch.id <= batch_id:
            continue
        if batch.undoes in standing:
            standing.remove(batch.undoes)
        else:
            standing.add(batch.id)
    return standing - idle


class _Touched:
    """Which profiles and cells the batches after one wrote to.

    A batch that was undone since wrote to nothing, so the last batches can be undone
    one after the other; nor did a batch whose updates all had no effect. What is not
    as it was all the same, such as a 1 that became 1.0, counts as written to.

    Attributes
    ----------
    ids
        The profiles asked about.
    named, whole
        Which of them an update named at all, and which it deleted.
    """

    def __init__(self, ids: pa.Array) -> None:
        self.ids = ids
        self.named: Mask = np.zeros(len(ids), np.bool_)
        self.whole: Mask = np.zeros(len(ids), np.bool_)
        self._cells: dict[str, Mask] = {}

    def cells(self, name: str) -> Mask:
        """Return whose property was written to."""
        cells = self._cells.get(name)
        return self.whole if cells is None else cells | self.whole

    def _write(self, name: str, positions: Positions) -> None:
        if len(positions):
            cells = self._cells.setdefault(name, np.zeros(len(self.ids), np.bool_))
            cells[positions] = True

    def add(self, run: Run) -> None:
        """Add what a batch wrote to."""
        if not isinstance(run, tuple):
            self._add_messages(run)
            return
        given = run[1]
        at = self._positions(given.ids)
        asked = at >= 0
        self.named[at[asked]] = True
        if isinstance(given, LoggedEdits):
            self.whole[at[asked & given.deleted]] = True
        for name in given.names:
            self._write(name, at[asked & given.writing(name)])

    def _add_messages(self, run: list[Update]) -> None:
        keys = pa.array([update.message.distinct_id for update in run], pa.large_string())
        at = self._positions(keys)
        self.named[at[at >= 0]] = True
        cells: dict[str, list[int]] = {}
        for place, update in zip(at.tolist(), run, strict=True):
            if place < 0:
                continue
            for operator, names in update.message.operations:
                if operator == "$delete":
                    self.whole[place] = True
                    continue
                for name in names:
                    cells.setdefault(name, []).append(place)
        for name, found in cells.items():
            self._write(name, np.array(found, np.int64))

    def _positions(self, ids: pa.Array) -> Positions:
        return places(ids, self.ids)

    def add_differences(
        self, after: Snapshot, at: Positions, now: Snapshot, progress: Progress
    ) -> None:
        """Add what is no longer as it was *after* the batch, where the profiles stand *at*."""
        here = now.positions(self.ids)
        exists = (at >= 0) != (here >= 0)
        self.whole |= exists
        self.named |= exists
        for name in _told(dict.fromkeys([*after.columns, *now.columns]), len(self.ids), progress):
            same = after.column(name).take(at).identical(now.column(name).take(here))
            self._write(name, np.flatnonzero(~same))
            self.named |= ~same


def _told(names: Iterable[str], rows: int, progress: Progress) -> Iterator[str]:
    """Yield names of properties, and tell how much of the table has been looked at."""
    all_names = list(names)
    for done, name in enumerate(all_names):
        progress("Looking back", done * rows // len(all_names), rows)
        yield name


def plan_undo(
    log: Log,
    group_key: str,
    batch_id: int,
    latest: Callable[[str], Snapshot],
    conflicts: Conflicts,
    progress: Progress = silent,
) -> LoggedEdits:
    """Return what putting back a batch takes, in the table of a group key.

    Add to *conflicts* what later updates touched.
    """
    before, after = _around(log, group_key, batch_id, latest, progress)
    ids, then, now = _aligned(before, after)
    touched = _touched(log, group_key, batch_id, ids, (after, now), latest, progress)

    was, is_now = then >= 0, now >= 0
    made, gone, stayed = ~was & is_now, was & ~is_now, was & is_now
    conflicts.add(ids.filter(pa.array(made & touched.named)), None, _MADE)
    conflicts.add(ids.filter(pa.array(gone & touched.named)), None, _GONE)
    writes: dict[str, Mask] = {}
    unset: dict[str, Mask] = {}
    names = list(dict.fromkeys([*before.columns, *after.columns]))
    # Only where a profile stands in both is there a cell to compare.
    left, right = np.where(stayed, then, -1), np.where(stayed, now, -1)
    alike = np.array_equal(left, right)
    for name in _told(names, len(ids), progress):
        if alike and before.columns.get(name) is after.columns.get(name):
            continue  # a replay leaves a column that nobody writes to as it is
        old = before.column(name).take(left)
        differs = ~old.identical(after.column(name).take(right))
        if not differs.any():
            continue
        later = touched.cells(name)
        conflicts.add(ids.filter(pa.array(differs & later)), name, _CHANGED)
        differs &= ~later
        writes[name] = differs & old.is_present
        unset[name] = differs & ~old.is_present

    made &= ~touched.named
    gone &= ~touched.named
    changed = np.zeros(len(ids), np.bool_)
    for mask in (*writes.values(), *unset.values()):
        changed |= mask
    # Profiles written again stand last, in the order they stood in.
    rows = np.concatenate([np.flatnonzero(mask) for mask in (made, gone, changed)])
    again = gone[rows]
    columns: dict[str, Column] = {}
    for name in _told(before.columns, len(ids), progress):
        chosen = again | writes[name][rows] if name in writes else again
        if chosen.any():
            cells = before.column(name).take(np.where(chosen, then[rows], -1))
            if cells.state.any():
                columns[name] = cells
    taken = {name: mask[rows] for name, mask in unset.items() if mask.any()}
    seen = np.full(len(rows), NO_TIME, np.int64)
    seen[again] = before.last_seen[then[rows[again]]]
    return LoggedEdits(ids.take(pa.array(rows)), columns, taken, made[rows], seen, group_key)


def _around(
    log: Log,
    group_key: str,
    batch_id: int,
    latest: Callable[[str], Snapshot],
    progress: Progress,
) -> tuple[Snapshot, Snapshot]:
    """Return the table before and after a batch."""
    [batch] = [each for each in log.batches() if each.id == batch_id]
    if batch_id == log.last() and batch.messages > _AS_MESSAGES_AT_MOST:
        # What it led to is there, and is needed anyway.
        after = latest(group_key)
        return state_after(log, group_key, batch_id - 1, progress).snapshot(), after
    return states_around(log, group_key, batch_id, progress)


def _aligned(before: Snapshot, after: Snapshot) -> tuple[pa.Array, Positions, Positions]:
    """Return the IDs of both, those of *after* first, and where each stands in either."""
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
    after: tuple[Snapshot, Positions],
    latest: Callable[[str], Snapshot],
    progress: Progress,
) -> _Touched:
    touched = _Touched(ids)
    later = [batch.id for batch in log.batches() if batch.id > batch_id]
    standing = _standing_after(log.batches(), batch_id)
    for batch, run in runs_of(log, group_key, standing):
        progress("Looking back", batch.id - batch_id, len(later))
        touched.add(run)
    if len(standing) < len(later):
        touched.add_differences(*after, latest(group_key), progress)
    return touched
