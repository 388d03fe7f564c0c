"""What people type as the value of a property, read as JSON."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, Final

from toolkit import times
from toolkit.errors import InvalidValueError
from toolkit.values import Json, as_json

#: How a value can be read.
KINDS: Final = ("automatic", "text", "number", "true or false", "date", "JSON", "null")


def read_value(typed: str, kind: str = "automatic") -> Json:
    """Return the JSON value that was typed.

    Read automatically, what is JSON is that, such as ``12``, ``true`` or ``["a"]``, and
    all else is text. Numbers that would not come back as they are, such as ``007``, stay
    text.

    Raises
    ------
    InvalidValueError
        If it is none of the kind asked for.

    Examples
    --------
    >>> read_value("12"), read_value("007"), read_value("pro"), read_value('["a", 1]')
    (12, '007', 'pro', ['a', 1])
    >>> read_value("12", "text")
    '12'
    """
    if kind == "text":
        return as_json(typed)
    if kind == "null":
        return None
    text = typed.strip()
    if kind == "date":
        try:
            times.parse_time(text)
        except ValueError:
            raise InvalidValueError(f"{text!r} is no date; write 2026-01-31") from None
        return text
    read: Any
    try:
        read = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        if kind == "automatic":
            if not text:
                raise InvalidValueError('write a value, or choose "text" for empty text') from None
            return as_json(text)
        raise InvalidValueError(f"{text[:60]!r} is no {_named(kind)}") from None
    if kind == "number" and (isinstance(read, bool) or not isinstance(read, int | float)):
        raise InvalidValueError(f"{text[:60]!r} is no number, such as 12 or 1.5")
    if kind == "true or false" and not isinstance(read, bool):
        raise InvalidValueError(f"{text[:60]!r} is neither true nor false")
    if isinstance(read, float) and not isfinite(read):
        raise InvalidValueError(f"{text[:60]!r} is too large for a number")
    return as_json(read)


def _named(kind: str) -> str:
    return {"number": "number, such as 12 or 1.5"}.get(kind, kind)


def _refuse(name: str) -> Any:
    raise ValueError(name)
