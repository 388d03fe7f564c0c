"""What an import says, in the words of the form: its fields, and columns counted from 1."""

from __future__ import annotations

import re
from typing import Final

# What the form calls the arguments of an import.
_FIELDS: Final = {
    "encoding": "Encoding",
    "delimiter": "Delimiter",
    "header": "First row",
    "key": "Identifier",
}
_PLACE: Final = re.compile(r'[Cc]olumn ([0-9]+) \(the \w+(?:, ("[^"]*"))?\)')


def as_field(name: str, value: object = ...) -> str:
    """Return an argument as somebody gives it who looks at the form.

    >>> as_field("header", True), as_field("key", 0), as_field("encoding")
    ('"a header" in "First row"', '"Column 1" in "Identifier"', 'another choice in "Encoding"')
    """
    label = _FIELDS.get(name, name)
    if value is ...:
        return f'another choice in "{label}"'
    if name == "header":
        value = "a header" if value else "data"
    if name == "key" and isinstance(value, int):
        value = f"Column {value + 1}"
    return f'"{value}" in "{label}"'


def in_form(message: str) -> str:
    """Return a message of :func:`as_field` arguments as a form says it.

    >>> in_form('column 1 (the second) has no name; pass "Column 2" in "Identifier"')
    'Column 2 has no name; choose "Column 2" in "Identifier"'
    """
    message = message.replace("pass another choice", "make another choice")
    return _PLACE.sub(_counted_from_1, message.replace('pass "', 'choose "'))


def _counted_from_1(match: re.Match[str]) -> str:
    named = f" ({match[2]})" if match[2] else ""
    return f"Column {int(match[1]) + 1}{named}"
