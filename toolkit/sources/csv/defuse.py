"""CSV that a spreadsheet opens without running what is in it (DEFUSE).

A cell whose first visible character is ``=``, ``+``, ``-`` or ``@``, full-width ones too,
is a formula to one spreadsheet or another. An apostrophe before it stops that. A plain
number with a sign, as a telephone number is, computes nothing and stays.

An apostrophe is also put before text that reads like defused text, so that taking one off
gives every text back: ``=1`` becomes ``'=1``, and ``'=1`` becomes ``''=1``.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import texts_where
from toolkit.columns import Mask

# Written for Python and for Arrow's RE2 alike. What is not seen is left out of account.
_UNSEEN: Final = (
    r"[\x00-\x20\x7f-\x{a0}\x{ad}\x{2000}-\x{200f}\x{2028}-\x{202f}\x{205f}-\x{206f}"
    r"\x{3000}\x{fe00}-\x{fe0f}\x{feff}]*"
)
_FORMULA: Final = (
    rf"(?:[\t\r\n]|{_UNSEEN}[=+\-@\x{{ff1d}}\x{{ff0b}}\x{{ff0d}}\x{{ff20}}\x{{2212}}])"
)
_NUMBER: Final = r"[+-]?[0-9]+(?:\.[0-9]+)?\z"
_TEXT: Final = pa.large_string()


def _in_python(pattern: str) -> re.Pattern[str]:
    pattern = re.sub(r"\\x\{([0-9a-f]+)\}", lambda code: f"\\u{code[1]:0>4}", pattern)
    return re.compile(pattern.replace(r"\z", r"\Z"))


_FORMULA_IN_PYTHON: Final = _in_python(f"'*{_FORMULA}")
_NUMBER_IN_PYTHON: Final = _in_python(f"'*{_NUMBER}")


def defused(text: str) -> str:
    """Return *text* with an apostrophe before it if a spreadsheet would run it.

    >>> defused("=SUM(A1:A9)"), defused("+1-2"), defused("+4712345"), defused("plan")
    ("'=SUM(A1:A9)", "'+1-2", '+4712345', 'plan')
    """
    is_formula = _FORMULA_IN_PYTHON.match(text) and not _NUMBER_IN_PYTHON.match(text)
    return f"'{text}" if is_formula else text


def defused_texts(texts: pa.Array) -> pa.Array:
    """Return pyarrow ``large_string`` texts, each as :func:`defused` returns it."""
    formulas = _formulas(texts, "'*")
    if not formulas.any():
        return texts
    mark, nothing = (pa.scalar(each, _TEXT) for each in ("'", ""))
    marked = pc.binary_join_element_wise(mark, texts, nothing)
    return texts_where(formulas, marked, texts)


def restored_texts(texts: pa.Array) -> tuple[pa.Array, int]:
    """Return the texts that :func:`defused_texts` made these of, and how many it changed.

    >>> restored_texts(pa.array(["'=1", "''=1", "'tis", "=1"], pa.large_string()))[0].to_pylist()
    ['=1', "'=1", "'tis", '=1']
    """
    marked = _formulas(texts, "'+")
    if not marked.any():
        return texts, 0
    return texts_where(marked, pc.utf8_slice_codeunits(texts, 1), texts), int(marked.sum())


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
            texts = pa.array(column, _TEXT, from_pandas=True)
            safe = defused_texts(texts)
            if safe is not texts:
                dtype: Any = column.dtype
                result.isetitem(position, dtype.__from_arrow__(safe))
        elif not pd.api.types.is_numeric_dtype(column.dtype) and column.dtype.kind not in "mM":
            result.isetitem(position, column.astype(object).map(_defused_if_text).array)
    return result


def csv_of(frame: pd.DataFrame) -> bytes:
    r"""Return *frame* as CSV in UTF-8 in which a spreadsheet runs no formula.

    Whatever leaves as CSV and is not an export of profiles is written here.

    >>> csv_of(pd.DataFrame({"name": ["=1", "x\r=1"], "age": [-1, 2]}))
    b'name,age\r\n\'=1,-1\r\n"x\r=1",2\r\n'
    """
    # Python's writer quotes the characters of its own line end only: with a line feed, a
    # carriage return in a cell would end the row, and begin a cell that nobody defused.
    text: str = defused_frame(frame).to_csv(index=False, lineterminator="\r\n")
    return text.encode()


def _defused_if_text(value: Any) -> Any:
    return defused(value) if isinstance(value, str) else value


def _formulas(texts: pa.Array, apostrophes: str) -> Mask:
    """Return which texts a spreadsheet would run except for so many apostrophes."""
    starts = pc.match_substring_regex(texts, pattern=f"^{apostrophes}{_FORMULA}")
    if not pc.any(starts).as_py():
        return np.zeros(len(texts), np.bool_)
    numbers = pc.match_substring_regex(texts, pattern=f"^{apostrophes}{_NUMBER}")
    formulas = pc.fill_null(pc.and_not(starts, numbers), False)
    return np.asarray(formulas.to_numpy(zero_copy_only=False), np.bool_)
