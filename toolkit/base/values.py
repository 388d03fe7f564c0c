"""JSON values: what counts as one, when two are equal, how they are written.

A property holds any JSON value. Absent (no value at all) and null (the JSON
value ``None``) differ, so absent has an object of its own, :data:`ABSENT`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias, TypeGuard
from uuid import UUID

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base.errors import InvalidValueError

Json: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None

#: Lists and objects may be nested this deep. SQLite and most JSON
#: readers give up between 254 and 1,000; a value every reader takes is kept.
MAX_DEPTH: Final = 200

#: Python refuses to write longer integers as text.
MAX_DIGITS: Final = 4_300

# Up to here a float has all whole numbers.
_EXACT: Final = 2**53

#: The least integer too large to store.
TOO_LARGE: Final = 10**MAX_DIGITS


class Absent:
    """The type of :data:`ABSENT`, the mark of a property that was never set or was unset."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = Absent()


def as_json(value: object) -> Json:
    """Return *value* as JSON, in containers of its own.

    Numpy and pandas scalars become the Python number or text they stand for,
    tuples become lists, dates and times ISO 8601 text, durations seconds, decimals
    numbers (:func:`of_decimal`); periods, intervals and UUIDs their usual text.

    Raises
    ------
    InvalidValueError
        For NaN and infinities (SET-1), text with lone surrogates, objects whose
        keys are not text, nesting deeper than :data:`MAX_DEPTH`, and any other
        Python object.

    Examples
    --------
    >>> as_json((1, 2.5, None))
    [1, 2.5, None]
    >>> as_json(float("nan"))
    Traceback (most recent call last):
    ...
    toolkit.errors.InvalidValueError: nan is not a JSON number
    """
    return _as_json(value, 0)


def _as_json(value: object, depth: int) -> Json:
    # The exact types first: nearly every value is one of these.
    kind = type(value)
    if kind is str:
        return _checked_text(value)  # type: ignore[arg-type]
    if value is None or kind is bool:
        return value  # type: ignore[return-value]
    if kind is int:
        if -TOO_LARGE < value < TOO_LARGE:  # type: ignore[operator]
            return value  # type: ignore[return-value]
        raise InvalidValueError(f"an integer of more than {MAX_DIGITS:,} digits cannot be stored")
    if kind is float:
        if math.isfinite(value):  # type: ignore[arg-type]
            return value  # type: ignore[return-value]
        raise InvalidValueError(f"{value!r} is not a JSON number")
    if depth >= MAX_DEPTH:
        raise InvalidValueError(f"lists and objects are nested more than {MAX_DEPTH} deep")
    if isinstance(value, list | tuple):
        return [_as_json(element, depth + 1) for element in value]
    if isinstance(value, Mapping):
        result: dict[str, Any] = {}
        for name, element in value.items():
            if not isinstance(name, str):
                raise InvalidValueError(f"an object's keys are text, not {_named(name)}")
            result[_checked_text(str(name))] = _as_json(element, depth + 1)
        return result
    return _as_json_scalar(value, depth)


def _as_json_scalar(value: object, depth: int) -> Json:
    if value is pd.NaT or value is pd.NA:
        raise InvalidValueError(f"{value!r} is not a JSON value; use None for null")
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return _checked_text(str(value))
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, np.datetime64) and not np.isnat(value):
        return _moment(pd.Timestamp(value))
    # A timedelta64 is an integer to numpy, and which of what it does not say.
    if isinstance(value, int | np.integer) and not isinstance(value, np.timedelta64):
        return _as_json(int(value), depth)
    if isinstance(value, float | np.floating):
        return _as_json(float(value), depth)
    if isinstance(value, np.ndarray):
        # Of times, tolist() makes bare numbers.
        is_of_times = value.ndim and value.dtype.kind in "mM"
        return _as_json(list(value) if is_of_times else value.tolist(), depth)
    if isinstance(value, Decimal):
        return of_decimal(value)
    if isinstance(value, timedelta | np.timedelta64):
        return _seconds(value)
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, pd.Period | pd.Interval | UUID):
        return str(value)
    raise InvalidValueError(f"{_named(value)} is not a JSON value")


def of_decimal(value: Decimal) -> int | float:
    """Return the number that a decimal is: a float that reads as it does, else an integer.

    Raises
    ------
    InvalidValueError
        If a float would round it, and it is not an integer that can be stored.

    Examples
    --------
    >>> of_decimal(Decimal("19.90")), of_decimal(Decimal(2**53 + 1))
    (19.9, 9007199254740993)
    """
    if not value.is_finite():
        raise InvalidValueError(f"{value!r} is not a JSON number")
    # Before it is an integer: of a hundred characters it can be one of a billion digits.
    if value.adjusted() >= MAX_DIGITS:
        raise InvalidValueError(f"an integer of more than {MAX_DIGITS:,} digits cannot be stored")
    number = float(value)
    if abs(value) < _EXACT and Decimal(repr(number)) == value:
        return number
    if value == value.to_integral_value():
        return int(value)
    raise InvalidValueError(
        f"{_named(value)} has more digits than a float keeps; round it, or give it as text"
    )


def _seconds(value: timedelta | np.timedelta64) -> float:
    try:
        number: Any = pd.Timedelta(value) if isinstance(value, np.timedelta64) else value
    except (ValueError, OverflowError):  # of months, say, which have no length
        raise InvalidValueError(f"{_named(value)} is not a JSON value") from None
    if number is pd.NaT:
        raise InvalidValueError(f"{value!r} is not a JSON value; use None for null")
    return float(number.total_seconds())


def _moment(value: datetime) -> str:
    """Return a moment as ISO 8601 text in UTC, to the microsecond: as in a DataFrame (CELL-1)."""
    if isinstance(value, pd.Timestamp):
        value = value.to_pydatetime(warn=False)
    moment = value if value.utcoffset() is not None else value.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError as error:
        raise InvalidValueError(f"{value!r} is in no year of four digits in UTC") from error


def _named(value: object) -> str:
    kind = type(value).__name__
    try:
        shown = " ".join(repr(value).split())
    except Exception:  # anybody's object: too many digits, or a repr that does not work
        return f"an object of the type {kind}"
    return f"{shown[:39]}… ({kind})" if len(shown) > 40 else f"{shown} ({kind})"


def printable(text: str) -> str:
    r"""Return text that can be printed and written: half a surrogate pair becomes its escape.

    >>> printable("plan"), printable("pl\ud800n")
    ('plan', 'pl\\ud800n')
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _checked_text(text: str) -> str:
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidValueError(
            f"{text[:40]!r} holds half a surrogate pair, which is not Unicode text"
        ) from None
    return text


def equal(left: Json, right: Json) -> bool:
    """Return whether two values are equal as JSON.

    Numbers by value (1 equals 1.0), ``True`` is not 1, ``"1"`` is not 1,
    objects by key whatever their order.

    >>> equal(1, 1.0), equal(True, 1), equal({"a": 1, "b": 2}, {"b": 2, "a": 1})
    (True, False, True)
    """
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and left.keys() == right.keys()
            and all(equal(value, right[name]) for name, value in left.items())
        )
    return left == right


def identical(left: Json, right: Json) -> bool:
    """Return whether nothing at all differs, neither a type nor the order of an object's keys.

    >>> identical(1, 1.0), identical({"a": 1, "b": 2}, {"b": 2, "a": 1}), identical([0.0], [-0.0])
    (False, False, False)
    >>> identical({"a": [1, None]}, {"a": [1, None]})
    True
    """
    return left is right or (type(left) is type(right) and dumps(left) == dumps(right))


def key(value: Json) -> Hashable:
    """Return a hashable that is the same for equal values and only for them.

    >>> key([1, {"a": None}]) == key([1.0, {"a": None}])
    True
    >>> key(1) == key(True)
    False
    """
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return ("list", tuple(map(key, value)))
    if isinstance(value, dict):
        return ("object", frozenset((name, key(element)) for name, element in value.items()))
    return value


def copied(value: Json) -> Json:
    """Return *value* with lists and objects of its own."""
    if isinstance(value, list):
        return [copied(element) for element in value]
    if isinstance(value, dict):
        return {name: copied(element) for name, element in value.items()}
    return value


def dumps(value: Json) -> str:
    """Return *value* as compact JSON text, integers of any size exact."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer past 64 bits, or nesting past orjson's 254
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


# orjson reads an integer of more than 64 bits as a float. Such text is rare,
# so it is looked for first and left to the slower exact reader.
_LONG_NUMBER: Final = re.compile(r"\d{19}")


def loads(text: str) -> Json:
    """Return the value of JSON *text* written by :func:`dumps`, integers exact."""
    if len(text) < 19 or not _LONG_NUMBER.search(text):
        return orjson.loads(text)  # type: ignore[no-any-return]
    return json.loads(text)  # type: ignore[no-any-return]


def loads_many(texts: Iterable[str]) -> list[Any]:
    """Return the values of many JSON texts, as :func:`loads` would each.

    The texts are read as one array, five times faster than one by one.
    """
    joined = "[" + ",".join(texts) + "]"
    # RE2 passes over a hundred megabytes in a tenth of a second; `re` needs one.
    long_number = pc.match_substring_regex(pa.array([joined], pa.large_string()), pattern=r"\d{19}")
    return json.loads(joined) if long_number[0].as_py() else orjson.loads(joined)  # type: ignore[no-any-return]


def texts_where(mask: Any, texts: pa.Array, others: pa.Array | None = None) -> pa.Array:
    """Return the texts where a numpy *mask* is true, elsewhere the *others*, or null.

    What Arrow's ``if_else`` is for; before version 24 it garbles sliced texts.

    >>> texts_where(np.array([True, False]), pa.array(["a", "b"])).to_pylist()
    ['a', None]
    """
    rows = np.arange(len(texts))
    if others is None:
        return texts.take(pa.array(rows, mask=~mask))
    return pa.concat_arrays([texts, others]).take(pa.array(np.where(mask, rows, rows + len(rows))))


def joined_texts(parts: Sequence[pa.Array], separator: str) -> pa.Array:
    """Return the texts of several arrays joined row by row, nulls left out.

    A row that is null in all of them is ``""``.

    >>> joined_texts([pa.array(["a", None]), pa.array(["b", None])], "+").to_pylist()
    ['a+b', '']
    """
    text = pa.large_string()
    first, *rest = (part.cast(text) for part in parts)
    # Arrow's join drops the rows that are null throughout: such a row gets a text.
    bare = np.logical_and.reduce([part.is_null().to_numpy(zero_copy_only=False) for part in parts])
    first = pc.replace_with_mask(first, pa.array(bare), pa.scalar("", text))
    return pc.binary_join_element_wise(
        first, *rest, pa.scalar(separator, text), null_handling="skip"
    )


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Return whether a value is a mapping; quick where it is a dict, or of another JSON type.

    >>> is_mapping({}), is_mapping([]), is_mapping(pd.Series([1]))
    (True, False, False)
    """
    kind = type(value)
    return kind is dict or (kind not in _NO_MAPPINGS and isinstance(value, Mapping))


_NO_MAPPINGS: Final = frozenset({str, int, float, bool, list, tuple, type(None)})


def is_text(value: object) -> TypeGuard[str]:
    """Return whether a value is text that can be written: no half of a surrogate pair.

    >>> is_text("plan"), is_text(7), is_text(chr(0xD800))
    (True, False, False)
    """
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def quoted(value: object) -> str:
    """Return what Python writes for an object of anybody's, for an error.

    >>> quoted("plan"), quoted(10**5000)
    ("'plan'", 'a number of more than 4,300 digits')
    """
    try:
        return repr(value)
    except (RecursionError, ValueError):  # nested without end, or too many digits
        is_number = isinstance(value, int)
        return "a number of more than 4,300 digits" if is_number else _kind(value)


def glimpse(value: object, at_most: int = 60) -> str:
    """Return the beginning of what an object of anybody's looks like, for an error.

    >>> glimpse([1, 2]), glimpse("plan", 2)
    ('[1, 2]', 'pl')
    """
    try:
        return printable(str(value)[:at_most])
    except Exception:  # nested without end, too many digits, or a text that does not work
        return _kind(value)


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
