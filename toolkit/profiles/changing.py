"""Messages that change many profiles: what they would do, and doing it as one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from toolkit.base import ABSENT, ArgumentError
from toolkit.columns import Column, compare
from toolkit.profiles.table import ProfileTable
from toolkit.updates import (
    USERS,
    ChangeReport,
    Rejection,
    apply,
    parse_message,
)


def checked_table(profiles: object) -> ProfileTable:
    """Return the table.

    Raises
    ------
    ArgumentError
        If it is not one, such as a view, which cannot be changed.
    """
    if not isinstance(profiles, ProfileTable):
        raise ArgumentError(
            f"profiles is of type {type(profiles).__name__}; the ProfileTable is needed, and what "
            "to pick out of it as where="
        )
    return profiles


def change(
    profiles: ProfileTable, messages: Sequence[Mapping[str, Any]], *, dry_run: bool, source: str
) -> ChangeReport:
    """Return what messages to profiles do; apply them as one batch unless it is a dry run.

    Messages without effect are left out. Updated At stays (UPKEEP-1).
    """
    rejected: list[Rejection] = []
    parsed = [
        parse_message(each, at, rejected, group_key=profiles.group_key or USERS)
        for at, each in enumerate(messages)
    ]
    ids = pa.array(
        dict.fromkeys(each.distinct_id for each in parsed if each is not None), pa.large_string()
    )
    snapshot = profiles.snapshot()
    positions = snapshot.positions(ids)
    stored = np.flatnonzero(positions >= 0)
    rows: dict[str, Any] = dict.fromkeys(ids.to_pylist())
    keys = ids.take(pa.array(stored)).to_pylist()
    rows.update(zip(keys, snapshot.rows(positions[stored]), strict=True))

    sent: list[Mapping[str, Any]] = []
    for at, message in enumerate(parsed):
        if message is None:
            continue
        key = message.distinct_id
        refused: list[Rejection] = []
        rows[key], wrote = apply(rows[key], message.operations, refused)
        rejected += [each.at(at, key) for each in refused]
        if wrote:
            sent.append(messages[at])

    before = {name: column.take(positions) for name, column in snapshot.columns.items()}
    after_rows = [{} if row is None else row for row in rows.values()]
    names = dict.fromkeys([*before, *(name for row in after_rows for name in row)])
    after = {name: Column.of([row.get(name, ABSENT) for row in after_rows]) for name in names}
    there = np.array([row is not None for row in rows.values()], np.bool_)
    compared = compare(ids, before, after, (positions >= 0, there))
    report = ChangeReport.of(compared, rejected, dry_run=dry_run)
    if dry_run or report.unchanged == report.matched:
        return report
    result = profiles.apply(sent, source=source, ignore_time=True)
    return replace(report, batch_id=result.batch_id)
