"""Whole columns at once: how a bulk import, and a large undo, become a change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from toolkit.base import NO_TIME, Progress, copied, count, html, silent
from toolkit.columns import Column, Mask, cell_frame, objects
from toolkit.updates.columnar import LoggedColumns, LoggedEdits
from toolkit.updates.state import Change, State, merge

#: So many cells that change an existing value are kept for showing.
SHOWN_CHANGES: Final = 100


# A report shows so many of what was left out, and of what was overwritten.
_SHOWN_ROWS: Final = 5


class CellChange(NamedTuple):
    """One cell that an import changes."""

    distinct_id: str
    property: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True, repr=False)
class ColumnsResult:
    """What became of a ``$set`` of whole columns.

    Attributes
    ----------
    rows
        How many rows were given.
    created, updated, unchanged
        Profiles new, changed, or as they were before.
    changed_cells
        Cells that held another value (or null) before.
    changes
        The first of those.
    batch_id
        The batch in the log; None if nothing was written.
    rejected
        (distinct ID, property, reason) of cells left out.
    notes
        What one should know of the reading, as sentences.
    left_out
        The columns that were not imported, each with the reason.
    """

    rows: int
    created: int
    updated: int
    unchanged: int
    changed_cells: int
    changes: list[CellChange]
    batch_id: int | None = None
    rejected: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def _summary(self) -> str:
        return (
            f"{count(self.rows, 'row')}: {count(self.created, 'profile')} created, "
            f"{self.updated:,} updated, {self.unchanged:,} unchanged"
        )

    def _notes(self) -> list[str]:
        """Return the sentences below the counts."""
        notes = list(self.notes)
        if self.changed_cells:
            notes.append(f"{count(self.changed_cells, 'stored value')} overwritten.")
        if self.left_out:
            told = (f'"{name}" ({reason})' for name, reason in self.left_out.items())
            notes.append(f"{count(len(self.left_out), 'column')} left out: {', '.join(told)}.")
        return notes

    def __repr__(self) -> str:
        lines = [f"<ColumnsResult: {self._summary()}>", *(f"  {note}" for note in self._notes())]
        lines += [
            f"  left out: {key} {name}: {reason}"
            for key, name, reason in self.rejected[:_SHOWN_ROWS]
        ]
        if (more := len(self.rejected) - _SHOWN_ROWS) > 0:
            lines.append(f"  … and {more:,} more left out")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [html.paragraph(self._summary() + "."), html.notes(self._notes())]
        for title, titles, rows, total in (
            ("Left out", ("distinct_id", "property", "reason"), self.rejected, len(self.rejected)),
            ("Overwritten values", CellChange._fields, self.changes, self.changed_cells),
        ):
            if rows:
                cells = zip(*rows, strict=True)
                frame = cell_frame(
                    {t: objects(list(c)) for t, c in zip(titles, cells, strict=True)}
                )
                parts += [
                    html.paragraph(f"{title}:"),
                    html.table(frame, rows=_SHOWN_ROWS, total=total),
                ]
        return html.card("Rows imported", *parts)


def plan_columns(
    state: State, given: LoggedColumns, progress: Progress = silent
) -> tuple[Change, ColumnsResult]:
    """Return what setting the columns leads to, and its counts."""
    rows = len(given.ids)
    given = given.merged()
    base = state.snapshot()
    positions = base.positions(given.ids)
    known = positions >= 0
    # Written as sent, 1.0 over 1 too; to the reader of the counts that is no difference.
    differs: Mask = np.zeros(len(positions), np.bool_)
    rewritten: Mask = np.zeros(len(positions), np.bool_)
    written: Mask = np.zeros(len(positions), np.bool_)
    after: dict[str, Column] = {}
    changed_cells = 0
    changes: list[CellChange] = []
    for done, (name, new) in enumerate(given.columns.items()):
        progress("Comparing", done * len(given.ids) // len(given.columns), len(given.ids))
        old = base.column(name).take(positions)
        sent = new.is_present
        written |= sent
        other = sent & ~old.identical(new)
        rewritten |= other
        if other.any():
            at_sent = np.flatnonzero(sent)
            after[name] = old.put(at_sent, new.take(at_sent))
            other &= ~old.equals(new)
        differs |= other
        overwritten = other & old.is_present
        changed_cells += int(overwritten.sum())
        for at in np.flatnonzero(overwritten)[: SHOWN_CHANGES - len(changes)].tolist():
            before, now = copied(old.cell(at)), copied(new.cell(at))
            changes.append(CellChange(given.ids[at].as_py(), name, before, now))
    seen = np.full(len(positions), NO_TIME, np.int64)
    seen[known] = base.last_seen[positions[known]]
    moved = np.zeros(len(positions), np.bool_)
    if given.seen is not None:
        sets = written | ~known  # SEEN-2: a row that sets nothing has no effect
        moved = sets & (seen < given.seen)
        seen[sets] = np.maximum(seen[sets], given.seen)
    touched = np.flatnonzero(rewritten | moved | ~known)
    snapshot, places = merge(
        base,
        given.ids.take(touched),
        positions[touched],
        {name: column.take(touched) for name, column in after.items()},
        seen[touched],
    )
    updated = int((differs & known).sum())
    created = int((~known).sum())
    result = ColumnsResult(
        rows, created, updated, len(positions) - created - updated, changed_cells, changes
    )
    names = tuple(name for name, column in given.columns.items() if column.state.any())
    return Change(names, {}, snapshot, places), result


class EditCounts(NamedTuple):
    """How many rows of edits created, changed or deleted a profile, or had no effect."""

    created: int
    updated: int
    deleted: int
    unchanged: int


def plan_edits(
    state: State, edits: LoggedEdits, progress: Progress = silent
) -> tuple[Change, EditCounts]:
    """Return what edits lead to, as their messages one by one would, and the counts."""
    progress("Comparing", 0, len(edits))
    base = state.snapshot()
    positions = base.positions(edits.ids)
    known = positions >= 0
    sets = edits.sets
    gone = known & edits.deleted
    dropped = positions[gone]
    if len(dropped):
        left = np.ones(len(base), np.bool_)
        left[dropped] = False
        base = base.keep(left)
        # Where the profiles that are left stand now.
        moved = np.cumsum(left) - 1
        positions = np.where(known & ~gone, moved[positions], -1)
    progress("Comparing", 0, len(edits))
    written = ~known & sets
    # UNSET-1: there is nothing to take from where there is no profile.
    concerned = np.flatnonzero((known & ~edits.deleted) | written)
    at = positions[concerned]
    wrote: Mask = written[concerned]
    cells: dict[str, Column] = {}
    names = edits.names
    for done, name in enumerate(names):
        progress("Comparing", done * len(edits) // len(names), len(edits))
        old = base.column(name).take(at)
        new = old
        if name in edits.columns:
            given = edits.columns[name].take(concerned)
            places = np.flatnonzero(given.is_present)
            new = new.put(places, given.take(places))
            wrote[places] = True
        if name in edits.unset:
            places = np.flatnonzero(edits.unset[name][concerned])
            wrote |= edits.unset[name][concerned] & new.is_present
            new = new.put(places, Column.absent(len(places)))
        # Taking from a property nobody ever had writes none.
        if name in base.columns or new.state.any():
            cells[name] = new
    progress("Comparing", len(edits), len(edits))
    seen = np.full(len(at), NO_TIME, np.int64)
    seen[at >= 0] = base.last_seen[at[at >= 0]]
    seen[wrote] = np.maximum(seen[wrote], edits.seen[concerned][wrote])
    touched = np.flatnonzero(wrote)
    snapshot, places = merge(
        base,
        edits.ids.take(pa.array(concerned[touched])),
        at[touched],
        {name: column.take(touched) for name, column in cells.items()},
        seen[touched],
    )
    created, deleted = int(written.sum()), len(dropped)
    updated = len(touched) - created
    counts = EditCounts(created, updated, deleted, len(edits) - created - updated - deleted)
    named = tuple(name for name, column in edits.columns.items() if column.state.any())
    return Change(named, {}, snapshot, places, dropped), counts
