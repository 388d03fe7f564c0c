"""The mark by which an import knows the CSV of a table, and takes it back as it was (RESTORE).

Its header has the names ``$distinct_id`` and ``$last_seen``, exactly so. A file that bears
them was written by :func:`toolkit.write_csv`, or by a spreadsheet that opened such a file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from toolkit.base import LAST_SEEN, count
from toolkit.sources.csv.defuse import restored_texts
from toolkit.sources.csv.dialect import DELIMITERS, Dialect

if TYPE_CHECKING:
    from toolkit.sources.csv.reading import CsvText

_ID = "$distinct_id"


def is_export(header: Sequence[str]) -> bool:
    """Return whether a header is that of a table.

    >>> is_export(["$distinct_id", "plan", "$last_seen"]), is_export(["$distinct_id", "plan"])
    (True, False)
    """
    return _ID in header and LAST_SEEN in header


def export_dialect(text: str, delimiter: str | None) -> Dialect | None:
    """Return how the CSV of a table is written by its first row, None if it is not one.

    What stands in the cells below has no say in it.

    >>> export_dialect("$distinct_id,a;b;c,$last_seen\\n1,x;y;z,\\n", None)
    Dialect(delimiter=',', width=3, escape=None)
    """
    for candidate in reversed(DELIMITERS) if delimiter is None else [delimiter]:
        try:
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=candidate)
            header = next(rows, [])
        except csv.Error:  # a name beyond the limit of Python's reader
            continue
        if is_export(header):
            return Dialect(candidate, len(header))
    return None


def restored(header: Sequence[str], below: CsvText) -> tuple[tuple[str | None, ...], CsvText]:
    """Return the names and the rows of a table as they were before they were defused.

    Names keep the white space around them.
    """
    names, changed = restored_texts(pa.array(header, pa.large_string()))
    columns = []
    for column in below.columns:
        texts, cells = restored_texts(column)
        columns.append(texts)
        changed += cells
    notes = below.notes
    if changed:
        notes += (
            f"This is the CSV of a table: the apostrophe before what a spreadsheet would run as "
            f"a formula was taken off in {count(changed, 'cell')}.",
        )
    return (
        tuple(name if name.strip() else None for name in names.to_pylist()),
        replace(below, columns=tuple(columns), notes=notes),
    )
