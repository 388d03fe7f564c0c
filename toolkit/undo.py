"""Undoing a batch: the messages that put back what it changed, or why they cannot.

An undo is a batch of its own at the end of the log, so nothing is ever taken out
of the log, and undoing the undo is the redo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.columns import Mask
from toolkit.errors import UndoError
from toolkit.history import Run, logged_keys, runs, state_after
from toolkit.log import Batch, Log
from toolkit.messages import Message
from toolkit.progress import Progress, counted, silent
from toolkit.snapshot import Snapshot
from toolkit.times import NO_TIME
from toolkit.values import ABSENT

#: A distinct ID, what is done to its profile, and the Updated At it gets back, if any.
_Edit: TypeAlias = tuple[str, tuple[tuple[str, Any], ...], int | None]


@dataclass(frozen=True)
class Undoing:
    """What an undo would do to one table.

    Attributes
    ----------
    messages
        What puts things back.
    conflicts
        (distinct ID, property or None for the whole profile, reason) of what later
        updates touched and so is not put back.
    """

    messages: list[Message]
    conflicts: list[tuple[str, str | None, str]]


def messages_to_undo(
    log: Log,
    batch_id: int,
    only_untouched: bool,
    latest: Callable[[str], Snapshot],
    progress: Progress = silent,
) -> tuple[int, list[Message]]:
    """Return the messages that put back what a batch changed, in all its tables.

    Before them, the batch they undo: where the batch asked for was undone and
    redone, that is the redo. *latest* gives the profiles of a group key as they are now.

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
    batch_id = _standing(log.batches(), batch_id)
    keys = logged_keys(log, [batch_id])
    plans = [plan_undo(log, key, batch_id, latest, progress) for key in keys]
    conflicts = [each for part in plans for each in part.conflicts]
    if conflicts and not only_untouched:
        told = [f"{key!r} {name or '(profile)'}: {reason}" for key, name, reason in conflicts[:3]]
        raise UndoError(
            f"batch {batch_id} cannot be undone whole: later updates wrote to {len(conflicts):,} "
            f"of its cells or profiles ({'; '.join(told)}). Nothing was changed. "
            "only_untouched=True undoes the rest.",
            pd.DataFrame(conflicts, columns=["distinct_id", "property", "reason"], dtype=object),
        )
    return batch_id, [message for part in plans for message in part.messages]


def _standing(batches: list[Batch], batch_id: int) -> int:
    """Return the batch whose undoing undoes a batch: itself, or the last redo of it."""
    if not any(batch.id == batch_id for batch in batches):
        raise UndoError(f"there is no batch {batch_id}; profiles.batches lists {len(batches):,}")
    undone_by = {batch.undoes: batch.id for batch in batches if batch.undoes is not None}
    while (undo := undone_by.get(batch_id)) is not None:
        redo = undone_by.get(undo)
        if redo is None:
            raise UndoError(f"batch {batch_id} is undone already, by batch {undo}")
        batch_id = redo
    return batch_id


def _standing_after(batches: list[Batch], batch_id: int) -> set[int]:
    """Return the batches after one that stand: not those undone since, nor their undos."""
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
    """Which profiles and cells the batches after one wrote to.

    A batch that was undone since wrote to nothing, so the last batches can be undone
    one after the other. What its undo did not put back counts as written to.
    """

    def __init__(
        self,
        log: Log,
        group_key: str,
        batch_id: int,
        after: Snapshot,
        latest: Callable[[str], Snapshot],
    ) -> None:
        self.whole: set[str] = set()
        self.cells: dict[str, set[str]] = {}
        self.ids: set[str] = set()
        batches = log.batches()
        standing = _standing_after(batches, batch_id)
        for batch, run in runs(log, group_key):
            if batch.id in standing:
                self._add(run)
        if len(standing) < sum(batch.id > batch_id for batch in batches):
            self._add_differences(after, latest(group_key))

    def _add(self, run: Run) -> None:
        if isinstance(run, tuple):
            given = run[1]
            self.ids.update(given.ids.to_pylist())
            for name, column in given.columns.items():
                present = given.ids.filter(pa.array(column.is_present)).to_pylist()
                self.cells.setdefault(name, set()).update(present)
            return
        for update in run:
            key = update.message.distinct_id
            self.ids.add(key)
            for operator, argument in update.message.operations:
                if operator == "$delete":
                    self.whole.add(key)
                    continue
                for name in argument:
                    self.cells.setdefault(name, set()).add(key)

    def _add_differences(self, after: Snapshot, now: Snapshot) -> None:
        ids = pa.concat_arrays([after.ids, now.ids]).unique()
        then, here = after.positions(ids), now.positions(ids)
        self.whole.update(ids.filter(pa.array((then < 0) != (here < 0))).to_pylist())
        self.ids.update(self.whole)
        for name in dict.fromkeys([*after.columns, *now.columns]):
            same = after.column(name).take(then).equals(now.column(name).take(here))
            keys = ids.filter(pa.array(~same)).to_pylist()
            self.cells.setdefault(name, set()).update(keys)
            self.ids.update(keys)

    def by(self, name: str, keys: list[str]) -> Mask:
        cells = self.cells.get(name, set())
        return np.array([key in cells or key in self.whole for key in keys], np.bool_)


def plan_undo(
    log: Log,
    group_key: str,
    batch_id: int,
    latest: Callable[[str], Snapshot],
    progress: Progress = silent,
) -> Undoing:
    """Return what putting back a batch takes, in the table of a group key."""
    before = state_after(log, group_key, batch_id - 1, progress).snapshot()
    after = state_after(log, group_key, batch_id, progress).snapshot()
    ids = pa.concat_arrays([after.ids, before.ids]).unique()
    then, now = before.positions(ids), after.positions(ids)
    touched = _Touched(log, group_key, batch_id, after, latest)
    conflicts: list[tuple[str, str | None, str]] = []
    messages = _profiles_made(ids, then, now, touched, conflicts)
    messages += _profiles_gone(before, ids, then, now, touched, conflicts)
    messages += _cells_changed(before, after, ids, then, now, touched, conflicts, progress)
    edits = [
        # An undo is an edit by hand: Updated At stays (SEEN-2).
        Message(key, operations, ignore_time=True, group_key=group_key, seen=seen)
        for key, operations, seen in counted("Looking back", messages, progress)
    ]
    return Undoing(edits, conflicts)


def _profiles_made(
    ids: pa.Array, then: Any, now: Any, touched: _Touched, conflicts: list[Any]
) -> list[_Edit]:
    made = ids.filter(pa.array((then < 0) & (now >= 0))).to_pylist()
    kept = [key for key in made if key in touched.ids]
    conflicts += [(key, None, "created by the batch, and updated since") for key in kept]
    return [(key, (("$delete", ""),), None) for key in made if key not in touched.ids]


def _profiles_gone(
    before: Snapshot, ids: pa.Array, then: Any, now: Any, touched: _Touched, conflicts: list[Any]
) -> list[_Edit]:
    gone = np.flatnonzero((then >= 0) & (now < 0))
    keys = ids.take(pa.array(gone)).to_pylist()
    messages: list[_Edit] = []
    seen = before.last_seen[then[gone]].tolist()
    for key, properties, moment in zip(keys, before.rows(then[gone]), seen, strict=True):
        if key in touched.ids:
            conflicts.append((key, None, "deleted by the batch, and written again since"))
        else:
            back = None if moment == NO_TIME else moment
            messages.append((key, (("$set", properties),), back))
    return messages


def _cells_changed(
    before: Snapshot,
    after: Snapshot,
    ids: pa.Array,
    then: Any,
    now: Any,
    touched: _Touched,
    conflicts: list[Any],
    progress: Progress,
) -> list[_Edit]:
    """Return messages for the cells of profiles that were there before and after."""
    stayed = np.flatnonzero((then >= 0) & (now >= 0))
    keys: list[str] = ids.take(pa.array(stayed)).to_pylist()
    writes: dict[str, dict[str, Any]] = {}
    unsets: dict[str, list[str]] = {}
    for name in dict.fromkeys([*before.columns, *after.columns]):
        old, new = before.column(name).take(then[stayed]), after.column(name).take(now[stayed])
        differs = np.flatnonzero(~old.equals(new))
        if not len(differs):
            continue
        concerned = [keys[at] for at in differs]
        later = touched.by(name, concerned)
        told = counted("Looking back", concerned, progress)
        for key, cell, is_later in zip(told, old.take(differs).cells(), later, strict=True):
            if is_later:
                conflicts.append((key, name, "changed by the batch, and written again since"))
            elif cell is ABSENT:
                unsets.setdefault(key, []).append(name)
            else:
                writes.setdefault(key, {})[name] = cell
    messages: list[_Edit] = []
    for key in counted("Looking back", list(dict.fromkeys([*writes, *unsets])), progress):
        operations: list[tuple[str, Any]] = []
        if key in writes:
            operations.append(("$set", writes[key]))
        if key in unsets:
            operations.append(("$unset", unsets[key]))
        messages.append((key, tuple(operations), None))
    return messages
