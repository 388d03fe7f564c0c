"""What of a DataFrame differs from the profiles there are, and so is written (FRAME-1)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.columns import IS_ABSENT, Column, Mask, Snapshot, compare
from toolkit.updates import limits
from toolkit.updates.columnar import ColumnarUpdates
from toolkit.updates.frames import FrameRows
from toolkit.updates.results import ChangeReport


def plan_frame(
    before: Snapshot, rows: FrameRows, missing: str, limited: bool
) -> tuple[ColumnarUpdates, ChangeReport]:
    """Return what of the rows of a DataFrame is to be written, and what it comes to.

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
    left_out = list(rows.left_out)
    if limited:  # as they would be stored, or they would differ each time
        columns, cuts = limits.cut_columns(before, rows.ids, columns)
        left_out += cuts
    positions = before.positions(rows.ids)
    exists = positions >= 0
    old = {name: before.column(name).take(positions) for name in columns}
    new = dict(columns)
    if missing == "leave":
        for name, column in columns.items():
            sent = np.flatnonzero(column.is_present)
            new[name] = old[name].put(sent, column.take(sent))
    elif rows.left_out:
        # A cell that is not JSON is not a missing cell, which would unset what is stored.
        names = {each.property for each in rows.left_out}
        for name in [each for each in new if each in names]:
            of_name = [each.distinct_id for each in rows.left_out if each.property == name]
            at = pc.index_in(pa.array(of_name, pa.large_string()), rows.ids).to_numpy()
            at = np.unique(at[~new[name].is_present[at]]).astype(np.int64)
            new[name] = new[name].put(at, old[name].take(at))
    compared = compare(rows.ids, old, new, (exists, np.ones(len(exists), np.bool_)))
    written = np.flatnonzero(compared.updated | compared.created)
    cells: dict[str, Column] = {}
    removed: dict[str, Mask] = {}
    for name, mask in compared.cells.items():
        column = new[name].take(written)
        state = np.where(mask[written], column.state, IS_ABSENT)
        cells[name] = Column(column.kind, column.values, state)
        gone = mask[written] & ~column.is_present
        if gone.any():
            removed[name] = gone
    cells = {name: column for name, column in cells.items() if column.is_present.any()}

    report = ChangeReport.of(compared, left_out, notes=tuple(rows.notes))
    form: Literal["columns", "edits"] = "edits" if removed else "columns"
    ids = rows.ids.take(pa.array(written))
    updates = ColumnarUpdates(ids, cells, unset=removed, form=form)
    return updates, report
