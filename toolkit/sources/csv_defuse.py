"""CSV that a spreadsheet opens without running what stands in it.

A cell that begins with ``=``, ``+``, ``-`` or ``@`` is a formula to a spreadsheet,
and a tab or carriage return before one does not stop it. An apostrophe does. A plain
number with a sign, as a telephone number is, computes nothing and stays.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.values import texts_where

# Both read alike by Python and by Arrow's RE2.
_STARTS: Final = r"^[=+\-@\t\r]"
_NUMBER: Final = r"^[+-]?[0-9]+(?:\.[0-9]+)?\z"
_NUMBER_IN_PYTHON: Final = re.compile(_NUMBER.replace(r"\z", r"\Z"))


def defused(text: str) -> str:
    """Return *text* with an apostrophe before it if a spreadsheet would run it.

    >>> defused("=SUM(A1:A9)"), defused("+1-2"), defused("+4712345"), defused("plan")
    ("'=SUM(A1:A9)", "'+1-2", '+4712345', 'plan')
    """
    is_formula = re.match(_STARTS, text) and not _NUMBER_IN_PYTHON.match(text)
    return f"'{text}" if is_formula else text


def defused_texts(texts: pa.Array) -> pa.Array:
    """Return pyarrow ``large_string`` texts, each as :func:`defused` returns it."""
    starts = pc.match_substring_regex(texts, pattern=_STARTS)
    if not pc.any(starts).as_py():
        return texts
    numbers = pc.match_substring_regex(texts, pattern=_NUMBER)
    formulas = pc.fill_null(pc.and_not(starts, numbers), False).to_numpy(zero_copy_only=False)
    mark, nothing = (pa.scalar(each, pa.large_string()) for each in ("'", ""))
    marked = pc.binary_join_element_wise(mark, texts, nothing)
    return texts_where(np.asarray(formulas, np.bool_), marked, texts)


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
            texts = pa.array(column, pa.large_string(), from_pandas=True)
            safe = defused_texts(texts)
            if safe is not texts:
                dtype: Any = column.dtype
                result.isetitem(position, dtype.__from_arrow__(safe))
        elif column.dtype == object:
            result.isetitem(position, column.map(_defused_if_text).array)
    return result


def _defused_if_text(value: Any) -> Any:
    return defused(value) if isinstance(value, str) else value
