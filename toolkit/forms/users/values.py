"""What people type as the value of a property of many profiles, read as JSON."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, Final

from toolkit.base import InvalidValueError, Json, as_json
from toolkit.forms.editor.property_row import KINDS as _KINDS, PropertyRow

AUTOMATIC: Final = "automatic"
#: How a value can be read, and what that is called; the rest as in the profile editor.
KINDS: Final[dict[str, str]] = {
    AUTOMATIC: "Whatever it looks like",
    **{kind: label for kind, label in _KINDS.items() if kind != "list"},
}
_BOOLEANS: Final = {"true": True, "false": False}


def read_value(typed: str, kind: str = AUTOMATIC) -> Json:
    """Return the JSON value that was typed.

    Read automatically, what is JSON is that, such as ``12``, ``true`` or ``["a"]``, and
    all else is text. ``007`` is not a JSON number, and so stays text.

    Raises
    ------
    InvalidValueError
        If it is not of the kind asked for.

    Examples
    --------
    >>> read_value("12"), read_value("007"), read_value("pro"), read_value('["a", 1]')
    (12, '007', 'pro', ['a', 1])
    >>> read_value("12", "text")
    '12'
    """
    if kind == AUTOMATIC:
        return _as_it_looks(typed.strip())
    if kind not in KINDS:
        raise InvalidValueError(f"{kind!r} is none of {', '.join(KINDS)}")
    if kind == "boolean":
        if typed.strip().lower() not in _BOOLEANS:
            raise InvalidValueError(f"{typed.strip()[:60]!r} is neither true nor false")
        return _BOOLEANS[typed.strip().lower()]
    row = PropertyRow()
    row.kind, row.text = kind, typed
    return row.value()


def _as_it_looks(text: str) -> Json:
    if not text:
        raise InvalidValueError("write a value, or read it as text to write empty text")
    try:
        read: Any = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return as_json(text)
    if isinstance(read, float) and not isfinite(read):
        raise InvalidValueError(f"{text[:60]!r} is too large for a number")
    return as_json(read)


def _refuse(name: str) -> Any:
    raise ValueError(name)
