"""CSV files: a look at one, and its import as profiles (CSV-1 to CSV-8)."""

from __future__ import annotations

from os import PathLike
from time import perf_counter
from typing import Final, Literal

import pandas as pd

from toolkit.base import (
    ArgumentError,
    CsvError,
    CsvRowsError,
    Progress,
    argument,
    check_flag,
    count,
    parse_time,
    watched_by,
)
from toolkit.columns import difference_frame, series
from toolkit.profiles import ProfileTable, ProfileView
from toolkit.sources.csv.file import CsvFile
from toolkit.sources.csv.mapping import (
    DISTINCT_ID,
    EMAIL,
    TIME,
    ColumnMapping,
    ColumnTypes,
    FileColumns,
    MappedColumns,
    candidate_reason,
    choose_types,
    map_columns,
)
from toolkit.sources.csv.report import CsvPreview, ImportReport, rejected_lines, sentence
from toolkit.sources.csv.rows import (
    MergedRows,
    TypedRows,
    filled,
    id_warnings,
    ids_but_for_case,
    one_row_an_id,
    placeholder_ids,
    same_value_elsewhere,
    typed_rows,
)
from toolkit.sources.csv.source import Source
from toolkit.sources.files.formats import csv_table
from toolkit.updates import OVERWRITTEN

_SHOWN_REJECTIONS: Final = 5


def preview_csv(
    source: Source,
    *,
    header: bool | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    key: str | int | None = None,
) -> CsvPreview:
    r"""Return what is in a CSV file: its columns, their types, and what may go wrong.

    Its ``mapping`` is what :func:`import_csv` does without one: pass it on as it is, or
    change it first. ``identifier`` is the column that becomes the distinct ID, and
    ``identifier_reason`` says why; where none is named like one, ``candidate`` may be it.

    Parameters
    ----------
    source
        A path, bytes, or a file object of bytes or text; gzip is unpacked. A file
        object is left where it was, if it can go back.
    header
        Whether row 1 is a header. By default that is detected (CSV-1).
    encoding, delimiter
        How the file is written. By default that is detected.
    key
        The column of the distinct IDs, by its name or position.

    Raises
    ------
    ColumnMappingError
        If there is no column *key*.
    CsvError
        If the file is empty or no CSV, or holds more than 1,000,000 rows (CSV-6).
    CsvFileError
        If it cannot be opened; :class:`FileNotFoundError` too if it is not there.

    Examples
    --------
    >>> preview_csv(b"user_id;email;age\nu1;ann@example.com;30\nu2;bob@example.com;")
    <CsvPreview of data: 2 rows, 3 columns, utf-8, semicolon>
      row 1 is a header: "user_id" is above codes such as "u1"
      0 'user_id' → '$distinct_id' text: 'u1', 'u2'
      1 'email' → '$email' text: 'ann@example.com', 'bob@example.com'
      2 'age' → 'age' number: '30'
      column "user_id" is the identifier: named like one, 2 of 2 cells filled, 2 different
    """
    file = CsvFile.read(
        csv_table(source),
        header=header,
        encoding=encoding,
        delimiter=delimiter,
        mapping=_of_key(key),
    )
    return file.preview(key=key)


def import_csv(
    profiles: ProfileTable,
    source: Source | CsvFile,
    mapping: ColumnMapping | None = None,
    *,
    key: str | int | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    types: ColumnTypes | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    time: object = None,
    dry_run: bool = False,
    progress: bool | Progress = True,
) -> ImportReport:
    r"""``$set`` the rows of a CSV file as one batch, and return what became of them.

    Each row sets its cells that are not empty; what else a profile holds stays
    (CSV-4). Updated At stays too (SEEN-2).

    Parameters
    ----------
    profiles
        The table to write to.
    source
        A path, bytes, or a file object of bytes or text; gzip is unpacked.
    mapping
        ``{column: property}``; a column is its position from 0 or its name in the
        header. ``"$distinct_id"`` marks the identifier, else ``"$email"`` is it, else
        each row gets a random ID (CSV-2). Columns left out, or mapped to None, are
        not imported. ``"$time"`` marks a column of times: each row happened at its own
        then, and is an update of its own; several rows of an ID are its history, and the
        newest of them is its latest state (PAST-4). By default it is
        ``preview_csv(source).mapping``: every column under its name in the header, but
        common ones under reserved names (``email`` is ``$email``; the report's
        ``renamed`` lists them), and ``distinct_id`` in any
        spelling, else a column named ``user_id``, ``customer_id``, ``id`` or alike and
        filled with enough different cells, as the identifier. A file without a header
        needs a mapping. In the CSV of a table (one with a column ``$last_seen``) every
        column keeps its name. A mapping that would make empty profiles of a file that
        holds more than IDs is refused; the report's ``left_out`` names the columns left out.
    key
        The column of the distinct IDs, by its name or position. Without a mapping all
        others are imported as they would be.
    header
        Whether row 1 is a header. By default that is detected (CSV-1).
    encoding, delimiter
        How the file is written. By default that is detected.
    types
        ``{property or column: "text", "number", "boolean", "date" or "json"}`` where
        the type that all cells fit is not the one wanted (CSV-5). A row with a cell
        that does not fit is rejected.
    on_error
        ``"raise"`` imports all rows or none; ``"skip"`` imports the rows that can be
        (CSV-7).
    dry_run
        Whether to report only, and write nothing. What an import would raise, this
        raises too.
    time
        When all of it happened: unix seconds or milliseconds, ISO 8601 text, a datetime.
        By default now (PAST-3). For a time a row map a column to ``"$time"``.
    progress
        Whether to show a bar if it takes more than a second. Or a function to call now
        and then with the stage, how much of it is done, and how much there is to do
        (0 if that is not known); what it raises stops the import.

    Raises
    ------
    ColumnMappingError
        If the mapping, or for lack of one the header, cannot be used.
    CsvRowsError
        If rows cannot be imported and *on_error* is ``"raise"``; they are in its
        ``rejected``.
    CsvError
        If the file is empty or no CSV, or holds more than 1,000,000 rows (CSV-6).
    CsvFileError
        If it cannot be opened; :class:`FileNotFoundError` too if it is not there.

    Nothing is written in any of these cases.

    Examples
    --------
    >>> profiles = ProfileTable()
    >>> mapping = {0: "$distinct_id", 1: "$name", 2: "age"}
    >>> report = import_csv(profiles, b"7,Ann,30\n8,Bob,", mapping)
    >>> report.created, profiles["7"], profiles["8"]
    (2, {'$name': 'Ann', 'age': 30}, {'$name': 'Bob'})
    """
    _check_table(profiles)
    if on_error not in ("raise", "skip"):
        raise CsvError(f'on_error={on_error!r}; "raise" or "skip" is allowed')
    check_flag("dry_run", dry_run, ArgumentError)
    started = perf_counter()
    with watched_by(progress) as notice:
        file = _opened(
            source,
            _of_key(key) if mapping is None else mapping,
            header,
            encoding,
            delimiter,
            notice,
        )
        mapped = map_columns(mapping, file.columns, profiles.group_key, key)
        if mapped.time is not None and time is not None:
            raise CsvError(
                f"time={time!r}, and {file.columns.title(mapped.time)} is mapped to "
                f'"{TIME}"; give one time for the file or a column of times, not both'
            )
        kinds = choose_types(types, file.columns, mapped)
        rows = typed_rows(file, mapped, kinds, notice)
        if len(rows.rejected) and on_error == "raise":
            raise _rejection_error(rows.rejected, file.text.rows)
        notice("Comparing", 0, file.text.rows)
        merged = one_row_an_id(rows)
        before = profiles.snapshot(notice)
        same_email, same_name = same_value_elsewhere(before, merged, ["$email", "$name"], notice)
        near = ids_but_for_case(before, merged.ids, mapped.id_name)
        result = profiles.set_columns(
            merged.ids if rows.times is None else rows.ids,
            merged.columns if rows.times is None else filled(rows),
            source=f"csv: {file.name}",
            time=None if time is None else parse_time(time),
            row_times=rows.times,
            dry_run=dry_run,
            progress=notice,
        )
    warnings = [
        *file.text.notes,
        *mapped.notes,
        *_zone_notes(time),
        *rows.notes,
        *_warnings(file, mapped, merged),
        *near,
    ]
    return ImportReport(
        name=file.name,
        rows=file.text.rows,
        imported=len(rows.ids),
        applied=result.applied,
        **result.effects,
        rejections=result.rejections,
        changed_cells=result.changed_cells,
        changes=difference_frame(result.changes, OVERWRITTEN),
        rejected=rows.rejected,
        duplicate_ids=merged.duplicates,
        placeholder_ids=placeholder_ids(merged, rows),
        same_email=same_email,
        same_name=same_name,
        cut=result.rejected,
        warnings=tuple(warnings),
        columns=_imported_columns(file.columns, mapped, rows),
        left_out=_left_out(file.columns, mapped),
        header=file.columns.header.header,
        header_reason=file.columns.header.reason,
        renamed=mapped.renamed,
        encoding=file.text.encoding,
        delimiter=file.text.delimiter,
        batch_id=result.batch_id,
        dry_run=dry_run,
        seconds=perf_counter() - started,
        id_name=mapped.id_name,
    )


def _of_key(key: str | int | None) -> ColumnMapping | None:
    """Return the mapping by which a header is known that has the column of a key."""
    return None if key is None else {key: DISTINCT_ID}


def _zone_notes(time: object) -> list[str]:
    if not series.lacks_zone(time):
        return []
    return [f"time={time!s} names no time zone, and was read as UTC (TIME-2)."]


def _warnings(file: CsvFile, mapped: MappedColumns, merged: MergedRows) -> list[str]:
    """Return in sentences what is worth a look before and after an import."""
    warnings = []
    if file.text.rows == 0:
        warnings.append("The file holds a header and no rows.")
    if mapped.identifier is None:
        warnings.append(
            f"No column is the {mapped.id_name}, so each row got a random one, and "
            f"importing the file again would create the profiles "
            f"again. {_better(file.columns, mapped)}"
        )
        if mapped.identifier_reason is not None and " is not " in mapped.identifier_reason:
            warnings.append(sentence(mapped.identifier_reason.partition(";")[0]))
        return warnings
    if mapped.properties.get(mapped.identifier) == EMAIL:  # CSV-2
        warnings.append(
            f"No column is the {mapped.id_name}, so the e-mail, "
            f"{file.columns.title(mapped.identifier)}, is used. {_better(file.columns, mapped)}"
        )
    if len(merged.ids) and not any(column.has_value.any() for column in merged.columns.values()):
        warnings.append("No row holds anything but an ID: new profiles are empty.")
    return [*warnings, *id_warnings(merged.ids, mapped.id_name)]


def _better(columns: FileColumns, mapped: MappedColumns) -> str:
    """Return which column to make the identifier, as far as that is known."""
    if mapped.candidate is None:
        return f"If a column holds the IDs, pass {argument('key')}."
    argument_text = argument("key", columns.key(mapped.candidate))
    return (
        f"{sentence(columns.title(mapped.candidate)).removesuffix('.')} may be it, because "
        f"{candidate_reason(columns, mapped.candidate)}: if it is the {mapped.id_name}, "
        f"pass {argument_text}."
    )


def _left_out(columns: FileColumns, mapped: MappedColumns) -> pd.DataFrame:
    """Return the columns that are not imported: position, header, reason."""
    columns_left = [(at, columns.names[at], reason) for at, reason in mapped.left_out.items()]
    frame = pd.DataFrame(columns_left, columns=["position", "header", "reason"])
    return frame.astype({"position": "int64", "header": "str", "reason": "str"})


def _check_table(profiles: object) -> None:
    if isinstance(profiles, ProfileTable):
        return
    if isinstance(profiles, ProfileView):
        raise CsvError(
            "profiles is what a table held when it was asked, and cannot be changed; "
            "import into the ProfileTable itself"
        )
    if isinstance(profiles, str | bytes | PathLike | pd.DataFrame):
        raise CsvError(
            f"profiles is a {type(profiles).__name__}; the ProfileTable comes first, "
            "the file after it: import_csv(profiles, source)"
        )
    raise CsvError(
        f"profiles is of type {type(profiles).__name__}; a ProfileTable is needed, "
        "and after it the file: import_csv(tk.ProfileTable(), source)"
    )


def _rejection_error(rejected: pd.DataFrame, rows: int) -> CsvRowsError:
    shown = "\n  ".join(rejected_lines(rejected, _SHOWN_REJECTIONS))
    others = rows - len(rejected)
    skipping = f", or pass {argument('on_error', 'skip')} to import the other {others:,}"
    return CsvRowsError(
        f"{len(rejected):,} of {count(rows, 'row')} cannot be imported, and nothing was written.\n"
        f"  {shown}\n"
        f"Correct the file{skipping if others else ''}",
        rejected,
    )


def _imported_columns(columns: FileColumns, mapped: MappedColumns, rows: TypedRows) -> pd.DataFrame:
    """Return the columns imported: position, header, property, type."""
    rejections = [
        (at, columns.names[at], name, rows.types[name]) for at, name in mapped.properties.items()
    ]
    if mapped.time is not None:
        rejections.insert(0, (mapped.time, columns.names[mapped.time], TIME, "date"))
    if mapped.identifier is not None:
        at = mapped.identifier
        rejections.insert(0, (at, columns.names[at], DISTINCT_ID, "text"))
    frame = pd.DataFrame(rejections, columns=["position", "header", "property", "type"])
    return frame.astype({"position": "int64", "header": "str", "property": "str", "type": "str"})


def _opened(
    source: Source | CsvFile,
    mapping: ColumnMapping | None,
    header: bool | None,
    encoding: str | None,
    delimiter: str | None,
    progress: Progress,
) -> CsvFile:
    if isinstance(source, CsvFile):
        return source
    return CsvFile.read(
        csv_table(source),
        header=header,
        encoding=encoding,
        delimiter=delimiter,
        mapping=mapping,
        progress=progress,
    )
