"""The mark by which an import knows the CSV of a table (RESTORE).

Its header has the names ``$distinct_id`` and ``$last_seen``, exactly so. A file that bears
them was written by :func:`toolkit.write_csv`, or by a spreadsheet that opened such a file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from toolkit.base import LAST_SEEN
from toolkit.sources.csv.dialect import DELIMITERS, Dialect

_ID = "$distinct_id"


def is_export(header: Sequence[str]) -> bool:
    """Return whether a header is that of a table.

    >>> is_export(["$distinct_id", "plan", "$last_seen"]), is_export(["$distinct_id", "plan"])
    (True, False)
    """
    return _ID in header and LAST_SEEN in header


def export_dialect(text: str, delimiter: str | None) -> Dialect | None:
    """Return how the CSV of a table is written by its first row, None if it is not one.

    What is in the cells below has no say in it.

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
