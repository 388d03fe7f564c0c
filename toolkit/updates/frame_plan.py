"""What of a DataFrame differs from the profiles there are, and so is written (FRAME-1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import ABSENT, Json
from toolkit.columns import IS_ABSENT, Column, Snapshot
from toolkit.updates import limits
from toolkit.updates.differences import compare
from toolkit.updates.frames import FrameRows
from toolkit.updates.results import ChangeReport, left_out_frame


@dataclass(frozen=True, eq=False, slots=True)
class FramePlan:
    """What is to be written.

    Attributes
    ----------
    ids
        The profiles that are new or differ, pyarrow ``large_string``.
    columns
        Their cells that differ and are set; the others are absent.
    removed
        For each property that is unset somewhere: in which of these profiles.
    report
        What it comes to.
    """

    ids: pa.Array
    columns: Mapping[str, Column]
    removed: Mapping[str, Any]
    report: ChangeReport

    @property
    def writes(self) -> bool:
        """Whether there is anything to write."""
        return len(self.ids) > 0

    @property
    def removes(self) -> bool:
        """Whether a property of a profile is to be unset."""
        return bool(self.removed)

    def messages(self) -> Iterator[tuple[str, dict[str, Json]]]:
        """Yield each distinct ID with the operators that write its row."""
        ids = self.ids.to_pylist()
        sets: list[dict[str, Json]] = [{} for _ in ids]
        unsets: list[list[str]] = [[] for _ in ids]
        for name, column in self.columns.items():
            for properties, value in zip(sets, column.cells(), strict=True):
                if value is not ABSENT:
                    properties[name] = value
        for name, mask in self.removed.items():
            for at in np.flatnonzero(mask).tolist():
                unsets[at].append(name)
        for distinct_id, properties, names in zip(ids, sets, unsets, strict=True):
            operations: dict[str, Json] = {"$unset": names} if names else {}
            if properties or not names:
                operations = {"$set": properties, **operations}
            yield distinct_id, operations


def plan_frame(before: Snapshot, rows: FrameRows, missing: str, limited: bool) -> FramePlan:
    """Return what of the rows of a DataFrame is to be written.

    Parameters
    ----------
    before
        The profiles there are.
    rows
        What the DataFrame says.
    missing
        What a missing cell means: ``"leave"`` or ``"unset"``.
    limited
        Whether the hosted product's limits hold (LIMITS).
    """
    columns = rows.columns
    left_out: list[limits.Cut] = list(rows.left_out)
    if limited:  # as they would be stored, or they would differ each time
        columns, cuts = limits.cut_columns(before, rows.ids, columns)
        left_out += cuts
    positions = before.positions(rows.ids)
    known = positions >= 0
    old = {name: before.column(name).take(positions) for name in columns}
    new = dict(columns)
    if missing == "leave":
        for name, column in columns.items():
            sent = np.flatnonzero(column.is_present)
            new[name] = old[name].put(sent, column.take(sent))
    elif rows.left_out:
        # What is no JSON is no missing cell, which would unset what is stored.
        for name in {each for _, each, _ in rows.left_out} & new.keys():
            of_name = [key for key, each, _ in rows.left_out if each == name]
            at = pc.index_in(pa.array(of_name, pa.large_string()), rows.ids).to_numpy()
            at = np.unique(at[~new[name].is_present[at]]).astype(np.int64)
            new[name] = new[name].put(at, old[name].take(at))
    found = compare(rows.ids, old, new)

    differs = np.zeros(len(known), np.bool_)
    for mask in found.differs.values():
        differs |= mask
    written = np.flatnonzero(differs | ~known)
    cells: dict[str, Column] = {}
    removed: dict[str, Any] = {}
    for name, mask in found.differs.items():
        column = new[name].take(written)
        state = np.where(mask[written], column.state, IS_ABSENT)
        cells[name] = Column(column.kind, column.values, state)
        gone = mask[written] & ~column.is_present
        if gone.any():
            removed[name] = gone
    cells = {name: column for name, column in cells.items() if column.is_present.any()}

    created, updated = int((~known).sum()), int((differs & known).sum())
    report = ChangeReport(
        matched=len(known),
        created=created,
        updated=updated,
        deleted=0,
        unchanged=len(known) - created - updated,
        properties=found.properties,
        changes=found.changes,
        rejected=left_out_frame(left_out),
        notes=tuple(rows.notes),
    )
    return FramePlan(rows.ids.take(pa.array(written)), cells, removed, report)
