"""An undo worked out profile by profile: what the undo in whole columns must agree with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from toolkit.base.times import NO_TIME
from toolkit.base.values import ABSENT
from toolkit.columns.column import Column, Mask
from toolkit.columns.snapshot import Snapshot
from toolkit.store.history import Run, runs, state_after
from toolkit.store.log import Batch, Log
from toolkit.updates.columnar import LoggedEdits
from toolkit.updates.messages import Message

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


def exact(value: Any) -> str:
    """A text that tells 1 from 1.0, true from 1, -0.0 from 0.0, and keys in another order."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name!r}:{exact(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(exact, value)) + "]"
    return f"{type(value).__name__} {value!r}"


def _same(left: Column, right: Column) -> Mask:
    pairs = zip(left.cells(), right.cells(), strict=True)
    return np.array([exact(one) == exact(other) for one, other in pairs], np.bool_)


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
        if isinstance(run, tuple) and isinstance(run[1], LoggedEdits):
            self._add_messages(run[1].messages())
            return
        if isinstance(run, tuple):
            given = run[1]
            self.ids.update(given.ids.to_pylist())
            for name, column in given.columns.items():
                present = given.ids.filter(pa.array(column.is_present)).to_pylist()
                self.cells.setdefault(name, set()).update(present)
            return
        self._add_messages(update.message for update in run)

    def _add_messages(self, messages: Iterable[Message]) -> None:
        for message in messages:
            key = message.distinct_id
            self.ids.add(key)
            for operator, argument in message.operations:
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
            same = _same(after.column(name).take(then), now.column(name).take(here))
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
) -> Undoing:
    """Return what putting back a batch takes, in the table of a group key."""
    before = state_after(log, group_key, batch_id - 1).snapshot()
    after = state_after(log, group_key, batch_id).snapshot()
    ids = pa.concat_arrays([after.ids, before.ids]).unique()
    then, now = before.positions(ids), after.positions(ids)
    touched = _Touched(log, group_key, batch_id, after, latest)
    conflicts: list[tuple[str, str | None, str]] = []
    messages = _profiles_made(ids, then, now, touched, conflicts)
    messages += _profiles_gone(before, ids, then, now, touched, conflicts)
    messages += _cells_changed(before, after, ids, then, now, touched, conflicts)
    edits = [
        # An undo is an edit by hand: Updated At stays (SEEN-2).
        Message(key, operations, ignore_time=True, group_key=group_key, seen=seen)
        for key, operations, seen in messages
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
) -> list[_Edit]:
    """Return messages for the cells of profiles that were there before and after."""
    stayed = np.flatnonzero((then >= 0) & (now >= 0))
    keys: list[str] = ids.take(pa.array(stayed)).to_pylist()
    writes: dict[str, dict[str, Any]] = {}
    unsets: dict[str, list[str]] = {}
    for name in dict.fromkeys([*before.columns, *after.columns]):
        old, new = before.column(name).take(then[stayed]), after.column(name).take(now[stayed])
        differs = np.flatnonzero(~_same(old, new))
        if not len(differs):
            continue
        concerned = [keys[at] for at in differs]
        later = touched.by(name, concerned)
        for key, cell, is_later in zip(concerned, old.take(differs).cells(), later, strict=True):
            if is_later:
                conflicts.append((key, name, "changed by the batch, and written again since"))
            elif cell is ABSENT:
                unsets.setdefault(key, []).append(name)
            else:
                writes.setdefault(key, {})[name] = cell
    messages: list[_Edit] = []
    for key in dict.fromkeys([*writes, *unsets]):
        operations: list[tuple[str, Any]] = []
        if key in writes:
            operations.append(("$set", writes[key]))
        if key in unsets:
            operations.append(("$unset", unsets[key]))
        messages.append((key, tuple(operations), None))
    return messages
