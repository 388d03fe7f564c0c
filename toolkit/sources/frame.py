"""DataFrames: their columns as the properties of profiles."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit import series
from toolkit.batch_columns import ColumnsResult
from toolkit.columns import Column, last_of_each
from toolkit.errors import FrameError, InvalidValueError
from toolkit.reserved import LAST_SEEN, name_refusal
from toolkit.table import ProfileTable
from toolkit.times import NO_TIME
from toolkit.values import as_json
from toolkit.wording import count, did_you_mean, listed


def import_frame(
    profiles: ProfileTable,
    frame: pd.DataFrame,
    *,
    distinct_id: str = "distinct_id",
    time: str | None = None,
    source: str = "DataFrame",
) -> ColumnsResult:
    """``$set`` the rows of a DataFrame as one batch, and return what became of them.

    Each row sets its cells that are not missing: NaN, None and NA leave what is stored
    (CSV-4). Updated At stays (SEEN-2). All rows are imported, or none.

    Parameters
    ----------
    profiles
        The table to write to.
    frame
        A row an update, a column a property. Times become ISO 8601 text in UTC. A
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

    Returns
    -------
    ColumnsResult
        The counts, and the first of the cells that were overwritten.

    Raises
    ------
    FrameError
        If a column is missing or there twice, has a name that no property may have, or
        holds an ID or a time that is none. Nothing is written then.

    Examples
    --------
    >>> profiles = ProfileTable()
    >>> frame = pd.DataFrame(
    ...     {"distinct_id": [7, 7, 8], "plan": ["pro", "free", "free"],
    ...      "since": ["2026-03-01", "2026-01-01", "2026-02-01"]}
    ... )
    >>> import_frame(profiles, frame, time="since").created
    2
    >>> profiles["7"], profiles.as_of("2026-01-15")["7"]
    ({'plan': 'pro'}, {'plan': 'free'})
    """
    if not isinstance(profiles, ProfileTable):
        raise FrameError(
            f"profiles is of type {type(profiles).__name__}; a ProfileTable is needed, and after "
            "it the DataFrame"
        )
    if not isinstance(frame, pd.DataFrame):
        raise FrameError(f"frame is of type {type(frame).__name__}; a DataFrame is needed")
    if distinct_id not in frame.columns and frame.index.name == distinct_id:
        frame = frame.reset_index()
    ids = _ids(_column(frame, distinct_id, "distinct_id"))
    row_times = None if time is None else _times(_column(frame, time, "time"))
    columns: dict[str, Column] = {}
    for name in frame.columns:
        if name not in (distinct_id, time, LAST_SEEN):
            _check_name(name)
            columns[name] = series.column(_column(frame, name, "a property"))
    columns = {name: column for name, column in columns.items() if column.is_present.any()}
    if row_times is None:
        ids, columns, _ = last_of_each(ids, columns)
    return profiles.set_columns(ids, columns, source=source, row_times=row_times)


def _column(frame: pd.DataFrame, name: object, role: str) -> pd.Series:
    found = np.flatnonzero(frame.columns == name)
    if len(found) == 1:
        return frame.iloc[:, int(found[0])]
    there = f"the columns are {listed(map(str, frame.columns))}"
    if len(found):
        raise FrameError(f'{len(found)} columns are named "{name}"; rename one: {there}')
    meant = did_you_mean(str(name), [str(each) for each in frame.columns])
    raise FrameError(f'no column "{name}" for {role}; {there}.{meant}')


def _ids(given: pd.Series) -> pa.Array:
    try:
        coded = series.coded(given)
    except ValueError as error:
        raise FrameError(f"{error}. Nothing was written.") from error
    without = int((coded.codes < 0).sum())
    if without:
        raise FrameError(
            f'{count(without, "row")} without a distinct ID in "{given.name}": '
            f"{series.why_no_code(given, coded.codes)}. Nothing was written; drop them first: "
            f'frame.dropna(subset="{given.name}")'
        )
    return coded.texts.take(pa.array(coded.codes))


def _times(given: pd.Series) -> series.Microseconds:
    try:
        moments = series.times(given).microseconds
    except ValueError as error:
        raise FrameError(f"{error}. Nothing was written.") from error
    bad = np.flatnonzero(moments == NO_TIME)
    if len(bad):
        raise FrameError(
            f'{count(len(bad), "row")} without a readable time in "{given.name}"; the first, row '
            f"{bad[0]}, holds {str(given.iloc[bad[0]])[:40]!r}. Nothing was written; ISO 8601 "
            "text, datetimes, unix seconds or milliseconds are read"
        )
    return moments


def _check_name(name: object) -> None:
    reason = None if isinstance(name, str) else "a property's name is text"
    try:
        as_json(name)
    except InvalidValueError as error:
        reason = str(error)
    reason = reason or name_refusal(str(name))
    if reason is not None:
        raise FrameError(
            f"column {str(name)[:80]!r} cannot be imported: {reason}. Rename it, or leave it out: "
            f"frame.drop(columns={name!r})"
        )
