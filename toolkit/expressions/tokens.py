"""The words of the text form, and the error that points at one of them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal, NamedTuple

from toolkit.base import MAX_DIGITS, ExpressionError, Json

Kind = Literal["text", "number", "word", "symbol", "end"]


class Token(NamedTuple):
    """One word of the text.

    Attributes
    ----------
    kind
        What it is; the last token of a text is its ``"end"``.
    text
        As it is written.
    start
        Where it begins, counted in characters from 0.
    value
        What a text or number stands for.
    """

    kind: Kind
    text: str
    start: int
    value: Json = None


_SPACE: Final = re.compile(r"\s*")
_STRING: Final = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"' + "|" + r"'[^'\\]*(?:\\.[^'\\]*)*'", re.DOTALL
)
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_PATTERNS: Final[dict[Kind, re.Pattern[str]]] = {
    "symbol": re.compile(r"[=!]==|<>|[=!<>]=|[-+*/%<>()\[\]{},:]"),
    "word": re.compile(r"[^\W\d]\w*"),
}
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES: Final = {
    **{"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"},
    **{'"': '"', "'": "'", "\\": "\\", "/": "/"},
}

# What people write who know other languages.
_HINTS: Final = {
    "===": "write == for equal",
    "!==": "write != for not equal",
    "<>": "write != for not equal",
    "=": "write == for equal",
    "&&": "write and",
    "&": "write and",
    "||": "write or",
    "|": "write or",
    "!": "write not, or != for not equal",
    "~": "write not",
    "“": "write straight quotes",
    "”": "write straight quotes",
    "„": "write straight quotes",
    "‘": "write straight quotes",
    "’": "write straight quotes",
    "`": "write straight quotes",
    ";": "join conditions with and",
}


#: A longer text is refused before it is read.
_LONGEST: Final = 500_000
_POINT: Final = "a number has digits before and after its one point"
# A point as Python has it: user.plan, user["plan"].is_set().
_AROUND_POINT: Final = re.compile(r"(\buser|\bevent|\bproperties)?\.(\w+)")
_PYTHON: Final = {
    **{name: f"{name}(…)" for name in ("any", "all", "floor", "round", "ceil")},
    **{"is_set": "defined(…)", "is_not_set": "not defined(…)", "isin": "… in […]"},
    **{"contains": "contains(…, …)", "as_text": "string(…)", "as_number": "number(…)"},
    **{"as_boolean": "boolean(…)", "as_datetime": "datetime(…)"},
}


def syntax_error(text: str, position: int, message: str) -> ExpressionError:
    """Return the error that shows *text* with a caret under the character at *position*."""
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    end = len(text) if end < 0 else end
    # Of a long line, what is around the character.
    first = start if position - start <= 60 else position - 50
    last = end if end - position <= 60 else position + 50
    before = "…" if first > start else ""
    after = "…" if last < end else ""
    line = f"{before}{_printable(text[first:last])}{after}"
    blank = "".join(map(_blank, before + _printable(text[first:position])))
    return ExpressionError(f"{message}\n    {line}\n    {blank}^")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() or char == "\t" else "�" for char in text)


def _blank(char: str) -> str:
    """Return white space as wide as a character, so that a caret is right below one."""
    if char == "\t":
        return char
    return "\u3000" if unicodedata.east_asian_width(char) in "WF" else " "


def tokens(text: str) -> list[Token]:
    """Return the words of *text*, in order, an ``"end"`` last.

    >>> [token.text for token in tokens("user['age'] >= 18")]
    ['user', '[', "'age'", ']', '>=', '18', '']

    Raises
    ------
    ExpressionError
        At the first character that begins no word, or if the text is very long.
    """
    if len(text) > _LONGEST:
        raise ExpressionError(
            f"the text of the expression has {len(text):,} characters; at most {_LONGEST:,} are "
            "read. A choice of many values is shorter in Python: user[…].isin(values)"
        )
    result: list[Token] = []
    position = 0
    while True:
        position = _end(_SPACE, text, position)
        if position == len(text):
            result.append(Token("end", "", position))
            return result
        token = _token(text, position)
        result.append(token)
        position += len(token.text)


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _token(text: str, position: int) -> Token:
    first = text[position]
    if first in "\"'":
        return _string(text, position)
    if first in "0123456789":
        return _number(text, position)
    for kind, pattern in _PATTERNS.items():
        end = _end(pattern, text, position)
        word = text[position:end]
        if word in _HINTS:
            break
        if word:
            return Token(kind, word, position)
    else:
        word = text[position : position + 2]
        word = word if word in _HINTS else first
    if word == ".":
        raise syntax_error(text, position, _about_point(text, position))
    if word in _HINTS:
        raise syntax_error(text, position, f'found "{word}"; {_HINTS[word]}')
    named = f'"{word}"' if word.isprintable() else f"the character U+{ord(word):04X}"
    raise syntax_error(text, position, f"found {named}, which means nothing here")


_GROUP: Final = re.compile(r"\bgroup\s*\([^()]{1,80}\)$")


def _about_point(text: str, position: int) -> str:
    of_group = _GROUP.search(text, max(0, position - 100), position)
    name = re.compile(r"\w+").match(text, position + 1)
    if of_group is not None and name is not None:
        return f'a property is written {of_group.group()}["{name.group()}"]'
    match = _AROUND_POINT.search(text, max(0, position - 10), position + 40)
    if match is not None and match.group(1):
        return f'a property is written {match.group(1)}["{match.group(2)}"]'
    if match is not None and match.group(2) in _PYTHON:
        return f'found ".{match.group(2)}" of the Python form; write {_PYTHON[match.group(2)]}'
    return f'found "."; {_POINT}'


def _number(text: str, position: int) -> Token:
    match = _NUMBER.match(text, position)
    assert match is not None  # it begins with a digit
    written = match.group()
    rest = text[match.end() : match.end() + 1]
    if rest == ".":
        raise syntax_error(text, match.end(), f'found "."; {_POINT}')
    if rest.isalnum() or rest == "_":
        raise syntax_error(text, match.end(), f'found "{rest}" in a number; text goes in quotes')
    if written[0] == "0" and written[1:2].isdigit():
        raise syntax_error(
            text, position, "a number begins with no 0; put digits that are text in quotes"
        )
    if match.group(1) is None and match.group(2) is None:
        if len(written) > MAX_DIGITS:
            raise syntax_error(text, position, f"a number has at most {MAX_DIGITS:,} digits")
        return Token("number", written, position, int(written))
    number = float(written)
    if number == float("inf"):
        raise syntax_error(text, position, "the number is too large")
    return Token("number", written, position, number)


def _string(text: str, position: int) -> Token:
    match = _STRING.match(text, position)
    if match is None:
        quote = text[position]
        raise syntax_error(text, position, f"the text that begins here has no closing {quote}")
    written = match.group()

    def unescaped(escape: re.Match[str]) -> str:
        sign = escape.group(1)
        if len(sign) == 5:
            return chr(int(sign[1:], 16))
        if sign not in _ESCAPES:
            raise syntax_error(
                text,
                position + 1 + escape.start(),
                "a backslash in text is written \\\\; it begins one of "
                "\\\" \\' \\\\ \\/ \\b \\f \\n \\r \\t \\u0000",
            )
        return _ESCAPES[sign]

    value = _ESCAPE.sub(unescaped, written[1:-1])
    if not value.isascii():
        try:  # two halves of a surrogate pair become one character
            value = value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise syntax_error(
                text, position, "the text holds half a surrogate pair, which is not a character"
            ) from None
    return Token("text", written, position, value)
