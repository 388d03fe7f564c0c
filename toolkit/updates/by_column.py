"""Whole columns at once: how a bulk import, and a large undo, become a change."""

from __future__ import annotations

from typing import Final

import numpy as np

from toolkit.base import NO_TIME, Progress, copied, silent
from toolkit.columns import Column, Difference, Mask
from toolkit.updates.columnar import ColumnarUpdates
from toolkit.updates.outcome import Outcome, Planned
from toolkit.updates.state import Change, State, merge

#: So many cells that change an existing value are kept for showing.
SHOWN_CHANGES: Final = 100


def plan_columns(state: State, updates: ColumnarUpdates, progress: Progress = silent) -> Planned:
    """Return what columns lead to, as their messages one by one would."""
    sent, updates = updates, updates.merged()
    rows = len(updates)
    progress("Comparing", 0, rows)
    base = state.snapshot()
    positions = base.positions(updates.ids)
    exists = positions >= 0
    dropped = positions[exists & updates.deletes]
    if len(dropped):
        left = np.ones(len(base), np.bool_)
        left[dropped] = False
        base = base.keep(left)
        # Where the profiles that are left are now.
        positions = np.where(exists & ~updates.deletes, (np.cumsum(left) - 1)[positions], -1)
        progress("Comparing", 0, rows)
    # UNSET-1: there is nothing to take from where there is no profile.
    born: Mask = ~exists & updates.sets
    wrote = born.copy()
    # Written as sent, 1.0 over 1 too; for the counts that is not a difference.
    rewritten: Mask = born.copy()
    differs: Mask = np.zeros(rows, np.bool_)
    after: dict[str, Column] = {}
    changed_cells = 0
    changes: list[Difference] = []
    names = updates.names
    for done, name in enumerate(names):
        progress("Comparing", done * rows // len(names), rows)
        old = base.column(name).take(positions)
        new = updates.columns[name] if name in updates.columns else Column.absent(rows)
        present = new.is_present
        other = present & ~old.identical(new)
        wrote |= present
        rewritten |= other
        if other.any():
            at_sent = np.flatnonzero(present)
            after[name] = old.put(at_sent, new.take(at_sent))
            other &= ~old.equals(new)
        differs |= other
        overwritten = other & old.is_present
        changed_cells += int(overwritten.sum())
        for at in np.flatnonzero(overwritten)[: SHOWN_CHANGES - len(changes)].tolist():
            before, now = copied(old.cell(at)), copied(new.cell(at))
            changes.append(Difference(updates.ids[at].as_py(), name, before, now))
        if name in updates.unset:
            gone = updates.unset[name] & (old.is_present | present)
            if gone.any():
                at_gone = np.flatnonzero(gone)
                after[name] = after.get(name, old).put(at_gone, Column.absent(len(at_gone)))
                wrote |= gone
                rewritten |= gone
                differs |= gone
    progress("Comparing", rows, rows)
    seen = np.full(rows, NO_TIME, np.int64)
    stays = positions >= 0
    seen[stays] = base.last_seen[positions[stays]]
    # SEEN-2: a row that writes nothing has no effect.
    moves = updates.moves
    moved = wrote & (seen < moves)
    seen[moved] = moves[moved]
    touched = np.flatnonzero(rewritten | moved)
    snapshot, places = merge(
        base,
        updates.ids.take(touched),
        positions[touched],
        {name: column.take(touched) for name, column in after.items()},
        seen[touched],
    )
    created, deleted = int(born.sum()), len(dropped)
    updated = int(((wrote if updates.form == "edits" else differs) & ~born).sum())
    outcome = Outcome(len(sent), created, updated, deleted, rows - created - updated - deleted)
    written = tuple(name for name, column in updates.columns.items() if column.state.any())
    change = Change(written, {}, snapshot, places, dropped)
    return Planned(change, outcome, sent, changed_cells, changes)
