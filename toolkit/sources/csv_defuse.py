"""CSV that a spreadsheet opens without running what stands in it.

A cell that begins with ``=``, ``+``, ``-`` or ``@`` is a formula to a spreadsheet,
and a tab or carriage return before one does not stop it. An apostrophe does.
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def defused(text: str) -> str:
    """Return *text* with an apostrophe before it if a spreadsheet would run it.

    >>> defused("=SUM(A1:A9)"), defused("plan")
    ("'=SUM(A1:A9)", 'plan')
    """
    return f"'{text}" if text.startswith(_STARTS) else text


def defused_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return *frame* with :func:`defused` text in its cells and column names.

    Numbers, times and missing values stay as they are.

    >>> defused_frame(pd.DataFrame({"name": ["@cmd", "Ann"], "age": [-1, 2]}))
        name  age
    0  '@cmd   -1
    1    Ann    2
    """
    result = frame.rename(columns=_defused_if_text)
    for position in range(result.shape[1]):
        column = result.iloc[:, position]
        if column.dtype == "str":
            starts = column.str.startswith(_STARTS).fillna(False).astype(bool)
            if starts.any():
                result.isetitem(position, column.mask(starts, "'" + column).array)
        elif column.dtype == object:
            result.isetitem(position, column.map(_defused_if_text).array)
    return result


def _defused_if_text(value: Any) -> Any:
    return defused(value) if isinstance(value, str) else value
