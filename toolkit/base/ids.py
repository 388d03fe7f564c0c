"""Distinct IDs: one text form for each, and the near misses people have.

IDs compare as text (JOIN-3). A number becomes its decimal text, so ``123``,
``123.0`` from a float column and ``"123"`` are one user (MSG-4). Anything
else that merely looks alike is a near miss: reported, never joined.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Container
from functools import cache, partial
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base.errors import InexactIdError, InvalidIdError
from toolkit.base.values import glimpse, joined_texts

#: What programs send when they have no ID, in lower case (CSV-8).
PLACEHOLDERS: Final = frozenset(
    {
        *("null", "undefined", "none", "nil", "nan", "n/a", "na", "0", "-1", "false", "true"),
        *("anonymous", "anon", "guest", "unknown", "not set", "(not set)", "[object object]"),
        "00000000-0000-0000-0000-000000000000",
    }
)

#: What is wrong with an ID that looks rounded (ID-1).
ROUNDED: Final = (
    "the ID is what a spreadsheet leaves of a long number: digits are lost, and it may be "
    "nobody's (ID-1)"
)
# With a plus, as spreadsheets and R write it; "4e10" and "1E5" may be codes.
_SCIENTIFIC: Final = r"^-?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+$"


def normalise_id(value: object) -> str:
    """Return the distinct ID as text.

    Parameters
    ----------
    value
        Text, or an integer or float of Python or numpy.

    Raises
    ------
    InvalidIdError
        If it is missing, empty, a bool, NaN, infinite, or of another type (MSG-4).
    InexactIdError
        If it is a float that may have lost digits (ID-1).

    Examples
    --------
    >>> normalise_id("a"), normalise_id(123), normalise_id(123.0)
    ('a', '123', '123')
    """
    if isinstance(value, str):
        if not value:
            raise InvalidIdError("the distinct ID is empty")
        if not value.isascii():
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                raise InvalidIdError(
                    f"the distinct ID {value!r} holds half a surrogate pair"
                ) from None
        return str(value)
    if isinstance(value, bool | np.bool_):
        raise InvalidIdError(f"the distinct ID is {value!r}; text or a number is needed")
    if isinstance(value, int | np.integer) and not isinstance(value, np.timedelta64):
        return _decimal(int(value))
    if isinstance(value, float | np.floating):
        number = float(value)
        if math.isfinite(number):
            kind: Any = type(value)
            if abs(number) >= _exact_below(kind):
                raise InexactIdError(
                    f"the distinct ID is {value!r}, a float so large that it may have lost "
                    "digits; give it as text or as an integer"
                )
            return _decimal(int(number)) if number.is_integer() else repr(number)
    if value is None or value is pd.NA or value is pd.NaT:
        raise InvalidIdError("the distinct ID is missing")
    raise InvalidIdError(
        f"the distinct ID is {glimpse(value, 40)!r} ({type(value).__name__}); "
        "text or a number is needed"
    )


def is_inexact(numbers: Any) -> Any:
    """Return which IDs of a numpy array of floats may have lost digits (ID-1).

    >>> is_inexact(np.array([123.0, 2.0**53, np.nan])).tolist()
    [False, True, False]
    """
    return np.isfinite(numbers) & (np.abs(numbers) >= _exact_below(numbers.dtype.type))


def looks_rounded(distinct_id: str) -> bool:
    """Return whether an ID is the text that a spreadsheet leaves of a long number (ID-1).

    >>> looks_rounded("1.23457E+17"), looks_rounded("1E5"), looks_rounded("123457")
    (True, False, False)
    """
    return "+" in distinct_id and re.match(_SCIENTIFIC, distinct_id.strip()) is not None


def rounded(ids: pa.Array) -> Any:
    """Return which IDs :func:`looks_rounded`, as an array of NumPy.

    >>> rounded(pa.array(["1.23457E+17", "4e10", "123457"], pa.large_string())).tolist()
    [True, False, False]
    """
    matches = pc.match_substring_regex(pc.utf8_trim_whitespace(ids), pattern=_SCIENTIFIC)
    return pc.fill_null(matches, False).to_numpy(zero_copy_only=False)


@cache
def _exact_below(kind: Any) -> float:
    """Return below which number a type of floats has every whole number: 2**53 for most."""
    if not issubclass(kind, np.floating) or issubclass(kind, np.longdouble):
        kind = np.float64
    return float(2.0 ** (np.finfo(kind).nmant + 1))


def _decimal(number: int) -> str:
    try:
        return str(number)
    except ValueError:
        raise InvalidIdError("the distinct ID is a number of more than 4,300 digits") from None


def near_miss_keys(ids: pa.Array, *, without: str | None = None) -> pa.Array:
    """Return a text for each ID that near misses share (JOIN-3).

    Invisible characters, the Unicode form (composed or not, full width or not),
    surrounding spaces, case, a trailing ``.0`` and leading zeros are dropped, in that
    order: ``" 007.0"`` and ``"7"`` share ``"7"``.

    Parameters
    ----------
    ids
        Distinct IDs, pyarrow ``large_string``.
    without
        Leaves one of them in: ``"invisible characters"``, ``"Unicode form"``, ``"spaces"``,
        ``"case"``, ``".0"`` or ``"leading zeros"``.
    """
    keys = ids
    for name, drop in _LOOKS.items():
        if name != without:
            keys = drop(keys)
    return keys


def near_miss_reasons(ids: pa.Array, others: pa.Array) -> pa.Array:
    """Return in words, pair by pair, how an ID differs from its near miss.

    A difference is named if the two would not share a key with it left in.

    >>> near_miss_reasons(pa.array(["007", " Ann", "7.0"]), pa.array(["7", "ann", "7"])).to_pylist()
    ['leading zeros', 'spaces, case', '.0']
    """
    nothing = pa.scalar(None, pa.large_string())
    named = []
    for name in _LOOKS:
        left, right = (near_miss_keys(each, without=name) for each in (ids, others))
        named.append(
            pc.if_else(pc.not_equal(left, right), pa.scalar(name, pa.large_string()), nothing)
        )
    return joined_texts(named, ", ")


def visible(text: str) -> str:
    r"""Return what is seen of a text: no invisible characters, composed, no spaces around it.

    >>> visible("ann\u200b "), visible("e\u0301") == "\xe9"
    ('ann', True)
    """
    if text.isascii():
        return text.strip()
    shown = (each for each in text if unicodedata.category(each) != "Cf")
    return unicodedata.normalize("NFC", "".join(shown)).strip()


def near_id(key: str, ids: Container[object]) -> str:
    """Return what an error adds on an ID that is not there and nearly is, or nothing.

    >>> near_id("007 ", {"7", "8"}), near_id("9", {"7"})
    ("; there is '7'", '')
    """
    bare = key.strip()
    near = {bare, bare.lower(), bare.upper(), bare.lstrip("0"), bare.removesuffix(".0")}
    seen = visible(key)
    near |= {seen, *(unicodedata.normalize(form, seen) for form in ("NFD", "NFKC"))}
    there = [each for each in sorted(near - {key, ""}) if each in ids]
    return f"; there is {there[0]!r}" if there else ""


def _beyond_ascii(change: Callable[[pa.Array], pa.Array], ids: pa.Array) -> pa.Array:
    """Change the texts that are not ASCII; looking for those is far quicker."""
    concerned = pc.fill_null(pc.invert(pc.string_is_ascii(ids)), False)
    if not pc.any(concerned, min_count=0).as_py():
        return ids
    return pc.replace_with_mask(ids, concerned, change(ids.filter(concerned)))


# What makes IDs look alike without being the same, in the order it is dropped.
_LOOKS: Final[dict[str, Callable[[pa.Array], pa.Array]]] = {
    "invisible characters": partial(
        _beyond_ascii, partial(pc.replace_substring_regex, pattern=r"\p{Cf}+", replacement="")
    ),
    "Unicode form": partial(_beyond_ascii, partial(pc.utf8_normalize, form="NFKC")),
    "spaces": pc.utf8_trim_whitespace,
    "case": pc.utf8_lower,
    ".0": partial(pc.replace_substring_regex, pattern=r"^(\d+)\.0+$", replacement=r"\1"),
    "leading zeros": partial(pc.replace_substring_regex, pattern=r"^0+(\d)", replacement=r"\1"),
}
