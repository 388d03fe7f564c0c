"""DataFrames: their columns as the properties of profiles."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from toolkit.base import LAST_SEEN, FrameError
from toolkit.profiles import ProfileTable
from toolkit.updates import ColumnsResult, read_frame


def import_frame(
    profiles: ProfileTable,
    frame: pd.DataFrame,
    *,
    distinct_id: str = "distinct_id",
    time: str | None = None,
    source: str = "DataFrame",
    key: str | None = None,
) -> ColumnsResult:
    """``$set`` the rows of a DataFrame as one batch, and return what became of them.

    Each row sets its cells that are not missing: NaN, None and NA leave what is stored
    (CSV-4). Updated At stays (SEEN-2). All rows are imported, or none. For a script that
    runs again and again, ``profiles.set(frame)`` writes what changed only.

    Parameters
    ----------
    profiles
        The table to write to.
    frame
        One row per update, one column per property. Times become ISO 8601 text in UTC. A
        column ``$last_seen``, which the table keeps itself, is left out.
    distinct_id
        The column, or the name of the index, that holds the distinct IDs: text or
        numbers. Of rows with the same ID the last one wins, property by property
        (CSV-8), unless *time* is given.
    time
        A column that holds when each row happened: datetimes, ISO 8601 text, unix
        seconds or milliseconds. Each row is an update of its own then, and the newest
        row of an ID is its latest state (PAST-4). By default all of it happens now.
    source
        Where it comes from, in words, for the log.
    key
        The same as *distinct_id*, by the name that ``profiles.set(frame)`` and
        ``import_csv`` have for it.

    Returns
    -------
    ColumnsResult
        The counts, the first of the cells that were overwritten, the cells and the columns
        that were left out, and notes: times without a zone were read as UTC (TIME-2).

    Raises
    ------
    FrameError
        If a column is missing or there twice, has a name that no property may have, or
        holds an ID or a time that is not one. Nothing is written then.

    Examples
    --------
    >>> profiles = ProfileTable()
    >>> frame = pd.DataFrame(
    ...     {"distinct_id": [7, 7, 8], "plan": ["pro", "free", "free"],
    ...      "since": ["2026-03-01Z", "2026-01-01Z", "2026-02-01Z"]}
    ... )
    >>> import_frame(profiles, frame, time="since")
    <ColumnsResult: 3 rows: 2 profiles created, 0 updated, 0 unchanged>
    >>> profiles["7"], profiles.as_of("2026-01-15")["7"]
    ({'plan': 'pro'}, {'plan': 'free'})
    """
    if not isinstance(profiles, ProfileTable):
        raise FrameError(
            f"profiles is of type {type(profiles).__name__}; a ProfileTable is needed, and after "
            "it the DataFrame"
        )
    if key is not None and distinct_id != "distinct_id":
        raise FrameError("key= and distinct_id= both name the column of the IDs; give one")
    rows = read_frame(frame, distinct_id if key is None else key, time)
    columns = {name: column for name, column in rows.columns.items() if column.is_present.any()}
    result = profiles.set_columns(rows.ids, columns, source=source, row_times=rows.times)
    refused = {each.property for each in rows.left_out}
    left_out = {LAST_SEEN: "the table keeps it itself"} if LAST_SEEN in frame.columns else {}
    left_out |= {
        name: "no cell can be stored" if name in refused else "all cells are missing"
        for name in rows.columns
        if name not in columns
    }
    return replace(
        result,
        rows=len(frame),
        rejections=[*rows.left_out, *result.rejections],
        notes=rows.notes,
        left_out=left_out,
    )
