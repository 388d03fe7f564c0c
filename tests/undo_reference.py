"""An undo worked out profile by profile: what the undo in whole columns must agree with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from toolkit.base.times import NO_TIME
from toolkit.base.values import ABSENT
from toolkit.columns.column import Column, Mask
from toolkit.columns.snapshot import Snapshot
from toolkit.store.history import Run, runs, state_after
from toolkit.store.log import Batch, Log
from toolkit.updates.messages import Message
from toolkit.updates.operators import Profile, apply

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
    """Which profiles and cells the batches after one left other than they were.

    A batch that was undone since left everything as it was, so the last batches can be
    undone one after the other. What its undo did not put back counts.
    """

    def __init__(self, log: Log, group_key: str, batch_id: int, after: Snapshot) -> None:
        self.whole: set[str] = set()
        self.cells: dict[str, set[str]] = {}
        self.ids: set[str] = set()
        first = dict(zip(after.ids.to_pylist(), after.rows(np.arange(len(after))), strict=True))
        now: dict[str, Profile | None] = dict(first)
        batches = log.batches()
        standing = _standing_after(batches, batch_id)
        for batch, given in groupby(runs(log, group_key), lambda each: each[0]):
            if batch.id <= batch_id:
                continue
            before = dict(now)
            for message in _messages(run for _, run in given):
                key = message.distinct_id
                is_deleted = message.operations[0][0] == "$delete"
                if is_deleted and before.get(key) is not None and batch.id in standing:
                    self.whole.add(key)
                now[key], _ = apply(now.get(key), message.operations)
            if batch.id in standing:
                self._add_differences(before, now)
        if len(standing) < sum(batch.id > batch_id for batch in batches):
            self._add_differences(first, now)
        self.ids |= self.whole

    def _add_differences(
        self, before: Mapping[str, Profile | None], now: Mapping[str, Profile | None]
    ) -> None:
        for key in [*before, *now]:
            old, new = before.get(key), now.get(key)
            if (old is None) != (new is None):
                self.whole.add(key)
            old, new = old or {}, new or {}
            for name in [*old, *new]:
                if exact(old.get(name, ABSENT)) != exact(new.get(name, ABSENT)):
                    self.cells.setdefault(name, set()).add(key)
                    self.ids.add(key)

    def by(self, name: str, keys: list[str]) -> Mask:
        cells = self.cells.get(name, set())
        return np.array([key in cells or key in self.whole for key in keys], np.bool_)


def _messages(given: Iterable[Run]) -> Iterator[Message]:
    for run in given:
        if isinstance(run, tuple):
            yield from run[1].messages()
        else:
            yield from (update.message for update in run)


def plan_undo(
    log: Log,
    group_key: str,
    batch_id: int,
) -> Undoing:
    """Return what putting back a batch takes, in the table of a group key."""
    before = state_after(log, group_key, batch_id - 1).snapshot()
    after = state_after(log, group_key, batch_id).snapshot()
    ids = pa.concat_arrays([after.ids, before.ids]).unique()
    then, now = before.positions(ids), after.positions(ids)
    touched = _Touched(log, group_key, batch_id, after)
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
