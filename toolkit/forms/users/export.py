"""Users written to a file, or to bytes that the browser saves."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from toolkit.base import LAST_SEEN, NO_TIME, ArgumentError, Progress, count
from toolkit.columns import COMPUTED, Column, Instants, Positions, Snapshot
from toolkit.forms.users.rows import DISTINCT_ID, UserRows
from toolkit.profiles import ProfileTable, ProfileView
from toolkit.sources import FORMATS


@dataclass(frozen=True)
class Exported:
    """What was written: under which name, how many, its bytes if there is no file, what not."""

    name: str
    profiles: int
    content: bytes
    losses: tuple[str, ...]


def export(
    source: UserRows,
    rows: Positions,
    kind: str,
    path: Path | None,
    names: Sequence[str] | None,
    progress: Progress,
    profiles: ProfileTable,
) -> Exported:
    """Write some rows as CSV or as messages.

    Parameters
    ----------
    source, rows
        The users, and which of them.
    kind
        A key of :data:`~toolkit.sources.FORMATS`, such as ``"csv"``.
    path
        The file; None for bytes.
    names
        The properties of a CSV, in order; None for all of the profile.
    progress
        Called with how far it is.
    profiles
        The table, for its group key.
    """
    if kind not in FORMATS:
        raise ArgumentError(f"kind={kind!r}; {' or '.join(FORMATS)} is allowed")
    format_ = FORMATS[kind]
    losses: tuple[str, ...] = ()
    without = int((~source.has_profile[rows]).sum())
    if format_.is_table:
        view = ProfileView(_as_shown(source, rows, names), "exported", profiles.group_key)
        if without:
            losses += (f"{count(without, 'user')} without a profile: the ID only.",)
    else:
        view = ProfileView(source.profiles(rows), "exported", profiles.group_key)
        if without:
            losses += (f"Left out: {count(without, 'user')} without a profile.",)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"users.{kind}" if path is None else path
        written, notes = format_.write(view, target, False, progress)
        content = target.read_bytes() if path is None else b""
        return Exported(target.name, written, content, (*losses, *notes))


def _as_shown(source: UserRows, rows: Positions, names: Sequence[str] | None) -> Snapshot:
    ids = source.ids.take(pa.array(rows))
    seen = np.full(len(rows), NO_TIME, np.int64)
    columns: dict[str, Column] = {}
    if names is None:
        names = [*(name for name in source.names if name not in COMPUTED), LAST_SEEN]
    for name in names:
        if name == DISTINCT_ID:
            continue
        column = source.column("user", name)
        if name == LAST_SEEN and isinstance(column, Instants):
            seen = column.microseconds[rows]
        elif isinstance(column, Column):
            columns[name] = column.take(rows)
    return Snapshot(ids, columns, seen)
