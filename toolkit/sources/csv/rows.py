"""Rows of a CSV file as profiles: which can be imported, and one cell an ID and property."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import NO_TIME, PLACEHOLDERS, Progress, count, listed, no_time, rounded, silent
from toolkit.columns import Column, Mask, Positions, Snapshot, last_of_each, series
from toolkit.sources.csv.file import CsvFile
from toolkit.sources.csv.mapping import MappedColumns
from toolkit.sources.csv.reading import CsvText
from toolkit.sources.csv.types import ColumnType, TypedColumn, is_filled
from toolkit.updates import zone_notes

_TEXT: Final = pa.large_string()

# "12345.0" is a number that went through a float column; "1.23E15" perhaps one that was
# rounded.
_FLOAT: Final = r"^-?[0-9]+\.0+$"
_ROUNDED: Final = r"^-?[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]+$"

_MISFIT: Final[Mapping[ColumnType, str]] = {
    "number": (
        "not a number that is kept exactly (no leading zeros, + or spaces; at most 17 digits)"
    ),
    "boolean": "neither true nor false",
    "date": "not an ISO 8601 date or time",
    "json": "not a JSON list or object",
}


class TypedRows(NamedTuple):
    """The rows of a file that can be imported, and those that cannot.

    Attributes
    ----------
    ids
        The distinct ID of each row: pyarrow ``large_string``.
    columns
        The cells of each property.
    types
        The type of each property.
    rejected
        The other rows: line, reason, text.
    times
        When each row happened, in microseconds since 1970 UTC; the rows are in that
        order then. None if no column says so.
    notes
        What one should know of the reading, as sentences.
    """

    ids: pa.Array
    columns: dict[str, Column]
    types: dict[str, ColumnType]
    rejected: pd.DataFrame
    times: Positions | None = None
    notes: tuple[str, ...] = ()


class MergedRows(NamedTuple):
    """One row per distinct ID.

    Attributes
    ----------
    ids
        Distinct IDs in the order they first appear in, pyarrow ``large_string``.
    columns
        The cells of each property that any of them has.
    duplicates
        The distinct IDs that occurred in several rows: distinct_id, rows.
    """

    ids: pa.Array
    columns: dict[str, Column]
    duplicates: pd.DataFrame


def typed_rows(
    file: CsvFile,
    mapped: MappedColumns,
    types: Mapping[int, ColumnType],
    progress: Progress = silent,
) -> TypedRows:
    """Return the rows below the header with their cells as values.

    A row is rejected if it is ragged, has no distinct ID, or holds a cell that does
    not fit the type forced on its column (CSV-7), or if its time is not one.
    """
    text = file.text
    reasons: dict[int, list[str]] = defaultdict(list)
    columns: dict[str, Column] = {}
    kinds: dict[str, ColumnType] = {}
    for done, (position, name) in enumerate(mapped.properties.items()):
        progress("Typing", done * text.rows // len(mapped.properties), text.rows)
        cells = file.typed(position, types.get(position))
        columns[name], kinds[name] = cells.column, cells.type
        _note_misfits(reasons, name, text.columns[position], cells)
    if mapped.identifier is None:
        ids = random_ids(len(text.lines))
        for row in np.flatnonzero(~_any_present(columns, len(ids))).tolist():
            reasons[row].append("every cell to import is empty")
    else:
        ids = text.columns[mapped.identifier]
        for row in np.flatnonzero(~is_filled(pc.utf8_trim_whitespace(ids))).tolist():
            reasons[row].insert(0, f"no {mapped.id_name}")
        if not file.columns.is_exported:
            _note_rounded(reasons, ids, mapped.id_name)
    times, notes = None, []
    if mapped.time is not None:
        read = _times(text.columns[mapped.time], reasons)
        times, notes = read.microseconds, zone_notes(read, file.columns.title(mapped.time))
    rejected = _rejected(text, reasons)
    keep = np.ones(len(ids), np.bool_)
    keep[list(reasons)] = False
    kept = np.flatnonzero(keep)
    if times is not None:  # PAST-4
        kept = kept[np.argsort(times[kept], kind="stable")]
        times = times[kept]
    if times is not None or reasons:
        ids = ids.take(pa.array(kept))
        columns = {name: column.take(kept) for name, column in columns.items()}
    return TypedRows(ids, columns, kinds, rejected, times, tuple(notes))


def _note_rounded(reasons: dict[int, list[str]], ids: pa.Array, id_name: str) -> None:
    for row in np.flatnonzero(rounded(ids)).tolist():
        reasons[row].insert(
            0,
            f'the {id_name} "{ids[row].as_py()[:40]}" is what a spreadsheet left of a long number: '
            "digits are lost (ID-1)",
        )


def _times(cells: pa.Array, reasons: dict[int, list[str]]) -> series.Times:
    """Return the time of each row; note what is not one."""
    times = series.times_of_cells(cells)
    for row in np.flatnonzero(times.microseconds == NO_TIME).tolist():
        shown = cells[row].as_py()
        reasons[row].append(f"$time: {_why_no_time(shown)}" if shown.strip() else "no time")
    return times


def _why_no_time(cell: str) -> str:
    try:  # TIME-1
        return no_time(float(cell) if "." in cell else int(cell))
    except ValueError:
        shown = cell if len(cell) <= 40 else cell[:39] + "…"
        return f'"{shown}" is not a time (ISO 8601, unix seconds or milliseconds are)'


def _note_misfits(
    reasons: dict[int, list[str]], name: str, texts: pa.Array, cells: TypedColumn
) -> None:
    rows = np.flatnonzero(cells.misfits)
    for row, text in zip(rows.tolist(), texts.take(pa.array(rows)).to_pylist(), strict=True):
        shown = text if len(text) <= 40 else text[:39] + "…"
        reasons[row].append(f'{name}: "{shown}" is {_MISFIT[cells.type]}')


def _any_present(columns: Mapping[str, Column], rows: int) -> Mask:
    present = np.zeros(rows, np.bool_)
    for column in columns.values():
        present |= column.is_present
    return present


def _rejected(text: CsvText, reasons: Mapping[int, list[str]]) -> pd.DataFrame:
    rows = np.array(sorted(reasons), np.int64)
    rejections: list[tuple[int, str, str]] = list(text.ragged)
    rejections += zip(
        text.lines[rows].tolist(),
        ("; ".join(reasons[row]) for row in rows.tolist()),
        text.row_texts(rows),
        strict=True,
    )
    rejections.sort()
    lines, why, texts = zip(*rejections, strict=True) if rejections else ((), (), ())
    return pd.DataFrame(
        {
            "line": pd.Series(lines, dtype="int64"),
            "reason": pd.Series(why, dtype="str"),
            "text": pd.Series(texts, dtype="str"),
        }
    )


def one_row_an_id(rows: TypedRows) -> MergedRows:
    """Return each distinct ID once: of each property its last cell that is not empty (CSV-8)."""
    ids, columns, counts = last_of_each(rows.ids, rows.columns)
    # Of dated rows none takes the place of another: each is an update of its own.
    several = counts > (1 if rows.times is None else len(rows.ids))
    duplicates = _count_frame(ids.filter(pa.array(several)), counts[several])
    return MergedRows(ids, _filled(columns), duplicates)


def filled(rows: TypedRows) -> dict[str, Column]:
    """Return the columns of which a row has a cell."""
    return _filled(rows.columns)


def _filled(columns: Mapping[str, Column]) -> dict[str, Column]:
    return {name: column for name, column in columns.items() if column.is_present.any()}


def _count_frame(ids: pa.Array, rows: Positions) -> pd.DataFrame:
    return pd.DataFrame(
        {"distinct_id": pd.Series(ids.to_pylist(), dtype="str"), "rows": rows.astype(np.int64)}
    )


def placeholder_ids(merged: MergedRows, rows: TypedRows) -> pd.DataFrame:
    """Return the distinct IDs that look like a word for none (CSV-8): distinct_id, rows."""
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(merged.ids))
    placeholders = pa.array(sorted(PLACEHOLDERS), _TEXT)
    matches = merged.ids.filter(pc.is_in(plain, value_set=placeholders))
    if not len(matches):
        return _count_frame(matches, np.zeros(0, np.int64))
    counted = pc.value_counts(rows.ids.filter(pc.is_in(rows.ids, value_set=matches)))
    return _count_frame(counted.field(0), counted.field(1).to_numpy())


def id_warnings(ids: pa.Array, id_name: str = "distinct ID") -> list[str]:
    """Return in sentences what looks wrong with distinct IDs."""
    doubts = (
        (pc.not_equal(ids, pc.utf8_trim_whitespace(ids)), "with spaces around, kept as written"),
        (
            pc.match_substring_regex(ids, pattern=_FLOAT),
            "ending in .0, as numbers of a float column do; they match no ID without it",
        ),
        (
            pc.match_substring_regex(ids, pattern=_ROUNDED),
            "in scientific notation, as long numbers are written that were rounded",
        ),
    )
    warnings = []
    for doubtful, what in doubts:
        number = pc.sum(doubtful).as_py() or 0
        if number:
            example = ids.filter(doubtful)[0].as_py()
            warnings.append(f"{count(number, id_name)} {what}: {example[:40]!r}.")
    return warnings


def ids_but_for_case(before: Snapshot, ids: pa.Array, id_name: str) -> list[str]:
    """Return in a sentence how many IDs are written with other capitals somewhere else.

    Among the IDs themselves, which are all different, or in the table. They are two
    profiles, and perhaps one person.
    """
    plain = pc.utf8_lower(ids)
    table = pa.array(before.ids, _TEXT)
    lower_ids = pc.utf8_lower(table)
    if plain.equals(ids) and lower_ids.equals(table):
        return []
    first, counts = pc.value_counts(plain).flatten()
    is_near = pc.is_in(plain, value_set=first.filter(pc.greater(counts, 1)))
    is_new = before.positions(ids) < 0
    is_near = pc.or_(is_near, pc.and_(pa.array(is_new), pc.is_in(plain, value_set=lower_ids)))
    near = ids.filter(is_near)
    if not len(near):
        return []
    shown = listed((f'"{each[:40]}"' for each in near.slice(0, 5).to_pylist()), 2)
    return [
        f"{count(len(near), id_name)} written with other capitals elsewhere, and each a profile "
        f"of its own: {shown}."
    ]


def same_value_elsewhere(
    before: Snapshot, merged: MergedRows, names: list[str], progress: Progress = silent
) -> list[int]:
    """Return how many new IDs share a text with a profile under another ID, by property.

    The other is in the table, or further up among the new ones (CSV-4).
    """
    is_new = before.positions(merged.ids) < 0
    if not is_new.any():
        return [0] * len(names)
    matches = []
    for name in names:
        progress("Comparing", 0, len(merged.ids))
        column = merged.columns.get(name)
        if column is None or column.kind != "text":
            matches.append(0)
            continue
        at = np.flatnonzero(column.has_value & is_new)
        texts = column.values.take(pa.array(at))
        values = [value for value in before.column(name).cells() if isinstance(value, str)]
        if values:
            in_table = pc.is_in(texts, value_set=pa.array(values, _TEXT))
            texts = texts.filter(pc.invert(in_table))
        matches.append(len(at) - len(texts.unique()))
    return matches


def random_ids(number: int) -> pa.Array:
    """Return so many random UUIDs (version 4) as pyarrow ``large_string``."""
    raw = np.frombuffer(os.urandom(16 * number), np.uint8).reshape(number, 16).copy()
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    digits = np.frombuffer(raw.tobytes().hex().encode(), np.uint8).reshape(number, 32)
    texts = np.insert(digits, (8, 12, 16, 20), ord("-"), axis=1)
    offsets = np.arange(0, 36 * (number + 1), 36, dtype=np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(texts))]
    return pa.Array.from_buffers(_TEXT, number, buffers)
