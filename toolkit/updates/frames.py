"""DataFrames read as updates: one row per profile, one column per property."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.base import (
    LAST_SEEN,
    NO_TIME,
    FrameError,
    InvalidValueError,
    as_json,
    count,
    did_you_mean,
    is_text,
    listed,
    no_time,
    quoted,
    rounded,
)
from toolkit.columns import Column, Positions, last_of_each, series
from toolkit.updates.names import name_refusal
from toolkit.updates.rejection import Rejection


@dataclass(frozen=True, eq=False, slots=True)
class FrameRows:
    """What a DataFrame says of profiles.

    Attributes
    ----------
    ids
        Distinct IDs, pyarrow ``large_string``; each once, unless there are times.
    columns
        For each property a column of as many cells. A missing cell is absent.
    times
        When each row happened, in microseconds since 1970 UTC; None if no column says so.
    left_out
        The cells that are not JSON, and so are absent.
    notes
        What one should know of the reading, as sentences.
    """

    ids: pa.Array
    columns: dict[str, Column]
    times: series.Microseconds | None
    left_out: list[Rejection]
    notes: list[str]


def read_frame(
    frame: object, distinct_id: str, time: str | None = None, *, parameter: str = "distinct_id"
) -> FrameRows:
    """Return what the rows of a DataFrame say of profiles.

    Parameters
    ----------
    frame
        One row per update, one column per property. A column ``$last_seen`` is left out.
    distinct_id
        The column, or the name of the index, that holds the distinct IDs. Of rows with
        the same ID the last one wins, property by property (CSV-8), unless *time* is
        given.
    time
        A column that holds when each row happened.
    parameter
        What the caller's argument *distinct_id* is called, for errors.

    Raises
    ------
    FrameError
        If a column is missing or there twice, has a name that no property may have, or
        holds an ID or a time that is not one.
    """
    if not isinstance(frame, pd.DataFrame):
        raise FrameError(f"frame is of type {type(frame).__name__}; a DataFrame is needed")
    for role, name in ((parameter, distinct_id), ("time", time)):
        if name is not None and not is_text(name):
            raise FrameError(f"{role}={quoted(name):.60}; the name of a column is needed")
    is_index = distinct_id not in frame.columns and frame.index.name == distinct_id
    if is_index:
        frame = frame.reset_index()
    ids = _ids(_column(frame, distinct_id, parameter), is_index)
    read_times = None if time is None else _times(_column(frame, time, "time"))
    times = None if read_times is None else read_times.microseconds
    notes = [] if read_times is None else zone_notes(read_times, f'"{time}"')
    columns: dict[str, Column] = {}
    left_out: list[Rejection] = []
    for name in frame.columns:
        if name not in (distinct_id, time, LAST_SEEN):
            _check_name(name)
            read = series.cells(_column(frame, name, "a property"))
            columns[name] = read.column
            left_out += [  # CELL-1
                Rejection(
                    at, ids[at].as_py(), "$set", name, f"row {at}: {reason}; what is stored stays"
                )
                for at, reason in read.refused
            ]
    if doubtful := int(rounded(ids).sum()):  # ID-1
        example = ids.filter(pa.array(rounded(ids)))[0].as_py()
        notes.append(
            f'{count(doubtful, "row")} with a distinct ID such as "{example[:40]}", as a '
            "spreadsheet writes a long number whose digits it dropped: taken as it is, it may be "
            "nobody's (ID-1)."
        )
    notes += [
        f'The column "{name}" became a property of that name, for {parameter}="{distinct_id}" '
        "names the column of the distinct IDs."
        for name in columns
        if name == "distinct_id"
    ]
    if times is None:
        ids, columns, rows = last_of_each(ids, columns)
        if repeated := int(rows.sum()) - len(ids):
            number = count(repeated, "row")
            notes.append(f"{number} with an ID from an earlier row: the last cell wins (CSV-8).")
    return FrameRows(ids, columns, times, left_out, notes)


def _column(frame: pd.DataFrame, name: object, role: str) -> pd.Series:
    matches = [at for at, each in enumerate(frame.columns) if each is name or each == name]
    if len(matches) == 1:
        return frame.iloc[:, int(matches[0])]
    there = f"the columns are {listed(map(str, frame.columns))}"
    if len(matches):
        raise FrameError(f'{len(matches)} columns are named "{name}"; rename one: {there}')
    meant = did_you_mean(str(name), [str(each) for each in frame.columns])
    raise FrameError(f'no column "{name}" for {role}; {there}.{meant}')


def _ids(column: pd.Series, is_index: bool) -> pa.Array:
    try:
        coded = series.coded(column)
    except ValueError as error:
        raise FrameError(f"{error}. Nothing was written.") from error
    without = int((coded.codes < 0).sum())
    if lossy := series.inexact_ids(column, coded.codes):  # ID-1
        raise FrameError(
            f'{count(lossy, "row")} with a distinct ID in "{column.name}" that is a float so large '
            "that digits may be lost (ID-1). Nothing was written; read the column as text or as "
            f'integers: pd.read_csv(…, dtype={{"{column.name}": "str"}})'
        )
    if without:
        raise FrameError(
            f'{count(without, "row")} without a distinct ID in "{column.name}": '
            f"{series.why_no_code(column, coded.codes)}. Nothing was written; "
            f"{_advice_without_id(column, np.flatnonzero(coded.codes < 0), is_index)}"
        )
    return coded.texts.take(pa.array(coded.codes))


def _advice_without_id(column: pd.Series, rows: Positions, is_index: bool) -> str:
    """Return what to do with rows without an ID; dropna() knows missing cells only."""
    if not column.iloc[rows].isna().all():
        first = f"{quoted(column.iloc[rows[0]]):.60}"
        return f"correct them, or leave them out; the first, row {rows[0]}, holds {first}"
    if is_index:
        return "drop them first: frame[frame.index.notna()]"
    return f"drop them first: frame.dropna(subset={column.name!r})"


def zone_notes(read: series.Times, title: str) -> list[str]:
    """Return in a sentence whether times of a column were read as UTC for lack of a zone."""
    if not read.without_zone:
        return []
    return [
        f"Times in {title} name no time zone, and were read as UTC (TIME-2). If they are of "
        "another zone, write it to each, such as 2026-05-01T12:00:00+02:00."
    ]


def _times(column: pd.Series) -> series.Times:
    try:
        read = series.times(column)
    except ValueError as error:
        raise FrameError(f"{error}. Nothing was written.") from error
    bad = np.flatnonzero(read.microseconds == NO_TIME)
    if len(bad):
        first = column.iloc[bad[0]]
        why = "ISO 8601 text, datetimes, unix seconds or milliseconds are read"
        if series.is_number(first):
            why = no_time(first, f"frame[{column.name!r}]")
        raise FrameError(
            f'{count(len(bad), "row")} without a readable time in "{column.name}"; the first, row '
            f"{bad[0]}, holds {str(first)[:40]!r}. Nothing was written; {why}"
        )
    return read


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
