"""From one type to another, on whole columns (EXPR-11, EXPR-12)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import dumps, parse_time
from toolkit.columns import Mask, series
from toolkit.expressions.arithmetic import arithmetic
from toolkit.expressions.cells import TEXT, Cells, Family, finite, iso_texts, text_series
from toolkit.expressions.functions import ANY, function

_SPACE: Final = " \t\r\n"
_SHORT_INTEGER: Final = r"^[+-]?[0-9]{1,18}$"
_LONG_INTEGER: Final = r"^[+-]?[0-9]{19,}$"
_NUMBER: Final = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"

# The times that have a text form.
_FIRST: Final = parse_time("0001-01-01")
_LAST: Final = parse_time("9999-12-31T23:59:59.999999")


@function("number", takes=("boolean", "number", "text", "time"), gives="number", method="as_number")
def as_number(cells: Cells) -> Cells:
    """Return the numbers; true as 1, false as 0, decimal text read, a time as unix seconds."""
    pieces = cells.only("int", "float", "big")
    for _, at, values in cells.only("bool"):
        pieces.append(("int", at, values.astype(np.int64)))
    for _, at, values in cells.only("text"):
        pieces += _numbers_of_text(at, values)
    for piece in cells.only("time"):
        microseconds = Cells.joined(cells.length, [("int", *piece[1:])])
        seconds = arithmetic("/", microseconds, Cells.constant(1_000_000))
        pieces += seconds.only("int", "float")
    return Cells.joined(cells.length, pieces)


def _numbers_of_text(at: Mask, texts: pa.Array) -> list[tuple[Family, Mask, Any]]:
    trimmed = pc.ascii_trim(texts, characters=_SPACE)
    short = at & _matches(trimmed, _SHORT_INTEGER)
    long = at & _matches(trimmed, _LONG_INTEGER)
    other = at & ~short & ~long & _matches(trimmed, _NUMBER)
    integers = np.zeros(len(at), np.int64)
    integers[short] = _cast(trimmed, short, pa.int64())
    floats = np.zeros(len(at), np.float64)
    floats[other] = _cast(trimmed, other, pa.float64())
    pieces: list[tuple[Family, Mask, Any]] = [
        ("int", short, integers),
        finite(floats, other),
    ]
    if long.any():
        values = np.full(len(at), None, object)
        for position in np.flatnonzero(long).tolist():
            values[position] = _integer(trimmed[position].as_py())
        pieces += Cells.of_objects(values, long).only("int", "big")
    return pieces


def _matches(texts: pa.Array, pattern: str) -> Mask:
    matches = pc.fill_null(pc.match_substring_regex(texts, pattern=pattern), False)
    mask: Mask = matches.to_numpy(zero_copy_only=False)
    return mask


def _cast(texts: pa.Array, at: Mask, dtype: pa.DataType) -> Any:
    unsigned = pc.ascii_ltrim(texts.filter(pa.array(at)), characters="+")
    return unsigned.cast(dtype).to_numpy(zero_copy_only=False)


def _integer(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:  # more than 4,300 digits
        return None


@function("string", takes=ANY, gives="text", method="as_text")
def as_text(cells: Cells) -> Cells:
    """Return the values as text: numbers as decimals, true and false, ISO 8601 times, JSON.

    Equal numbers give equal text: 1.0 is ``"1"``.
    """
    pieces = cells.only("text")
    for _, at, values in cells.only("bool"):
        pieces.append(("text", at, pc.if_else(pa.array(values), _one("true"), _one("false"))))
    for _, at, values in cells.only("int"):
        pieces.append(("text", at, pa.array(values).cast(TEXT)))
    for _, at, values in cells.only("float"):
        pieces += _texts_of_floats(at, values)
    for _, at, values in cells.only("big"):
        pieces.append(("text", at, _spread([str(value) for value in values[at]], at)))
    for _, at, values in cells.only("list", "object"):
        pieces.append(("text", at, _spread([dumps(value) for value in values[at]], at)))
    for _, at, values in cells.only("time"):
        pieces.append(("text", at, iso_texts(values, at)))
    return Cells.joined(cells.length, pieces)


def _one(text: str) -> pa.Scalar:
    return pa.scalar(text, TEXT)


def _spread(texts: list[str], at: Mask) -> pa.Array:
    """Return one text after the other at the places of *at*, null elsewhere."""
    positions = pa.array(np.cumsum(at) - 1, mask=~at)
    return pa.array(texts, TEXT).take(positions)


def _texts_of_floats(at: Mask, floats: Any) -> list[tuple[Family, Mask, Any]]:
    whole = at & (np.trunc(floats) == floats)
    short = whole & (np.abs(floats) < 2.0**63)
    pieces: list[tuple[Family, Mask, Any]] = []
    if short.any():
        integers = np.where(short, floats, 0.0).astype(np.int64)
        pieces.append(("text", short, pa.array(integers).cast(TEXT)))
    if (long := whole & ~short).any():
        pieces.append(("text", long, _spread([str(int(value)) for value in floats[long]], long)))
    if (broken := at & ~whole).any():
        # One call writes all numbers; none of them holds a comma.
        written = orjson.dumps(floats[broken], option=orjson.OPT_SERIALIZE_NUMPY)
        pieces.append(("text", broken, _spread(written[1:-1].decode().split(","), broken)))
    return pieces


@function("boolean", takes=ANY, gives="boolean", method="as_boolean")
def as_boolean(cells: Cells) -> Cells:
    """Return a boolean for every cell: false for not set, false, 0, ``""`` and ``"false"``."""
    result = np.zeros(cells.length, np.bool_)
    for family, (at, values) in cells.parts.items():
        if family == "text":
            empty = pc.is_in(values, value_set=pa.array(["", "false"], TEXT))
            result |= at & ~empty.to_numpy(zero_copy_only=False)
        elif family in ("bool", "int", "float"):
            result |= at & (values != 0)
        else:
            result |= at
    return Cells.joined(cells.length, [("bool", np.ones(cells.length, np.bool_), result)])


@function("datetime", takes=("text", "number", "time"), gives="time", method="as_datetime")
def as_datetime(cells: Cells) -> Cells:
    """Return times: text read by TIME-2, numbers by TIME-1; what is not one is not set."""
    pieces = cells.only("time")
    for _, at, values in cells.only("text"):
        pieces.append(_times(at, text_series(values)))
    for _, at, values in cells.only("int", "float"):
        pieces.append(_times(at, pd.Series(np.where(at, values, 0))))
    return Cells.joined(cells.length, pieces)


def _times(at: Mask, values: pd.Series[Any]) -> tuple[Family, Mask, Any]:
    moments = series.times(values).microseconds
    # A time zone can carry a time out of the years; NO_TIME is before them all.
    readable = (moments >= _FIRST) & (moments <= _LAST)
    return "time", at & readable, moments
