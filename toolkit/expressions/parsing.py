"""From the text form to the same nodes that Python's operators build.

A parser by precedence climbing over :mod:`toolkit.expressions.tokens`. It takes
time in proportion to the text, and nothing of the text is ever executed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NoReturn, TypeVar

from toolkit.base import ExpressionError, did_you_mean, listed, quoted
from toolkit.expressions import tree
from toolkit.expressions.functions import FUNCTIONS
from toolkit.expressions.literals import shortened
from toolkit.expressions.tokens import Token, syntax_error, tokens
from toolkit.expressions.tree import (
    MAX_DEPTH,
    And,
    Arithmetic,
    Comparison,
    Contains,
    Expression,
    Function,
    In,
    IsSet,
    ListOf,
    Literal,
    Members,
    Not,
    Or,
    Property,
    Quantified,
    Tally,
)
from toolkit.expressions.writing import COMPARISON, NOT, OR, PRECEDENCE, SIGN, SUM

Built = TypeVar("Built")

_SIDES: Final = {"user": "user", "event": "event", "properties": "event"}
_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_ONE_ARGUMENT: Final[dict[str, Callable[[Expression], Expression]]] = {
    "defined": IsSet,
    "any": lambda operand: Quantified("any", operand),
    "all": lambda operand: Quantified("all", operand),
}
_TALLIES: Final = ("times_did", "total_of")


def _functions(*, formulas: bool = False) -> tuple[str, ...]:
    """Return the names of the functions, or of those that formulas have."""
    named = [name for name in FUNCTIONS if name.isidentifier()]
    if formulas:
        return tuple(name for name in named if FUNCTIONS[name].in_formulas)
    return (*_ONE_ARGUMENT, *named, "contains", "cohort", *_TALLIES)


# What people write who know Python or SQL, by the lower-case word.
_HINTS: Final = {
    **{"and": "write and", "or": "write or", "not": "write not", "in": "write in"},
    **{"true": "write true", "false": "write false"},
    **{"none": "write null", "null": "write null", "nan": "write null", "undefined": "write null"},
    **{"is": "write ==", "is_set": "write defined(…)", "is_not_set": "write not defined(…)"},
    **{"did": 'write times_did("…") >= 1'},
    **{"isin": "write in […]", "like": "write contains(…, …)"},
}


def parse(text: str) -> Expression:
    """Return the expression that *text* stands for.

    Parameters
    ----------
    text
        Such as ``user["plan"] == "pro" and event["amount"] > 10``.

    Raises
    ------
    ExpressionError
        If it is not an expression. The message shows the text with a caret under the
        character that could not be understood.

    Examples
    --------
    >>> parse("properties['amount'] * 2 > 10 or not defined(user['plan'])")
    event["amount"] * 2 > 10 or not defined(user["plan"])
    >>> parse('user["plan"] = "pro"')
    Traceback (most recent call last):
    ...
    toolkit.errors.ExpressionError: found "="; write == for equal
        user["plan"] = "pro"
                     ^
    """
    return _Parser(text).parse()


def as_expression(value: Expression | str) -> Expression:
    """Return *value* if it is an expression; text is parsed.

    Raises
    ------
    ExpressionError
        If it is neither, or text that is not an expression.
    """
    if isinstance(value, str):
        return parse(value)
    if not isinstance(value, Expression):
        raise ExpressionError(
            f"{quoted(value):.60} ({type(value).__name__}) is not an expression; "
            'give user["plan"] == "pro", or the same as text'
        )
    tree.require_closed(value)
    return value


def parse_formula(text: str, names: Mapping[str, int]) -> Expression:
    """Return the expression that a formula of named numbers stands for.

    Parameters
    ----------
    text
        Such as ``Revenue / Buyers * 100``; a name that is not a single word, in quotes.
    names
        The names there are, and the number of each, which becomes a property's name.

    Raises
    ------
    ExpressionError
        If it is not a formula. The message shows the text with a caret under the
        character that could not be understood.

    Examples
    --------
    >>> parse_formula('A / "Sign Up"', {"A": 0, "Sign Up": 1})
    event["0"] / event["1"]
    >>> parse_formula("A / C", {"A": 0, "B": 1})
    Traceback (most recent call last):
    ...
    toolkit.errors.ExpressionError: nothing is called "C"; there are A, B
        A / C
            ^
    """
    return _FormulaParser(text, names).parse()


_LOOKS_LIKE_A_PROPERTY: Final = re.compile(rf"\s*(({'|'.join(_SIDES)})\s*\[|group\s*\()")


def as_property(value: Property | str, side: str = "event") -> Property:
    """Return *value* if it is a property; text is parsed, and a bare name is one of *side*.

    Raises
    ------
    ExpressionError
        If it is something else.

    Examples
    --------
    >>> as_property("item"), as_property("user['plan']")
    (event["item"], user["plan"])
    """
    if isinstance(value, str):
        if not _LOOKS_LIKE_A_PROPERTY.match(value):
            return Property(side, value)
        value = parse(value)  # type: ignore[assignment]
    if not isinstance(value, Property):
        raise ExpressionError(
            f"{quoted(value):.60} ({type(value).__name__}) is not a property; "
            'give user["plan"], event["item"], or "item" for a property of the event'
        )
    return value


class _Parser:
    """One text being read, token by token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0

    def parse(self) -> Expression:
        if len(self._tokens) == 1:
            raise ExpressionError('the expression is empty; write user["plan"] == "pro"')
        expression = self._expression(OR)
        if self._next.kind != "end":
            self._unexpected("the end, or an operator such as ==, and, or, +")
        self._build(self._tokens[0], tree.require_closed, expression)
        return expression

    # -- operators ------------------------------------------------------------------------

    def _expression(self, least: int) -> Expression:
        """Read an expression of operators that bind at least as tightly as *least*."""
        left = self._signed(least)
        while True:
            token, operator = self._next, self._operator()
            level = PRECEDENCE.get(operator, 0)
            if level < max(least, OR):
                return left
            if operator in ("and", "or"):
                conditions = [left]
                while self._operator() == operator:
                    self._skip(operator)
                    conditions.append(self._expression(level + 1))
                joined = And if operator == "and" else Or
                left = self._build(token, joined.of, conditions)
            elif level == COMPARISON:
                left = self._comparison(left, operator)
            else:
                self._skip(operator)
                right = self._expression(level + 1)
                left = self._build(token, Arithmetic, operator, left, right)

    def _inner(self, least: int) -> Expression:
        """Read an expression that is inside another, though not inside too many."""
        if self._depth >= MAX_DEPTH:
            self._fail(self._next, f"the expression is nested more than {MAX_DEPTH} deep")
        self._depth += 1
        inner = self._expression(least)
        self._depth -= 1
        return inner

    def _operator(self) -> str:
        """Return the operator that comes next, which may be of two words."""
        token = self._next
        if token.text == "not" and self._tokens[self._at + 1].text == "in":
            return "not in"
        return token.text if token.kind in ("symbol", "word") else ""

    def _skip(self, operator: str) -> None:
        self._at += len(operator.split(" "))

    def _signed(self, least: int) -> Expression:
        """Read a value, with the ``not`` or ``-`` before it."""
        token = self._next
        if token.kind == "word" and token.text == "not":
            if least > NOT:
                self._fail(token, "put parentheses around not: (not …)")
            self._at += 1
            operand = self._inner(NOT)
            return self._build(token, Not, operand)
        if token.kind == "symbol" and token.text == "-":
            self._at += 1
            operand = self._inner(SIGN)
            return self._build(token, tree.negative, operand)
        return self._primary()

    def _comparison(self, left: Expression, operator: str) -> Expression:
        token = self._next
        self._skip(operator)
        condition: Expression
        if operator in ("in", "not in"):
            if self._next.text == "[":
                options = self._build(self._next, tree.listed, self._items())
                condition = self._build(token, In, left, options)
            else:
                condition = self._build(token, Contains, self._expression(SUM), left)
            if operator == "not in":
                condition = self._build(token, Not, condition)
        else:
            condition = self._build(token, Comparison, operator, left, self._expression(SUM))
        if PRECEDENCE.get(self._operator()) == COMPARISON:
            self._fail(
                self._next,
                "comparisons cannot be chained; write 1 < x < 5 as 1 < x and x < 5, "
                "or put parentheses around one",
            )
        return condition

    # -- values ---------------------------------------------------------------------------

    def _primary(self) -> Expression:
        token = self._next
        if token.kind in ("text", "number"):
            self._at += 1
            return Literal.of(token.value)
        if token.kind == "word":
            return self._word()
        if token.text == "(":
            self._at += 1
            inner = self._inner(OR)
            self._expect(")")
            return inner
        if token.text == "[":
            return self._literal_list()
        if token.text == "{":
            return self._object()
        self._unexpected('a value such as user["plan"], "text" or 10')

    def _word(self) -> Expression:
        token = self._take()
        follows = self._next.text
        if token.text in _SIDES and follows == "[":
            return self._property(_SIDES[token.text])
        if token.text == "group" and follows == "(":
            return self._group()
        if token.text in _CONSTANTS:
            return Literal.of(_CONSTANTS[token.text])
        if token.text in _functions() and follows == "(":
            return self._function(token)
        self._fail(token, self._about_word(shortened(token.text), follows))

    def _about_word(self, word: str, follows: str) -> str:
        if word == "group":
            return 'a property of groups is written group("company")["plan"]'
        if word in _SIDES:
            return f'a property is written {word}["plan"]'
        if word in _functions():
            arguments = "…, …" if word in ("contains", "total_of") else "…"
            return f"a function takes its argument in parentheses: {word}({arguments})"
        if word.lower() in _HINTS and word not in PRECEDENCE:
            return f'found "{word}"; {_HINTS[word.lower()]}'
        if word in PRECEDENCE:
            return f'found "{word}", expected a value such as user["plan"], "text" or 10'
        if follows == "(":
            hint = did_you_mean(word, _functions())
            return f'there is no function "{word}".{hint} There are {", ".join(_functions())}'
        return f'found "{word}"; a property is user["…"] or event["…"], text goes in quotes'

    def _property(self, side: str) -> Property:
        self._expect("[")
        name = self._next
        if name.kind != "text":
            self._unexpected('the name of a property in quotes, such as "plan"')
        self._at += 1
        self._expect("]")
        if self._next.text == "[":
            self._fail(self._next, "nothing within a property can be named, only the whole")
        return self._build(name, Property, side, name.value)

    def _group(self) -> Property:
        self._expect("(")
        key = self._next
        if key.kind != "text":
            self._unexpected('a group key in quotes, such as "company"')
        self._at += 1
        self._expect(")")
        side = self._build(key, tree.group_side, key.value)
        if self._next.text != "[":
            self._unexpected(f'the property of the group: {side}["plan"]')
        return self._property(side)

    def _function(self, token: Token) -> Expression:
        self._expect("(")
        start = self._next
        if token.text in _TALLIES:
            return self._tally(token)
        if token.text == "cohort":
            name = self._text_argument('the name of a cohort in quotes, such as "Paying"')
            self._expect(")")
            return self._build(start, Members, name)
        argument = self._inner(OR)
        if token.text != "contains":
            self._expect(")")
            make = _ONE_ARGUMENT.get(token.text, partial(Function, token.text))
            return self._build(start, make, argument)
        self._expect(",")
        element = self._inner(OR)
        self._expect(")")
        return self._build(token, Contains, argument, element)

    def _tally(self, token: Token) -> Expression:
        """Read ``times_did(event, period, condition)`` or ``total_of(number, …)``."""
        of = None
        if token.text == "total_of":
            of = self._inner(OR)
            self._expect(",")
        start = self._next
        event = self._text_argument("the name of an event in quotes, or null for any event")
        within, where = "", None
        if self._next.text == ",":
            self._at += 1
            start = self._next
            within = self._text_argument('a period in quotes, such as "30d", or null') or ""
        if self._next.text == ",":
            self._at += 1
            condition = self._inner(OR)
            if not (isinstance(condition, Literal) and condition.is_null):
                where = condition
        self._expect(")", or_else=",")
        return self._build(start, Tally, event, within, where, of)

    def _text_argument(self, expected: str) -> str | None:
        token = self._take()
        if token.kind == "text" and isinstance(token.value, str):
            return token.value
        if token.kind == "word" and token.text == "null":
            return None
        self._at -= 1
        self._unexpected(expected)

    def _items(self) -> list[Expression]:
        self._expect("[")
        items: list[Expression] = []
        while self._next.text != "]":
            items.append(self._inner(OR))
            if self._next.text != "]":
                self._expect(",", or_else="]")
        self._expect("]")
        return items

    def _literal_list(self) -> Expression:
        token = self._next
        items = self._build(token, tree.listed, self._items())
        if isinstance(items, ListOf):
            self._fail(token, "a list holds literals only, unless it is after in")
        return items

    def _object(self) -> Expression:
        token = self._take()
        members: dict[str, Any] = {}
        while self._next.text != "}":
            name = self._next
            if name.kind != "text" or not isinstance(name.value, str):
                self._unexpected('a name in quotes, or "}"')
            self._at += 1
            self._expect(":")
            start = self._next
            value = self._inner(OR)
            if not isinstance(value, Literal):
                self._fail(start, "an object holds literals only")
            members[name.value] = value.value
            if self._next.text != "}":
                self._expect(",", or_else="}")
        self._expect("}")
        return self._build(token, Literal.of, members)

    # -- tokens ---------------------------------------------------------------------------

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at += 1
        return token

    def _expect(self, symbol: str, or_else: str | None = None) -> None:
        token = self._next
        if token.kind != "symbol" or token.text != symbol:
            self._unexpected(f'"{symbol}"' if or_else is None else f'"{symbol}" or "{or_else}"')
        self._at += 1

    def _build(self, token: Token, make: Callable[..., Built], *arguments: Any) -> Built:
        """Return what *make* makes; if it refuses, the error points at *token*."""
        try:
            return make(*arguments)
        except ExpressionError as error:
            raise syntax_error(self._text, token.start, str(error)) from None

    def _unexpected(self, expected: str) -> NoReturn:
        token = self._next
        if token.kind == "word":
            hint = _HINTS.get(token.text.lower())
            if hint is not None and hint != f"write {token.text}":
                self._fail(token, f'found "{token.text}"; {hint}')
        what = shortened(token.text)
        if token.kind in ("word", "symbol"):
            what = f'"{what}"'
        self._fail(token, f"found {what or 'the end'}, expected {expected}")

    def _fail(self, token: Token, message: str) -> NoReturn:
        raise syntax_error(self._text, token.start, message)


class _FormulaParser(_Parser):
    """A formula being read: its values are named numbers and number literals."""

    def __init__(self, text: str, names: Mapping[str, int]) -> None:
        super().__init__(text)
        self._names = names

    def _primary(self) -> Expression:
        token = self._next
        if token.kind == "text":
            self._at += 1
            return self._named(token, str(token.value))
        if token.kind == "word" and token.text in self._names:
            self._at += 1
            return self._named(token, token.text)
        if token.kind == "symbol" and token.text in ("[", "{"):
            self._unexpected("a name, a number, or a parenthesis")
        return super()._primary()

    def _word(self) -> Expression:
        token = self._next
        if token.text in _functions(formulas=True) and self._tokens[self._at + 1].text == "(":
            return super()._word()
        return self._named(token, token.text)

    def _named(self, token: Token, name: str) -> Expression:
        if name not in self._names:
            meant = did_you_mean(name, self._names)
            there = f"there are {listed(self._names)}"
            self._fail(token, f'nothing is called "{shortened(name)}"; {there}.{meant}'.rstrip("."))
        return Property("event", str(self._names[name]))
