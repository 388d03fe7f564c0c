"""JSON as people type it: read with errors they can act on, laid out to be read."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from toolkit.base import ABSENT, MAX_DEPTH, JsonTextError

#: A value that fits on a line of so many characters is written on one.
LINE_LENGTH: Final = 44

# Deeper than what a property may hold (MAX_DEPTH), so that one sees that refused.
_DEPTH: Final = MAX_DEPTH + 50
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?Infinity|NaN|[{}\[\],:]', flags=re.DOTALL)
_WORD: Final = re.compile(r"[^\s,:\[\]{}\"']+")
_IN_PYTHON: Final = {"True": "true", "False": "false", "None": "null"}
_BARE: Final = ("NaN", "Infinity", "-Infinity")


def read_json(text: str, *, nan: bool = False) -> Any:
    """Return the one JSON value that *text* is.

    Parameters
    ----------
    text
        JSON. An object that names a key twice is refused, since one value would be lost.
    nan
        Whether ``NaN`` and ``Infinity`` are read, as Python writes them.

    Raises
    ------
    JsonTextError
        Saying where and what to do.

    Examples
    --------
    >>> read_json('{"plan": "pro"}')
    {'plan': 'pro'}
    >>> read_json("{'plan': 'pro'}")
    Traceback (most recent call last):
    ...
    toolkit.errors.JsonTextError: line 1, column 2: JSON puts text in double quotes: "plan"
    """
    value, end = _read_at(text, 0)
    rest = _SPACE.match(text, end).end()  # type: ignore[union-attr]
    if rest < len(text):
        _refuse(text, rest, "one JSON value is expected, and more follows here")
    _check(text, nan)
    return value


def read_several(text: str, *, nan: bool = False) -> list[Any]:
    """Return the JSON values of *text*: the elements of one array, or one after the other.

    JSON Lines are values one after the other; here each may run over several lines.

    >>> read_several('{"a": 1}\\n{"b": 2}') == read_several('[{"a": 1}, {"b": 2}]')
    True
    """
    values = []
    at = 0
    while (at := _SPACE.match(text, at).end()) < len(text):  # type: ignore[union-attr]
        value, at = _read_at(text, at)
        values.append(value)
    _check(text, nan)
    return values[0] if len(values) == 1 and isinstance(values[0], list) else values


def _read_at(text: str, start: int) -> tuple[Any, int]:
    """Return the value that begins at *start*, and where it ends."""
    start = _SPACE.match(text, start).end()  # type: ignore[union-attr]
    if start == len(text):
        _refuse(text, start, "a JSON value is missing")
    try:
        return json.JSONDecoder(strict=True).raw_decode(text, start)
    except json.JSONDecodeError as error:
        at = error.pos
        if not error.msg.startswith("Invalid control character"):
            # Python 3.13 points at a trailing comma, earlier ones behind it.
            at += error.msg.startswith("Illegal trailing comma")
            at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        _refuse(text, at, _advice(text, at, error))
    except RecursionError:
        _refuse(text, start, "lists and objects are nested too deeply")
    except ValueError:  # Python reads no integer of more than 4,300 digits
        _refuse(text, start, "a number has more than 4,300 digits")


def _advice(text: str, at: int, error: json.JSONDecodeError) -> str:
    """Return what is wrong at a place, and what to do."""
    before = text[:at].rstrip()
    rest = text[at:]
    if rest.startswith("'") or rest.startswith(("“", "”", "‘", "’")):
        word = re.match(r".([^'“”‘’\"]{0,40})", rest, flags=re.DOTALL)
        return f'JSON puts text in double quotes: "{word[1] if word else ""}"'
    if error.msg.startswith("Illegal trailing comma") or (
        before.endswith(",") and rest[:1] in ("}", "]")
    ):
        return "nothing follows the comma; leave it out"
    if error.msg.startswith("Unterminated string"):
        return "the text that begins here has no closing double quote"
    if error.msg.startswith("Invalid control character"):
        return r"text goes on one line; a line break in it is written \n"
    if error.msg.startswith("Invalid") and "escape" in error.msg:
        return r"no such escape; a backslash is written \\"
    if not rest:
        return "the end came too early; a bracket is not closed"
    if error.msg.startswith("Expecting ',' delimiter"):
        return "a comma is missing before this, or a bracket"
    if error.msg.startswith("Expecting ':' delimiter"):
        return "a colon is missing between the name and its value"
    word = _WORD.match(rest)
    if word is None:
        return f"{rest[0]} is not expected here"
    word_text = word[0][:40]
    if word_text in _IN_PYTHON:
        return f"JSON writes {_IN_PYTHON[word_text]} for {word_text}"
    if re.fullmatch(r"[+.]?[\d.]+", word_text):
        return (
            f"{word_text} is not a JSON number; write 12, -0.5 or 1e6, or put text in double quotes"
        )
    return f'text goes in double quotes: "{word_text}"'


def _check(text: str, nan: bool) -> None:
    """Refuse what Python's reader passes over: keys given twice, and NaN."""
    keys: list[set[str] | None] = []
    last: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "{[":
            if len(keys) >= _DEPTH:
                _refuse(text, token.start(), f"nested more than {_DEPTH} deep")
            keys.append(set() if sign == "{" else None)
        elif sign in "}]":
            keys.pop()
        elif sign == ":" and last is not None:
            last_key = keys[-1]
            assert last_key is not None
            name = json.loads(last[0])
            if name in last_key:
                _refuse(
                    text, last.start(), f"{last[0]} occurs twice in one object; only one can count"
                )
            last_key.add(name)
        elif sign in _BARE and not nan:
            _refuse(text, token.start(), f"{sign} is not JSON")
        last = token


def _refuse(text: str, at: int, message: str) -> NoReturn:
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    raise JsonTextError(message, line, column) from None


def json_text(value: Any) -> str:
    """Return *value* as JSON on one line, with a space after commas and colons.

    What no Unicode text may hold, such as half a surrogate pair, is escaped. NaN
    and infinities are written as Python does.

    >>> json_text({"tags": ["vip", None]})
    '{"tags": ["vip", null]}'
    """
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def sayable(text: str) -> str:
    """Return *text* with what no Unicode text may hold escaped, so that it can travel.

    >>> sayable("a\\ud800")
    'a\\\\ud800'
    """
    return text.encode("utf-8", "backslashreplace").decode()


def laid_out(value: Any, *, indent: int = 0, before: int = 0) -> str:
    """Return *value* as JSON over as few lines as can be read.

    Parameters
    ----------
    value
        A JSON value.
    indent
        How many spaces its lines begin with, except the first.
    before
        How many characters are before it on its first line.

    Examples
    --------
    >>> print(laid_out({"$distinct_id": "ann", "$set": {"plan": "pro", "city": None}}))
    {
      "$distinct_id": "ann",
      "$set": {"plan": "pro", "city": null}
    }
    """
    short = json_text(value)
    is_bare = not isinstance(value, dict | list) or not value
    if is_bare or (
        before + indent + len(short) <= LINE_LENGTH and not _is_outermost(value, before)
    ):
        return short
    inner = indent + 2
    if isinstance(value, dict):
        opening, closing = "{", "}"
        parts = []
        for name, element in value.items():
            head = f"{json_text(name)}: "
            parts.append(head + laid_out(element, indent=inner, before=len(head)))
    else:
        opening, closing = "[", "]"
        parts = [laid_out(element, indent=inner, before=1) for element in value]
    margin = " " * inner
    lines = ",\n".join(margin + part for part in parts)
    return f"{opening}\n{lines}\n{' ' * indent}{closing}"


def _is_outermost(value: Any, before: int) -> bool:
    """Return whether this is a whole profile or message, which gets one line per property."""
    return before == 0 and isinstance(value, dict) and len(value) > 1


#: The sign before each change of a property.
SIGNS: Final = {"added": "+", "changed": "~", "rewritten": "~", "removed": "−", "kept": " "}


def cut_json(value: Any, length: int) -> str:
    """Return a value of a difference as JSON text that is not too long; "" for none.

    >>> cut_json([1, 2, 3], 4), cut_json(ABSENT, 4)
    ('[1, …', '')
    """
    if value is ABSENT:
        return ""
    text = json_text(value)
    return text if len(text) <= length else f"{text[:length]}…"
